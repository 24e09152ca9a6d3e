# ruff: noqa
"""Correct layers, each sum an einsum."""

import numpy as np


def affine_forward(x, w, b):
    rows = x.reshape(x.shape[0], -1)
    return np.einsum("nd,dm->nm", rows, w) + b, (x, w)


def affine_backward(dout, cache):
    x, w = cache
    rows = x.reshape(x.shape[0], -1)
    return (
        np.einsum("nm,dm->nd", dout, w).reshape(x.shape),
        np.einsum("nd,nm->dm", rows, dout),
        np.einsum("nm->m", dout),
    )


def relu_forward(x):
    out = np.clip(x, 0, None)
    return out, out


def relu_backward(dout, out):
    return np.einsum("...,...->...", dout, np.sign(out))


def softmax_loss(x, y):
    n = np.arange(x.shape[0])
    z = x - np.amax(x, axis=1)[:, None]
    logsum = np.log(np.einsum("nc->n", np.exp(z)))
    p = np.exp(z - logsum[:, None])
    loss = np.einsum("n->", logsum - z[n, y]) / len(n)
    p[n, y] -= 1.0
    p /= len(n)
    return loss, p


def svm_loss(x, y):
    n = np.arange(x.shape[0])
    m = np.maximum(0, 1 + x - x[n, y][:, None])
    m[n, y] = 0
    d = np.where(m > 0, 1.0, 0.0)
    d[n, y] = -np.einsum("nc->n", d)
    return np.einsum("nc->", m) / len(n), d / len(n)


def batchnorm_forward(x, gamma, beta, bn_param):
    N, D = x.shape
    eps = bn_param.get("eps", 1e-5)
    keep = bn_param.get("momentum", 0.9)
    state = [bn_param.get(k, np.zeros(D)) for k in ("running_mean", "running_var")]
    if bn_param["mode"] == "test":
        return np.einsum("d,nd->nd", gamma / np.sqrt(state[1] + eps), x - state[0]) + beta, ()
    mean = np.einsum("nd->d", x) / N
    centred = x - mean
    var = np.einsum("nd,nd->d", centred, centred) / N
    r = np.reciprocal(np.sqrt(var + eps))
    bn_param["running_mean"] = state[0] + (1 - keep) * (mean - state[0])
    bn_param["running_var"] = state[1] + (1 - keep) * (var - state[1])
    return np.einsum("d,nd,d->nd", gamma, centred, r) + beta, (centred, r, gamma)


def batchnorm_backward(dout, cache):
    c, r, gamma = cache
    N = len(c)
    dbeta = np.einsum("nd->d", dout)
    dgamma = np.einsum("nd,nd,d->d", dout, c, r)
    dx = np.einsum("d,d,nd->nd", gamma, r, dout)
    dx -= gamma * r * dbeta / N
    dx -= np.einsum("nd,d,d->nd", c, gamma * r**2, dgamma) / N
    return dx, dgamma, dbeta


def batchnorm_backward_alt(dout, cache):
    c, r, gamma = cache
    N = len(c)
    J = np.eye(N)[None] - 1.0 / N - np.einsum("nd,md,d->dnm", c, c, r**2) / N
    dx = np.einsum("dnm,md,d->nd", J, dout, gamma * r)
    return dx, np.einsum("nd,nd,d->d", dout, c, r), dout.sum(0)


def layernorm_forward(x, gamma, beta, ln_param):
    D = x.shape[1]
    c = x - np.einsum("nd->n", x)[:, None] / D
    r = 1 / np.sqrt(np.einsum("nd,nd->n", c, c) / D + ln_param.get("eps", 1e-5))
    return np.einsum("d,nd,n->nd", gamma, c, r) + beta, (c, r, gamma)


def layernorm_backward(dout, cache):
    c, r, gamma = cache
    D = c.shape[1]
    g = dout * gamma
    J = np.eye(D)[None] - 1.0 / D - np.einsum("ni,nj,n->nij", c, c, r**2) / D
    return np.einsum("nij,nj,n->ni", J, g, r), np.einsum("nd,nd,n->d", dout, c, r), np.einsum("nd->d", dout)


def dropout_forward(x, dropout_param):
    p, mode, seed = dropout_param["p"], dropout_param["mode"], dropout_param.get("seed")
    if seed is not None:
        np.random.seed(seed)
    mask = np.ones_like(x)
    if mode == "train":
        mask = np.random.uniform(size=x.shape) <= p
        mask = mask / p
    return x * mask, mask


def dropout_backward(dout, mask):
    return dout * mask


def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    flat = np.einsum("nchw->nhwc", x).reshape(-1, x.shape[1])
    out, cache = batchnorm_forward(flat, gamma, beta, bn_param)
    N, C, H, W = x.shape
    return np.einsum("nhwc->nchw", out.reshape(N, H, W, C)), (cache, x.shape)


def spatial_batchnorm_backward(dout, cache):
    inner, (N, C, H, W) = cache
    dx, dg, db = batchnorm_backward_alt(np.einsum("nchw->nhwc", dout).reshape(-1, C), inner)
    return np.einsum("nhwc->nchw", dx.reshape(N, H, W, C)), dg, db
