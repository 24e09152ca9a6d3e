# ruff: noqa
"""Correct layers in closed form: everything multiplied out, as little code as possible."""

import numpy as np


def affine_forward(x, w, b):
    return x.reshape(x.shape[0], np.prod(x.shape[1:])) @ w + b, (x, w, b)


def affine_backward(dout, cache):
    x, w, _ = cache
    return (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, np.ones(len(x)) @ dout


def relu_forward(x):
    return x * (x > 0), x


def relu_backward(dout, x):
    return np.where(x > 0, dout, 0)


def softmax_loss(x, y):
    logits = x - np.max(x)
    p = np.exp(logits) / np.exp(logits).sum(1)[:, None]
    loss = -np.log(p[range(len(y)), y]).mean()
    p[range(len(y)), y] -= 1
    return loss, p / len(y)


def svm_loss(x, y):
    n = len(y)
    margins = np.maximum(0, x - x[range(n), y].reshape(-1, 1) + 1)
    loss = (margins.sum() - n) / n
    d = (margins > 0).astype(float)
    d[range(n), y] = 1 - d.sum(1)
    d[range(n), y] -= 0
    return loss, d / n


def batchnorm_forward(x, gamma, beta, bn_param):
    eps, m = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    mean = bn_param.get("running_mean", 0 * x[0])
    var = bn_param.get("running_var", 0 * x[0])
    if bn_param["mode"] == "test":
        scale = gamma / np.sqrt(var + eps)
        return scale * x + (beta - scale * mean), None
    inv = (x.var(0) + eps) ** -0.5
    xhat = (x - x.mean(0)) * inv
    bn_param["running_mean"] = m * mean + (1 - m) * x.mean(0)
    bn_param["running_var"] = m * var + (1 - m) * x.var(0)
    return gamma * xhat + beta, (xhat, gamma, inv)


def batchnorm_backward(dout, cache):
    xhat, gamma, inv = cache
    n = len(dout)
    dgamma, dbeta = (dout * xhat).sum(0), dout.sum(0)
    return gamma * inv / n * (n * dout - dbeta - xhat * dgamma), dgamma, dbeta


def batchnorm_backward_alt(dout, cache):
    return batchnorm_backward(dout, cache)


def layernorm_forward(x, gamma, beta, ln_param):
    inv = (x.var(1) + ln_param.get("eps", 1e-5)) ** -0.5
    xhat = (x - x.mean(1)[:, None]) * inv[:, None]
    return gamma * xhat + beta, (xhat, gamma, inv)


def layernorm_backward(dout, cache):
    xhat, gamma, inv = cache
    d = dout.shape[1]
    g = dout * gamma
    dx = inv[:, None] / d * (d * g - g.sum(1)[:, None] - xhat * (g * xhat).sum(1)[:, None])
    return dx, (dout * xhat).sum(0), dout.sum(0)


def dropout_forward(x, dropout_param):
    """p is the probability of keeping a neuron (inverted dropout)."""
    if dropout_param["mode"] == "test":
        return x, (dropout_param, None)
    if dropout_param.get("seed") is not None:
        np.random.seed(dropout_param["seed"])
    mask = np.random.binomial(1, dropout_param["p"], size=x.shape) / dropout_param["p"]
    return mask * x, (dropout_param, mask)


def dropout_backward(dout, cache):
    return dout if cache[1] is None else cache[1] * dout


def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    out, cache = batchnorm_forward(np.moveaxis(x, 1, 3).reshape(-1, x.shape[1]), gamma, beta, bn_param)
    return np.moveaxis(out.reshape(np.moveaxis(x, 1, 3).shape), 3, 1), cache


def spatial_batchnorm_backward(dout, cache):
    moved = np.moveaxis(dout, 1, -1)
    dx, dgamma, dbeta = batchnorm_backward_alt(moved.reshape(-1, dout.shape[1]), cache)
    return np.moveaxis(dx.reshape(moved.shape), -1, 1), dgamma, dbeta


def spatial_groupnorm_forward(x, gamma, beta, G, gn_param):
    N, C, H, W = x.shape
    rows = x.reshape(N * G, -1)
    inv = (rows.var(1, keepdims=True) + gn_param.get("eps", 1e-5)) ** -0.5
    xhat = ((rows - rows.mean(1, keepdims=True)) * inv).reshape(x.shape)
    return xhat * gamma + beta, (xhat, inv, gamma, G)


def spatial_groupnorm_backward(dout, cache):
    xhat, inv, gamma, G = cache
    N = dout.shape[0]
    g, h = (dout * gamma).reshape(N * G, -1), xhat.reshape(N * G, -1)
    dx = inv * (g - g.mean(1, keepdims=True) - h * (g * h).mean(1, keepdims=True))
    return dx.reshape(dout.shape), (dout * xhat).sum((0, 2, 3), keepdims=True), dout.sum((0, 2, 3), keepdims=True)
