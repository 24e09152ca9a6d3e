# ruff: noqa
"""Convolutions by strided views and tensordot; dx by turned filters on a spread dout."""
import numpy as np
from numpy.lib.stride_tricks import as_strided


def windows(x, HH, WW, s):
    N, C, H, W = x.shape
    a, b, c, d = x.strides
    return as_strided(x, (N, C, (H - HH) // s + 1, (W - WW) // s + 1, HH, WW), (a, b, c * s, d * s, c, d))


def conv_forward_naive(x, w, b, conv_param):
    pad, stride = conv_param["pad"], conv_param["stride"]
    z = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)], mode="constant")
    out = np.tensordot(windows(z, w.shape[2], w.shape[3], stride), w, axes=[(1, 4, 5), (1, 2, 3)])
    return out.transpose(0, 3, 1, 2) + b[None, :, None, None], (x, w, b, conv_param)


def conv_backward_naive(dout, cache):
    x, w, b, conv_param = cache
    pad, stride = conv_param["pad"], conv_param["stride"]
    HH, WW = w.shape[2:]
    z = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)], mode="constant")
    dw = np.tensordot(dout, windows(z, HH, WW, stride), axes=[(0, 2, 3), (0, 2, 3)])
    N, F, h, v = dout.shape
    spread = np.zeros((N, F, z.shape[2] - HH + 1, z.shape[3] - WW + 1))
    spread[:, :, : (h - 1) * stride + 1 : stride, : (v - 1) * stride + 1 : stride] = dout
    full = np.pad(spread, [(0, 0), (0, 0), (HH - 1, HH - 1), (WW - 1, WW - 1)], mode="constant")
    turned = w[:, :, ::-1, ::-1]
    dz = np.tensordot(windows(full, HH, WW, 1), turned, axes=[(1, 4, 5), (0, 2, 3)]).transpose(0, 3, 1, 2)
    return dz[:, :, pad : dz.shape[2] - pad, pad : dz.shape[3] - pad], dw, dout.sum(axis=0).sum(axis=1).sum(axis=1)
