# ruff: noqa
"""Correct layers from explicit Jacobians and centering matrices."""

import numpy as np


def affine_forward(x, w, b):
    rows = np.hstack([x.reshape(len(x), -1), np.ones((len(x), 1))])
    return rows @ np.vstack([w, b]), (x, w, b)


def affine_backward(dout, cache):
    x, w, b = cache
    rows = np.hstack([x.reshape(len(x), -1), np.ones((len(x), 1))])
    both = rows.T @ dout
    return (dout @ w.T).reshape(x.shape), both[:-1], both[-1]


def relu_forward(x):
    return np.fmax(x, 0.0), x


def relu_backward(dout, x):
    return dout * 0.5 * (np.sign(x) + 1) * (x != 0)


def softmax_loss(x, y):
    N, C = x.shape
    p = np.exp(x - x.max(1, keepdims=True))
    p = np.diag(1 / p.sum(1)) @ p
    Y = np.eye(C)[y]
    return -np.trace(Y.T @ np.log(p)) / N, (p - Y) / N


def svm_loss(x, y):
    N, C = x.shape
    Y = np.eye(C)[y]
    M = (x - np.diag(x @ Y.T)[:, None] + 1 - Y).clip(min=0)
    A = (M > 0) * (1 - Y)
    return M.sum() / N, (A - np.diag(A.sum(1)) @ Y) / N


def batchnorm_forward(x, gamma, beta, bn_param):
    N, D = x.shape
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    if bn_param["mode"] == "train":
        H = np.eye(N) - np.ones((N, N)) / N
        c = H @ x
        var = np.diag(c.T @ c) / N
        S = np.diag((var + eps) ** -0.5)
        xhat = c @ S
        bn_param["running_mean"] = momentum * bn_param.get("running_mean", np.zeros(D)) + (1 - momentum) * x.mean(0)
        bn_param["running_var"] = momentum * bn_param.get("running_var", np.zeros(D)) + (1 - momentum) * var
        return xhat @ np.diag(gamma) + beta, (H, S, xhat, gamma)
    mean, var = bn_param["running_mean"], bn_param["running_var"]
    return (x - mean) @ np.diag(gamma * (var + eps) ** -0.5) + beta, None


def batchnorm_backward(dout, cache):
    H, S, xhat, gamma = cache
    N, D = xhat.shape
    dx = np.zeros_like(xhat)
    for j in range(D):
        J = S[j, j] * (H - np.outer(xhat[:, j], xhat[:, j]) / N)
        dx[:, j] = J.T @ (gamma[j] * dout[:, j])
    return dx, np.diag(xhat.T @ dout).copy(), np.ones(N) @ dout


def batchnorm_backward_alt(dout, cache):
    H, S, xhat, gamma = cache
    dgamma = np.diag(xhat.T @ dout).copy()
    return (H @ dout - xhat @ np.diag(dgamma) / len(xhat)) @ S @ np.diag(gamma), dgamma, dout.sum(0)


def layernorm_forward(x, gamma, beta, ln_param):
    D = x.shape[1]
    H = np.eye(D) - np.full((D, D), 1.0 / D)
    c = x @ H
    S = np.diag((np.diag(c @ c.T) / D + ln_param.get("eps", 1e-5)) ** -0.5)
    xhat = S @ c
    return xhat * gamma + beta, (H, S, xhat, gamma)


def layernorm_backward(dout, cache):
    H, S, xhat, gamma = cache
    D = xhat.shape[1]
    g = dout @ np.diag(gamma)
    dx = S @ (g @ H - np.diag(np.diag(g @ xhat.T)) @ xhat / D)
    return dx, np.diag(xhat.T @ dout).copy(), np.ones(len(xhat)) @ dout


def dropout_forward(x, dropout_param):
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])
    p = dropout_param["p"]
    if dropout_param["mode"] == "test":
        return x, (dropout_param, None)
    mask = np.floor(np.random.rand(*x.shape) + p) / p
    return x * mask, (dropout_param, mask)


def dropout_backward(dout, cache):
    return dout * cache[1] if cache[0]["mode"] == "train" else dout
