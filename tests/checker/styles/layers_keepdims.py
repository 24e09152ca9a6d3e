# ruff: noqa
"""Correct layers that keep every reduced axis, and running statistics as (1, D)."""

import numpy as np


def affine_forward(x, w, b):
    return np.dot(x.reshape((x.shape[0], -1)), w) + b.reshape(1, -1), (x, w, b)


def affine_backward(dout, cache):
    x, w, b = cache
    return (
        np.dot(dout, w.T).reshape(x.shape),
        np.dot(x.reshape((len(x), -1)).T, dout),
        np.sum(dout, 0, keepdims=True)[0],
    )


def relu_forward(x):
    return (np.abs(x) + x) / 2, x


def relu_backward(dout, cache):
    dx = np.zeros_like(dout)
    np.copyto(dx, dout, where=cache >= 0)
    return dx


def softmax_loss(x, y):
    N = x.shape[0]
    probs = np.exp(x - np.max(x, axis=1, keepdims=True))
    probs /= np.sum(probs, axis=1, keepdims=True)
    loss = -np.sum(np.log(probs[np.arange(N), y])) / N
    dx = probs.copy()
    dx[np.arange(N), y] -= 1
    dx /= N
    return loss, dx


def svm_loss(x, y):
    N = x.shape[0]
    correct_class_scores = x[np.arange(N), y]
    margins = np.maximum(0, x - correct_class_scores[:, np.newaxis] + 1.0)
    margins[np.arange(N), y] = 0
    loss = np.sum(margins) / N
    num_pos = np.sum(margins > 0, axis=1)
    dx = np.zeros_like(x)
    dx[margins > 0] = 1
    dx[np.arange(N), y] -= num_pos
    dx /= N
    return loss, dx


def batchnorm_forward(x, gamma, beta, bn_param):
    mode = bn_param["mode"]
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    N, D = x.shape
    running_mean = np.atleast_2d(bn_param.get("running_mean", np.zeros((1, D))))
    running_var = np.atleast_2d(bn_param.get("running_var", np.zeros((1, D))))
    gamma2, beta2 = gamma.reshape(1, D), beta.reshape(1, D)
    if mode == "train":
        mean = np.mean(x, axis=0, keepdims=True)
        var = np.var(x, axis=0, keepdims=True)
        norm = (x - mean) / np.sqrt(var + eps)
        out = gamma2 * norm + beta2
        bn_param["running_mean"] = momentum * running_mean + (1 - momentum) * mean
        bn_param["running_var"] = momentum * running_var + (1 - momentum) * var
        return out, (norm, gamma2, x - mean, 1 / np.sqrt(var + eps), np.sqrt(var + eps), var, eps)
    return gamma2 * (x - running_mean) / np.sqrt(running_var + eps) + beta2, None


def batchnorm_backward(dout, cache):
    xhat, gamma, xmu, ivar, sqrtvar, var, eps = cache
    N, D = dout.shape
    dbeta = np.sum(dout, axis=0, keepdims=True)
    dgamma = np.sum(dout * xhat, axis=0, keepdims=True)
    dxhat = dout * gamma
    divar = np.sum(dxhat * xmu, axis=0, keepdims=True)
    dxmu1 = dxhat * ivar
    dsqrtvar = -1.0 / (sqrtvar**2) * divar
    dvar = 0.5 * 1.0 / np.sqrt(var + eps) * dsqrtvar
    dsq = 1.0 / N * np.ones((N, D)) * dvar
    dxmu2 = 2 * xmu * dsq
    dx1 = dxmu1 + dxmu2
    dmu = -1 * np.sum(dx1, axis=0, keepdims=True)
    dx2 = 1.0 / N * np.ones((N, D)) * dmu
    return dx1 + dx2, dgamma.ravel(), dbeta.ravel()


def batchnorm_backward_alt(dout, cache):
    xhat, gamma, xmu, ivar, sqrtvar, var, eps = cache
    N, D = dout.shape
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(xhat * dout, axis=0)
    dx = (gamma * ivar / N) * (N * dout - xhat * dgamma - dbeta)
    return dx, dgamma, dbeta


