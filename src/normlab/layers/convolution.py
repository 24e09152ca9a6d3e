"""Convolution: one small filter slid over every position of an image.

LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998,
section II.A.

Letters: N images of C channels, H by W; F filters of HH by WW; the output is H' by W' with

    H' = 1 + (H + 2 pad - HH) // stride        W' = 1 + (W + 2 pad - WW) // stride

What deep learning calls convolution is cross-correlation: the filter is not turned around before it
is slid. A net learns its filters, so it does not matter to it; the backward pass to x is the
convolution proper, with the filter turned around.

These are the definitions, written to be read; `fast_convolution` has the same functions for
training. A sum over a window has no promise of its own order, as the sums of the norms have: every
output is within n · u · Σ|x||w| + |b| u of the exact one, n = C · HH · WW terms and u the unit
roundoff of the type that x and w have together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from normlab.arguments import explained
from normlab.errors import MissingKeyError, ShapeError
from normlab.layers.checks import check_upstream
from normlab.typing import Array
from normlab.validation import whole_number


class ConvCache(NamedTuple):
    """The forward pass's arguments, as given."""

    x: Array  # (N, C, H, W)
    w: Array  # (F, C, HH, WW)
    b: Array  # (F,)
    conv_param: Mapping[str, Any]


class ConvShape(NamedTuple):
    """The numbers that a convolution's arguments agree on."""

    stride: int
    pad: int
    height: int  # H', of the output
    width: int  # W'


@explained
def conv_forward_naive(
    x: Array, w: Array, b: Array, conv_param: Mapping[str, Any]
) -> tuple[Array, ConvCache]:
    """out[n, f, i, j] = b[f] + Σ_cpq w[f, c, p, q] · x[n, c, i·stride + p - pad, j·stride + q - pad].

    Arguments: x (N, C, H, W); w (F, C, HH, WW); b (F,); conv_param with `stride` (pixels between
    neighbouring windows) and `pad` (rows and columns of zeros put around each image). Returns: out
    (N, F, H', W'), and the cache for the backward pass. Raises: ShapeError for shapes that do not
    fit and for filters larger than the padded image; MissingKeyError or OptionError for a missing
    or impossible stride or pad. Rows and columns at the far edge that no whole window covers are
    left out, as by every library.

    >>> x, w = np.arange(9.0).reshape(1, 1, 3, 3), np.array([[[[1.0, 0.0], [0.0, -1.0]]]])
    >>> out, cache = conv_forward_naive(x, w, np.zeros(1), {"stride": 1, "pad": 0})
    >>> print(out[0, 0])
    [[-4. -4.]
     [-4. -4.]]
    """
    x, w, b = np.asarray(x), np.asarray(w), np.asarray(b)
    stride, pad, *_ = conv_shape("convolution", x, w, b, conv_param)
    windows = _windows(padded(x, pad), w, stride)
    out = np.einsum("ncijpq,fcpq->nfij", windows, w) + b[:, None, None]
    return out, ConvCache(x, w, b, conv_param)


