# ruff: noqa
"""Convolutions by Fourier transforms."""
import numpy as np


def correlate(z, w):
    """Σ_c of the valid cross-correlation, by the convolution theorem."""
    shape = z.shape[2:]
    product = np.einsum("nchw,fchw->nfhw", np.fft.fft2(z, shape), np.conj(np.fft.fft2(w, shape)))
    whole = np.real(np.fft.ifft2(product))
    return whole[:, :, : shape[0] - w.shape[2] + 1, : shape[1] - w.shape[3] + 1]


def conv_forward_naive(x, w, b, conv_param):
    p, s = int(conv_param["pad"]), int(conv_param["stride"])
    z = np.pad(x, ((0,), (0,), (p,), (p,)))
    return correlate(z, w)[:, :, ::s, ::s] + b.reshape(-1, 1, 1), (z, w, s, p)


def conv_backward_naive(dout, cache):
    z, w, s, p = cache
    HH, WW = w.shape[2:]
    spread = np.zeros(dout.shape[:2] + (z.shape[2] - HH + 1, z.shape[3] - WW + 1))
    rows, columns = s * np.arange(dout.shape[2]), s * np.arange(dout.shape[3])
    spread[:, :, rows[:, None], columns] = dout
    dw = correlate(z.transpose(1, 0, 2, 3), spread.transpose(1, 0, 2, 3)).transpose(1, 0, 2, 3)
    shape = z.shape[2:]
    dz = np.real(np.fft.ifft2(np.einsum("nfhw,fchw->nchw", np.fft.fft2(spread, shape), np.fft.fft2(w, shape))))
    stop = [length - p for length in shape]
    return dz[:, :, p : stop[0], p : stop[1]], dw, dout.sum((0, 2, 3))