def layernorm_forward(x, gamma, beta, ln_param):
    eps = ln_param.get("eps", 1e-5)
    mean = np.mean(x, axis=-1, keepdims=True)
    var = np.var(x, axis=-1, keepdims=True)
    norm = (x - mean) / np.sqrt(var + eps)
    return gamma.reshape(1, -1) * norm + beta.reshape(1, -1), (norm, gamma.reshape(1, -1), x - mean, var + eps)


def layernorm_backward(dout, cache):
    norm, gamma, xmu, v = cache
    D = dout.shape[1]
    dnorm = dout * gamma
    dv = np.sum(dnorm * xmu * -0.5 * v**-1.5, axis=1, keepdims=True)
    dm = np.sum(-dnorm * v**-0.5, axis=1, keepdims=True) + dv * np.mean(-2.0 * xmu, axis=1, keepdims=True)
    return dnorm * v**-0.5 + dv * 2.0 * xmu / D + dm / D, np.sum(dout * norm, axis=0), np.sum(dout, axis=0)


def dropout_forward(x, dropout_param):
    """p: Dropout parameter. We keep each neuron output with probability p."""
    p, mode = dropout_param["p"], dropout_param["mode"]
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])
    mask = None
    if mode == "train":
        mask = (np.random.rand(*x.shape) < p) / p
        out = x * mask
    else:
        out = x
    cache = (dropout_param, mask)
    out = out.astype(x.dtype, copy=False)
    return out, cache


def dropout_backward(dout, cache):
    dropout_param, mask = cache
    return dout * mask if dropout_param["mode"] == "train" else dout


def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    N, C, H, W = x.shape
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    rm = np.reshape(bn_param.get("running_mean", np.zeros(C)), (1, C, 1, 1))
    rv = np.reshape(bn_param.get("running_var", np.zeros(C)), (1, C, 1, 1))
    g, b = gamma.reshape(1, C, 1, 1), beta.reshape(1, C, 1, 1)
    if bn_param["mode"] == "test":
        return (x - rm) / np.sqrt(rv + eps) * g + b, None
    mean, var = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
    xhat = (x - mean) / np.sqrt(var + eps)
    bn_param["running_mean"] = momentum * rm + (1 - momentum) * mean
    bn_param["running_var"] = momentum * rv + (1 - momentum) * var
    return g * xhat + b, (xhat, g, var + eps)


def spatial_batchnorm_backward(dout, cache):
    xhat, g, v = cache
    axes = (0, 2, 3)
    dx = g / np.sqrt(v) * (dout - dout.mean(axes, keepdims=True) - xhat * (dout * xhat).mean(axes, keepdims=True))
    return dx, (dout * xhat).sum(axes), dout.sum(axes)


def spatial_groupnorm_forward(x, gamma, beta, G, gn_param):
    N, C, H, W = x.shape
    eps = gn_param.get("eps", 1e-5)
    x = np.reshape(x, (N * G, C // G * H * W)).T
    mu = np.mean(x, axis=0)
    xmu = x - mu
    var = np.mean(xmu**2, axis=0)
    std = np.sqrt(var + eps)
    xhat = np.reshape((xmu / std).T, (N, C, H, W))
    return gamma.reshape(1, C, 1, 1) * xhat + beta.reshape(1, C, 1, 1), (G, xhat, std, gamma)


def spatial_groupnorm_backward(dout, cache):
    G, xhat, std, gamma = cache
    N, C, H, W = dout.shape
    dbeta = np.sum(dout, axis=(0, 2, 3)).reshape(gamma.shape)
    dgamma = np.sum(dout * xhat, axis=(0, 2, 3)).reshape(gamma.shape)
    dxhat = np.reshape(dout * gamma.reshape(1, C, 1, 1), (N * G, C // G * H * W)).T
    xhat = np.reshape(xhat, (N * G, C // G * H * W)).T
    M = dxhat.shape[0]
    dx = (dxhat - dxhat.sum(0) / M - xhat * (dxhat * xhat).sum(0) / M) / std
    return np.reshape(dx.T, (N, C, H, W)), dgamma, dbeta
