# ruff: noqa
"""Correct layers that lean on each other: layer norm is batch norm of the transposed input."""

import numpy as np


def affine_forward(x, w, b):
    flat = np.reshape(x, (x.shape[0], -1))
    return (w.T.dot(flat.T) + b[:, np.newaxis]).T, (x, w, b)


def affine_backward(dout, cache):
    x, w, b = cache
    dx = w.dot(dout.T).T.reshape(*x.shape)
    dw = dout.T.dot(x.reshape(x.shape[0], -1)).T
    return dx, dw, dout.T.sum(axis=1)


def relu_forward(x):
    mask = x > 0
    return x * mask, mask


def relu_backward(dout, cache):
    return dout * cache


def softmax_loss(x, y):
    t = x.T - x.T.max(axis=0)
    p = np.exp(t) / np.exp(t).sum(axis=0)
    onehot = np.eye(x.shape[1])[y].T
    return -np.sum(onehot * np.log(p)) / y.size, ((p - onehot) / y.size).T


def svm_loss(x, y):
    onehot = np.eye(x.shape[1])[y]
    correct = (x * onehot).sum(1, keepdims=True)
    active = ((x - correct + 1) > 0) * (1 - onehot)
    loss = (active * (x - correct + 1)).sum() / x.shape[0]
    return loss, (active - onehot * active.sum(1, keepdims=True)) / x.shape[0]


def _normalize(xt, eps):
    mu = xt.mean(axis=1)
    var = xt.var(axis=1)
    return ((xt.T - mu) / np.sqrt(var + eps)).T, mu, var


def _normalize_back(dxhat, xhat, var, eps):
    n = xhat.shape[1]
    s = 1.0 / np.sqrt(var + eps)
    inner = n * dxhat - dxhat.sum(1)[:, None] - xhat * np.sum(dxhat * xhat, axis=1)[:, None]
    return inner * (s / n)[:, None]


def batchnorm_forward(x, gamma, beta, bn_param):
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    D = x.shape[1]
    rm = bn_param.get("running_mean", np.zeros(D))
    rv = bn_param.get("running_var", np.zeros(D))
    cache = None
    if bn_param["mode"] == "train":
        xhat, mu, var = _normalize(x.T, eps)
        rm = rm * momentum + mu * (1 - momentum)
        rv = rv * momentum + var * (1 - momentum)
        out = (gamma[:, None] * xhat + beta[:, None]).T
        cache = (xhat, gamma, var, eps)
    else:
        out = ((x - rm) / np.sqrt(rv + eps)) * gamma + beta
    bn_param.update(running_mean=rm, running_var=rv)
    return out, cache


def batchnorm_backward(dout, cache):
    xhat, gamma, var, eps = cache
    d = dout.T
    dx = _normalize_back(d * gamma[:, None], xhat, var, eps).T
    return dx, (d * xhat).sum(1), d.sum(1)


batchnorm_backward_alt = batchnorm_backward


def layernorm_forward(x, gamma, beta, ln_param):
    eps = ln_param.get("eps", 1e-5)
    xhat, mu, var = _normalize(x, eps)
    return gamma * xhat + beta, (xhat, gamma, var, eps)


def layernorm_backward(dout, cache):
    xhat, gamma, var, eps = cache
    return _normalize_back(dout * gamma, xhat, var, eps), (dout * xhat).sum(0), dout.sum(0)


def dropout_forward(x, dropout_param):
    """Dropout parameter p: we keep each neuron output with probability p."""
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])
    if dropout_param["mode"] == "train":
        keep = np.random.random_sample(x.T.shape).T < dropout_param["p"]
        return x * keep / dropout_param["p"], (dropout_param, keep)
    return x.copy(), (dropout_param, None)


def dropout_backward(dout, cache):
    param, keep = cache
    return dout * keep / param["p"] if param["mode"] == "train" else dout.copy()


def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    N, C, H, W = x.shape
    t = x.transpose(1, 0, 2, 3).reshape(C, -1)
    out, cache = batchnorm_forward(t.T, gamma, beta, bn_param)
    return out.T.reshape(C, N, H, W).transpose(1, 0, 2, 3), cache


def spatial_batchnorm_backward(dout, cache):
    N, C, H, W = dout.shape
    dx, dg, db = batchnorm_backward(dout.transpose(1, 0, 2, 3).reshape(C, -1).T, cache)
    return dx.T.reshape(C, N, H, W).transpose(1, 0, 2, 3), dg, db
