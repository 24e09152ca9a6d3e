# ruff: noqa
"""Correct layers that work in place, on copies of their own (and relu_backward on dout itself)."""

import numpy as np


def affine_forward(x, w, b):
    out = x.reshape(x.shape[0], -1).dot(w)
    out += b
    return out, (x, w, b)


def affine_backward(dout, cache):
    x, w, b = cache
    dw = np.empty_like(w)
    np.dot(x.reshape(x.shape[0], -1).T, dout, out=dw)
    return np.dot(dout, w.T).reshape(x.shape), dw, np.add.reduce(dout, axis=0)


def relu_forward(x):
    out = np.array(x)
    out[out < 0] = 0
    return out, x


def relu_backward(dout, cache):
    dx = dout
    dx[cache <= 0] = 0
    return dx


def softmax_loss(x, y):
    n = x.shape[0]
    p = x - x.max(axis=1).reshape(n, 1)
    np.exp(p, out=p)
    p /= p.sum(axis=1).reshape(n, 1)
    loss = np.sum(-np.log(p[np.arange(n), y]))
    loss /= n
    p[np.arange(n), y] -= 1
    p /= n
    return loss, p


def svm_loss(x, y):
    n = x.shape[0]
    m = x + 1
    m -= x[np.arange(n), y][:, None]
    m *= m > 0
    m[np.arange(n), y] = 0
    d = (m > 0) * 1.0
    d[np.arange(n), y] -= d.sum(axis=1)
    d /= n
    return m.sum() / n, d


def batchnorm_forward(x, gamma, beta, bn_param):
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    for key in ("running_mean", "running_var"):
        if key not in bn_param:
            bn_param[key] = np.zeros(x.shape[1], dtype=x.dtype)
    if bn_param["mode"] == "test":
        out = x - bn_param["running_mean"]
        out /= np.sqrt(bn_param["running_var"] + eps)
        out *= gamma
        out += beta
        return out, None
    xhat = x - np.mean(x, axis=0)
    var = np.mean(np.square(xhat), axis=0)
    bn_param["running_mean"] *= momentum
    bn_param["running_mean"] += (1 - momentum) * np.mean(x, axis=0)
    bn_param["running_var"] *= momentum
    bn_param["running_var"] += (1 - momentum) * var
    std = np.sqrt(var + eps)
    xhat /= std
    out = xhat.copy()
    out *= gamma
    out += beta
    return out, {"xhat": xhat, "std": std, "gamma": gamma}


def batchnorm_backward(dout, cache):
    xhat, std, gamma = cache["xhat"], cache["std"], cache["gamma"]
    dgamma = np.sum(dout * xhat, axis=0)
    dbeta = np.sum(dout, axis=0)
    dx = dout * gamma
    projection = np.mean(dx * xhat, axis=0)
    dx -= np.mean(dx, axis=0)
    dx -= xhat * projection
    dx /= std
    return dx, dgamma, dbeta


def batchnorm_backward_alt(dout, cache):
    dx = dout.copy()
    dx -= dout.mean(axis=0)
    dx -= cache["xhat"] * (dout * cache["xhat"]).mean(axis=0)
    dx *= cache["gamma"] / cache["std"]
    return dx, (dout * cache["xhat"]).sum(axis=0), dout.sum(axis=0)


def layernorm_forward(x, gamma, beta, ln_param):
    xhat = x.T.copy()
    xhat -= xhat.mean(axis=0)
    std = np.sqrt(np.square(xhat).mean(axis=0) + ln_param.get("eps", 1e-5))
    xhat /= std
    out = xhat.T * gamma
    out += beta
    return out, {"xhat": xhat, "std": std, "gamma": gamma}


def layernorm_backward(dout, cache):
    xhat, std = cache["xhat"], cache["std"]
    dbeta, dgamma = dout.sum(axis=0), (dout * xhat.T).sum(axis=0)
    d = (dout * cache["gamma"]).T
    projection = (d * xhat).mean(axis=0)
    d -= d.mean(axis=0)
    d -= xhat * projection
    d /= std
    return d.T, dgamma, dbeta


def dropout_forward(x, dropout_param):
    """
    - p: Dropout parameter. We drop each neuron output with probability p.
    """
    p = dropout_param["p"]
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])
    if dropout_param["mode"] == "test":
        return x, (dropout_param, None)
    mask = np.random.rand(*x.shape) > p
    out = x * mask
    out /= 1 - p
    return out, (dropout_param, mask)


def dropout_backward(dout, cache):
    param, mask = cache
    if mask is None:
        return dout
    dx = dout * mask
    dx /= 1 - param["p"]
    return dx
