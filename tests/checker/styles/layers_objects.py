# ruff: noqa
"""Correct layers whose caches are objects, with small helper functions, in-place sums and odd shapes of state."""

from copy import deepcopy
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np


@dataclass
class Saved:
    xhat: Any
    root: Any
    gamma: Any
    axis: Any


def _rows(x):
    return x.reshape((x.shape[0], reduce(lambda a, b: a * b, x.shape[1:], 1)))


def affine_forward(x, w, b):
    out = np.einsum("nd,dm->nm", _rows(x), w)
    out += b[np.newaxis]
    return out, {"x": x, "w": w}


def affine_backward(dout, cache):
    x, w = cache["x"], cache["w"]
    dx = np.tensordot(dout, w, axes=([1], [1])).reshape(*x.shape)
    dw = np.add.reduce(_rows(x)[:, :, None] * dout[:, None, :], axis=0)
    return dx, dw, np.ones(len(dout)) @ dout


def relu_forward(x):
    return 0.5 * (x + np.abs(x)), np.heaviside(x, 0.0)


def relu_backward(dout, cache):
    return np.multiply(dout, cache)


def softmax_loss(x, y):
    from math import log

    grad = np.empty_like(x)
    loss = 0.0
    for n, row in enumerate(x):
        e = np.exp(row - row.max())
        s = e.sum()
        loss -= row[y[n]] - row.max() - log(s)
        grad[n] = e / s
        grad[n, y[n]] -= 1.0
    return loss / len(x), grad / len(x)


def svm_loss(x, y):
    hot = np.eye(x.shape[1])[y]
    margin = np.clip(x - (x * hot).sum(1, keepdims=True) + 1 - hot, 0, None)
    push = (margin > 0).astype(x.dtype)
    return margin.sum() / len(x), (push - hot * push.sum(1, keepdims=True)) / len(x)


def _standardized(x, eps, axis):
    centred = x - x.mean(axis, keepdims=True)
    spread = (centred**2).mean(axis, keepdims=True)
    return centred / (spread + eps) ** 0.5, (spread + eps) ** 0.5, spread


def batchnorm_forward(x, gamma, beta, bn_param):
    mode = bn_param["mode"]
    eps, keep = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    mean = bn_param.get("running_mean", np.zeros((1, x.shape[1]), dtype=x.dtype))
    var = bn_param.get("running_var", np.zeros((1, x.shape[1]), dtype=x.dtype))
    if mode == "train":
        xhat, root, spread = _standardized(x, eps, 0)
        saved = Saved(xhat=xhat, root=root, gamma=gamma, axis=0)
        mean = mean * keep + x.mean(0, keepdims=True) * (1 - keep)
        var = var * keep + spread * (1 - keep)
    elif mode == "test":
        xhat, saved = (x - mean) / (var + eps) ** 0.5, None
    else:
        raise ValueError('Invalid forward batchnorm mode "%s"' % mode)
    bn_param.update(running_mean=mean, running_var=var)
    return deepcopy(gamma) * xhat + beta, saved


def _backward(dout, saved):
    xhat, root, gamma, axis = saved.xhat, saved.root, saved.gamma, saved.axis
    dgamma, dbeta = (dout * xhat).sum(0), dout.sum(0)
    g = dout * gamma
    g = g - g.mean(axis, keepdims=True)
    g = g - xhat * (g * xhat).mean(axis, keepdims=True)
    return g / root, dgamma, dbeta


def batchnorm_backward(dout, cache):
    return _backward(dout, cache)


def batchnorm_backward_alt(dout, cache):
    dxhat = np.zeros_like(dout)
    for j in range(dout.shape[1]):
        dxhat[:, j] = dout[:, j] * cache.gamma[j]
    N = float(dout.shape[0])
    dx = N * dxhat
    dx -= dxhat.sum(0)
    dx -= cache.xhat * (cache.xhat * dxhat).sum(0)
    dx /= N * cache.root
    return dx, np.einsum("nd,nd->d", dout, cache.xhat), np.einsum("nd->d", dout)


def layernorm_forward(x, gamma, beta, ln_param):
    xhat, root, _ = _standardized(x, ln_param.get("eps", 1e-5), 1)
    return np.stack([gamma * row + beta for row in xhat]), Saved(xhat, root, gamma, 1)


def layernorm_backward(dout, cache):
    return _backward(dout, cache)


def dropout_forward(x, dropout_param):
    p, mode = dropout_param["p"], dropout_param["mode"]
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])
    mask = None
    if mode == "train":
        mask = np.random.binomial(1, p, size=x.shape).astype(x.dtype) / p
    return (x if mask is None else x * mask), (dropout_param, mask)


def dropout_backward(dout, cache):
    param, mask = cache
    return dout if param["mode"] == "test" else np.multiply(mask, dout)


def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    shape = (1, -1, 1, 1)
    eps, keep = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    zero = np.zeros((1, x.shape[1], 1, 1))
    mean, var = bn_param.get("running_mean", zero), bn_param.get("running_var", zero)
    saved = None
    if bn_param["mode"] == "train":
        xhat, root, spread = _standardized(x, eps, (0, 2, 3))
        saved = Saved(xhat, root, gamma, (0, 2, 3))
        bn_param["running_mean"] = keep * mean + (1 - keep) * x.mean((0, 2, 3), keepdims=True)
        bn_param["running_var"] = keep * var + (1 - keep) * spread
    else:
        xhat = (x - mean) / np.sqrt(var + eps)
    return gamma.reshape(shape) * xhat + beta.reshape(shape), saved


def spatial_batchnorm_backward(dout, cache):
    over = cache.axis
    g = dout * cache.gamma.reshape(1, -1, 1, 1)
    dx = (g - g.mean(over, keepdims=True) - cache.xhat * (g * cache.xhat).mean(over, keepdims=True)) / cache.root
    return dx, (dout * cache.xhat).sum(over), dout.sum(over)


def spatial_groupnorm_forward(x, gamma, beta, G, gn_param):
    parts = np.split(x, G, axis=1)
    done = [_standardized(part, gn_param.get("eps", 1e-5), (1, 2, 3)) for part in parts]
    xhat = np.concatenate([d[0] for d in done], axis=1)
    return xhat * gamma + beta, (xhat, [d[1] for d in done], gamma, G)


def spatial_groupnorm_backward(dout, cache):
    xhat, roots, gamma, G = cache
    over, dx = (1, 2, 3), []
    for g, h, root in zip(np.split(dout * gamma, G, 1), np.split(xhat, G, 1), roots):
        dx.append((g - g.mean(over, keepdims=True) - h * (g * h).mean(over, keepdims=True)) / root)
    axes = (0, 2, 3)
    return np.concatenate(dx, 1), (dout * xhat).sum(axes, keepdims=True), dout.sum(axes, keepdims=True)


def max_pool_forward_naive(x, pool_param):
    ph, pw, s = (pool_param[k] for k in ("pool_height", "pool_width", "stride"))
    windows = np.lib.stride_tricks.sliding_window_view(x, (ph, pw), axis=(2, 3))[:, :, ::s, ::s]
    return windows.max((4, 5)), (x, pool_param)


def max_pool_backward_naive(dout, cache):
    x, pool_param = cache
    ph, pw, s = (pool_param[k] for k in ("pool_height", "pool_width", "stride"))
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(*dout.shape):
        window = x[n, c, i * s : i * s + ph, j * s : j * s + pw]
        a, b = divmod(int(np.argmax(window)), window.shape[1])
        dx[n, c, i * s + a, j * s + b] += dout[n, c, i, j]
    return dx
