# ruff: noqa
"""Convolutions by columns and one product of matrices."""
import numpy as np


def _indices(x_shape, HH, WW, pad, stride):
    N, C, H, W = x_shape
    h = 1 + (H + 2 * pad - HH) // stride
    v = 1 + (W + 2 * pad - WW) // stride
    i0 = np.tile(np.repeat(np.arange(HH), WW), C)
    i1 = stride * np.repeat(np.arange(h), v)
    j0 = np.tile(np.arange(WW), HH * C)
    j1 = stride * np.tile(np.arange(v), h)
    k = np.repeat(np.arange(C), HH * WW).reshape(-1, 1)
    return k, i0.reshape(-1, 1) + i1.reshape(1, -1), j0.reshape(-1, 1) + j1.reshape(1, -1), h, v


def conv_forward_naive(x, w, b, conv_param):
    s, p = conv_param.get("stride", 1), conv_param.get("pad", 0)
    F, C, HH, WW = w.shape
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    k, i, j, h, v = _indices(x.shape, HH, WW, p, s)
    cols = padded[:, k, i, j]
    out = np.matmul(w.reshape(F, -1), cols) + b.reshape(1, -1, 1)
    return out.reshape(len(x), F, h, v), (x, w, b, conv_param, cols)


def conv_backward_naive(dout, cache):
    x, w, b, conv_param, cols = cache
    s, p = conv_param["stride"], conv_param["pad"]
    N, F = dout.shape[:2]
    d = dout.reshape(N, F, -1)
    db = d.sum(axis=(0, 2))
    dw = np.einsum("nfp,nkp->fk", d, cols).reshape(w.shape)
    dcols = np.matmul(w.reshape(F, -1).T, d)
    k, i, j, _, _ = _indices(x.shape, *w.shape[2:], p, s)
    padded = np.zeros((N, x.shape[1], x.shape[2] + 2 * p, x.shape[3] + 2 * p))
    np.add.at(padded, (slice(None), k, i, j), dcols)
    return (padded if p == 0 else padded[:, :, p:-p, p:-p]), dw, db