# Each output is a sum over its window, out_nfij = b_f + Σ_cpq w_fcpq z_nc(i·s+p)(j·s+q) with z the
# padded x, so
#
#     db_f    = Σ_nij dout_nfij
#     dw_fcpq = Σ_nij dout_nfij · z_nc(i·s+p)(j·s+q)      over every position that the weight was used at
#     dz_nckl = Σ_fpq dout_nfij · w_fcpq                  over every window (i, j) that pixel (k, l) lies in:
#                                                         i·s + p = k and j·s + q = l
#
# Windows overlap, so dz is added to, window by window; what was put around the image takes its
# gradient with it.
@explained
def conv_backward_naive(dout: Array, cache: ConvCache) -> tuple[Array, Array, Array]:
    """Gradients of conv_forward_naive.

    Arguments: dout (N, F, H', W'), the upstream gradient; the cache of the forward pass.
    Returns: dx (N, C, H, W), dw (F, C, HH, WW), db (F,). Raises ShapeError if dout does not fit.

    >>> x, w = np.arange(4.0).reshape(1, 1, 2, 2), np.ones((1, 1, 2, 2))
    >>> out, cache = conv_forward_naive(x, w, np.zeros(1), {"stride": 1, "pad": 0})
    >>> dx, dw, db = conv_backward_naive(np.array([[[[2.0]]]]), cache)
    >>> print(dx[0, 0].ravel(), dw[0, 0].ravel(), db)
    [2. 2. 2. 2.] [0. 2. 4. 6.] [2.]
    """
    x, w, b, conv_param = cache
    stride, pad, height, width = conv_shape("convolution", x, w, b, conv_param)
    expected = (len(x), len(w), height, width)
    check_upstream("convolution's backward pass", dout, expected)
    dout = np.asarray(dout)
    z = padded(x, pad)

    db = dout.sum(axis=(0, 2, 3))
    dw = np.einsum("nfij,ncijpq->fcpq", dout, _windows(z, w, stride))
    dz = np.zeros(z.shape, dtype=np.result_type(dout, w))
    for p, q in np.ndindex(*w.shape[2:]):
        pixels = np.s_[:, :, p : p + stride * height : stride, q : q + stride * width : stride]
        dz[pixels] += np.einsum("nfij,fc->ncij", dout, w[:, :, p, q])
    return unpadded(dz, pad), dw, db


def conv_shape(
    layer: str, x: Array, w: Array, b: Array, conv_param: Mapping[str, Any]
) -> ConvShape:
    """What the arguments of a convolution agree on; a sentence where they do not."""
    if x.ndim != 4:
        raise ShapeError(f"{layer} got x of shape {x.shape}; expected (N, C, H, W): images")
    if w.ndim != 4 or w.shape[1] != x.shape[1]:
        raise ShapeError(
            f"{layer} got w of shape {w.shape} for x of shape {x.shape}; expected (F, "
            f"{x.shape[1]}, HH, WW): as many channels as x has"
        )
    if b.shape != w.shape[:1]:
        raise ShapeError(
            f"{layer} got b of shape {b.shape} for w of shape {w.shape}; expected ({len(w)},): one "
            "value a filter"
        )
    stride, pad = (_setting(layer, conv_param, name) for name in ("stride", "pad"))
    height, width = (positions(layer, x, w, axis, stride, pad) for axis in (2, 3))
    return ConvShape(stride, pad, height, width)


def positions(layer: str, x: Array, w: Array, axis: int, stride: int, pad: int) -> int:
    """How many windows fit along an axis of the padded images."""
    length, window = x.shape[axis] + 2 * pad, w.shape[axis]
    if not 1 <= window <= length:
        raise ShapeError(
            f"{layer} got a window of {w.shape[2]} x {w.shape[3]} for images of {x.shape[2]} x "
            f"{x.shape[3]} with pad={pad}; it must fit into the padded image"
        )
    return int(1 + (length - window) // stride)


def padded(x: Array, pad: int) -> Array:
    """x with `pad` rows and columns of zeros around each image."""
    return np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))) if pad else x


def unpadded(z: Array, pad: int) -> Array:
    """The images that `padded` put zeros around."""
    return z[:, :, pad : z.shape[2] - pad, pad : z.shape[3] - pad]


def _windows(z: Array, w: Array, stride: int) -> Array:
    """The windows of padded images, (N, C, H', W', HH, WW); a view."""
    return sliding_window_view(z, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]


def _setting(layer: str, conv_param: Mapping[str, Any], name: str) -> int:
    if name not in conv_param:
        raise MissingKeyError(
            f"{layer} needs conv_param[{name!r}]; a usual one is {{'stride': 1, 'pad': (HH - 1) // "
            "2}"
        )
    return whole_number(f"conv_param[{name!r}]", conv_param[name], {"stride": 1, "pad": 0}[name])
