# ruff: noqa
"""Correct layers built from classes, linear algebra and NumPy's own helpers."""

from collections import namedtuple

import numpy as np

Saved = namedtuple("Saved", "xhat gamma root axis")


class Linear:
    def __init__(self, w, b):
        self.w, self.b = w, b

    def __call__(self, x):
        self.shape, self.rows = x.shape, x.reshape(len(x), -1)
        return np.matmul(self.rows, self.w) + self.b

    def back(self, dout):
        return np.matmul(dout, self.w.T).reshape(self.shape), np.matmul(self.rows.T, dout), dout.sum(0)


def affine_forward(x, w, b):
    layer = Linear(w, b)
    return layer(x), layer


def affine_backward(dout, cache):
    return cache.back(dout)


def relu_forward(x):
    return np.where(x > 0, x, 0.0), np.heaviside(x, 0.0)


def relu_backward(dout, step):
    return np.multiply(dout, step)


def softmax_loss(x, y):
    logp = x - np.logaddexp.reduce(x, axis=1, keepdims=True)
    target = np.zeros_like(x)
    np.put_along_axis(target, y[:, None], 1.0, axis=1)
    return -np.vdot(target, logp) / len(y), (np.exp(logp) - target) / len(y)


def svm_loss(x, y):
    correct = np.take_along_axis(x, y[:, None], axis=1)
    slack = x - correct + 1.0
    np.put_along_axis(slack, y[:, None], 0.0, axis=1)
    on = (slack > 0).astype(x.dtype)
    np.put_along_axis(on, y[:, None], -on.sum(axis=1, keepdims=True), axis=1)
    return np.maximum(slack, 0).sum() / len(y), on / len(y)


def _standardize(x, axis, eps):
    second, first = np.mean(x**2, axis=axis, keepdims=True), np.mean(x, axis=axis, keepdims=True)
    var = second - first**2
    return (x - first) / np.hypot(np.sqrt(np.maximum(var, 0)), np.sqrt(eps)), first, var


def _pull(saved, dout):
    d = dout * saved.gamma
    flat = d - d.mean(saved.axis, keepdims=True)
    along = np.mean(flat * saved.xhat, saved.axis, keepdims=True)
    return (flat - along * saved.xhat) / saved.root


def batchnorm_forward(x, gamma, beta, bn_param):
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    rm = bn_param.setdefault("running_mean", np.zeros(x.shape[1]))
    rv = bn_param.setdefault("running_var", np.zeros(x.shape[1]))
    if bn_param["mode"] == "test":
        return beta + gamma * (x - rm) / np.sqrt(rv + eps), None
    xhat, mean, var = _standardize(x, 0, eps)
    bn_param["running_mean"] = np.average([rm, mean[0]], axis=0, weights=[momentum, 1 - momentum])
    bn_param["running_var"] = np.average([rv, var[0]], axis=0, weights=[momentum, 1 - momentum])
    return beta + gamma * xhat, Saved(xhat, gamma, np.sqrt(var + eps), 0)


def batchnorm_backward(dout, cache):
    return _pull(cache, dout), np.sum(dout * cache.xhat, 0), np.sum(dout, 0)


def batchnorm_backward_alt(dout, cache):
    # the projector onto what is orthogonal to the constant and to x̂, a column at a time
    N, D = dout.shape
    dx = np.empty_like(dout)
    for j in range(D):
        span = np.stack([np.ones(N), cache.xhat[:, j]], axis=1) / np.sqrt(N)
        dx[:, j] = cache.gamma[j] / cache.root[0, j] * (dout[:, j] - span @ (span.T @ dout[:, j]))
    return dx, np.sum(dout * cache.xhat, 0), np.sum(dout, 0)


def layernorm_forward(x, gamma, beta, ln_param):
    xhat, mean, var = _standardize(x, 1, ln_param.get("eps", 1e-5))
    return beta + gamma * xhat, Saved(xhat, gamma, np.sqrt(var + ln_param.get("eps", 1e-5)), 1)


def layernorm_backward(dout, cache):
    return _pull(cache, dout), np.sum(dout * cache.xhat, 0), np.sum(dout, 0)


def dropout_forward(x, dropout_param):
    """Keep each neuron with probability p."""
    mode, p = dropout_param["mode"], dropout_param["p"]
    rng = np.random.RandomState(dropout_param.get("seed"))
    mask = np.less(rng.random_sample(x.shape), p) / p if mode == "train" else 1.0
    return x * mask, mask


def dropout_backward(dout, mask):
    return dout * mask


def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    N, C, H, W = x.shape
    out, cache = batchnorm_forward(np.rollaxis(x, 1, 4).reshape(-1, C), gamma, beta, bn_param)
    return np.rollaxis(out.reshape(N, H, W, C), 3, 1), cache


def spatial_batchnorm_backward(dout, cache):
    N, C, H, W = dout.shape
    dx, dgamma, dbeta = batchnorm_backward(np.rollaxis(dout, 1, 4).reshape(-1, C), cache)
    return np.rollaxis(dx.reshape(N, H, W, C), 3, 1), dgamma, dbeta
