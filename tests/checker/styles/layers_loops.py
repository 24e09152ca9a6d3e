# ruff: noqa
"""Correct layers with explicit loops over examples and features."""

from math import exp, log, sqrt

import numpy as np


def affine_forward(x, w, b):
    N, M = x.shape[0], w.shape[1]
    out = np.zeros((N, M))
    for n in range(N):
        for m in range(M):
            out[n, m] = np.sum(x[n].ravel() * w[:, m]) + b[m]
    return out, (x, w, b)


def affine_backward(dout, cache):
    x, w, b = cache
    dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros_like(b)
    for n in range(x.shape[0]):
        dx[n] = w.dot(dout[n]).reshape(x[n].shape)
        dw += np.outer(x[n].ravel(), dout[n])
        db += dout[n]
    return dx, dw, db


def relu_forward(x):
    out = x.copy()
    for index in np.ndindex(x.shape):
        if out[index] < 0:
            out[index] = 0
    return out, x


def relu_backward(dout, x):
    dx = dout.copy()
    dx[x <= 0] = 0
    return dx


def softmax_loss(x, y):
    N, C = x.shape
    loss, dx = 0.0, np.zeros_like(x)
    for i in range(N):
        top = max(x[i])
        total = sum(exp(v - top) for v in x[i])
        loss -= x[i, y[i]] - top - log(total)
        for j in range(C):
            dx[i, j] = exp(x[i, j] - top) / total - (j == y[i])
    return loss / N, dx / N


def svm_loss(x, y):
    N, C = x.shape
    loss, dx = 0.0, np.zeros_like(x)
    for i in range(N):
        for j in range(C):
            if j == y[i]:
                continue
            margin = x[i, j] - x[i, y[i]] + 1
            if margin > 0:
                loss += margin
                dx[i, j] += 1
                dx[i, y[i]] -= 1
    return loss / N, dx / N


def batchnorm_forward(x, gamma, beta, bn_param):
    N, D = x.shape
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    bn_param.setdefault("running_mean", np.zeros(D))
    bn_param.setdefault("running_var", np.zeros(D))
    out = np.zeros_like(x)
    cache = []
    for j in range(D):
        if bn_param["mode"] == "train":
            mean = sum(x[:, j]) / N
            var = sum((v - mean) ** 2 for v in x[:, j]) / N
            bn_param["running_mean"][j] = momentum * bn_param["running_mean"][j] + (1 - momentum) * mean
            bn_param["running_var"][j] = momentum * bn_param["running_var"][j] + (1 - momentum) * var
        else:
            mean, var = bn_param["running_mean"][j], bn_param["running_var"][j]
        std = sqrt(var + eps)
        for i in range(N):
            out[i, j] = gamma[j] * (x[i, j] - mean) / std + beta[j]
        cache.append((mean, std, gamma[j]))
    return out, (x, cache)


def batchnorm_backward(dout, cache):
    x, columns = cache
    N, D = x.shape
    dx, dgamma, dbeta = np.zeros_like(x), np.zeros(D), np.zeros(D)
    for j, (mean, std, gamma) in enumerate(columns):
        dstd = 0.0
        dmean = 0.0
        for i in range(N):
            dbeta[j] += dout[i, j]
            dgamma[j] += dout[i, j] * (x[i, j] - mean) / std
            dstd += dout[i, j] * gamma * (x[i, j] - mean) * -1 / std**2
            dmean += -dout[i, j] * gamma / std
        for i in range(N):
            dx[i, j] = dout[i, j] * gamma / std + dmean / N + dstd * (x[i, j] - mean) / (N * std)
    return dx, dgamma, dbeta


def batchnorm_backward_alt(dout, cache):
    return batchnorm_backward(dout, cache)


def layernorm_forward(x, gamma, beta, ln_param):
    eps = ln_param.get("eps", 1e-5)
    out, xhat, stds = np.zeros_like(x), np.zeros_like(x), []
    for i in range(len(x)):
        std = sqrt(np.var(x[i]) + eps)
        xhat[i] = (x[i] - np.mean(x[i])) / std
        out[i] = gamma * xhat[i] + beta
        stds.append(std)
    return out, (xhat, stds, gamma)


def layernorm_backward(dout, cache):
    xhat, stds, gamma = cache
    dx, dgamma, dbeta = np.zeros_like(xhat), np.zeros_like(gamma), np.zeros_like(gamma)
    for i in range(len(xhat)):
        g = dout[i] * gamma
        dx[i] = (g - np.mean(g) - xhat[i] * np.mean(g * xhat[i])) / stds[i]
        dgamma += dout[i] * xhat[i]
        dbeta += dout[i]
    return dx, dgamma, dbeta


def dropout_forward(x, dropout_param):
    p = dropout_param["p"]
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])
    mask = None
    out = x
    if dropout_param["mode"] == "train":
        mask = np.random.choice([0.0, 1.0 / p], size=x.shape, p=[1 - p, p])
        out = x * mask
    return out, (dropout_param, mask)


def dropout_backward(dout, cache):
    param, mask = cache
    if param["mode"] == "train":
        return dout * mask
    elif param["mode"] == "test":
        return dout


def spatial_groupnorm_forward(x, gamma, beta, G, gn_param):
    eps = gn_param.get("eps", 1e-5)
    N, C, H, W = x.shape
    xhat, stds = np.zeros_like(x), np.zeros((N, G))
    for n in range(N):
        for g in range(G):
            block = slice(g * C // G, (g + 1) * C // G)
            stds[n, g] = sqrt(x[n, block].var() + eps)
            xhat[n, block] = (x[n, block] - x[n, block].mean()) / stds[n, g]
    return xhat * gamma + beta, (xhat, stds, gamma)


def spatial_groupnorm_backward(dout, cache):
    xhat, stds, gamma = cache
    N, C, H, W = dout.shape
    G = stds.shape[1]
    dxhat, dx = dout * gamma, np.zeros_like(dout)
    for n in range(N):
        for g in range(G):
            block = slice(g * C // G, (g + 1) * C // G)
            d, h = dxhat[n, block], xhat[n, block]
            dx[n, block] = (d - d.mean() - h * (d * h).mean()) / stds[n, g]
    dgamma = np.sum(dout * xhat, axis=(0, 2, 3)).reshape(1, C, 1, 1)
    dbeta = np.sum(dout, axis=(0, 2, 3)).reshape(1, C, 1, 1)
    return dx, dgamma, dbeta
