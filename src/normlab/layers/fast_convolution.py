"""Convolution and max pooling for training: the functions of `convolution` and `pooling`, many times sooner.

A convolution is one product of matrices, filters times windows, once each window stands in a column
(im2col; Chellapilla, Puri and Simard, "High Performance Convolutional Neural Networks for Document
Processing", 2006). Writing the columns costs more than the product unless they are written in long
runs and read again while they are in the cache. So:

- a padded image lies in memory as one line, row after row, W + 2 pad numbers each. The windows' pixels (p, q) of a
  whole image are then one run of that line, which begins at p · (W + 2 pad) + q. Runs go on over the ends of rows: the
  HH - 1 or so columns between two rows belong to no window, are computed all the same, and left out at the end;
- a few images are done at a time, as many as have columns that fit in the cache (BLOCK).

With a stride above 1 the pixels of a run are not neighbours, and columns hold the windows alone.

Results are those of the definitions but for the order of sums; so the same bound holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from normlab.arguments import explained
from normlab.layers.checks import check_upstream
from normlab.layers.convolution import ConvCache, ConvShape, conv_shape, unpadded
from normlab.layers.pooling import (
    MaxPoolCache,
    max_pool_backward_naive,
    max_pool_forward_naive,
    pool_shape,
)
from normlab.typing import Array

BLOCK = (
    1 << 20
)  # bytes of columns at a time: measured; a core's second-level cache holds about as much


@explained
def conv_forward_fast(
    x: Array, w: Array, b: Array, conv_param: Mapping[str, Any]
) -> tuple[Array, ConvCache]:
    """conv_forward_naive by products of matrices. Arguments, results and errors are the same.

    >>> x, w = np.arange(9.0).reshape(1, 1, 3, 3), np.array([[[[1.0, 0.0], [0.0, -1.0]]]])
    >>> print(conv_forward_fast(x, w, np.zeros(1), {"stride": 1, "pad": 0})[0][0, 0])
    [[-4. -4.]
     [-4. -4.]]
    """
    x, w, b = np.asarray(x), np.asarray(w), np.asarray(b)
    shape = conv_shape("convolution", x, w, b, conv_param)
    filters = w.reshape(len(w), -1)
    dtype = np.result_type(x, w, b)
    out = np.empty((len(x), len(w), shape.height, shape.width), dtype=dtype)
    for images, columns in _blocks(x, w, shape):
        product = filters @ columns
        out[images] = _on_windows(product, shape, x).swapaxes(0, 1)
    out += b[:, None, None].astype(dtype)
    return out, ConvCache(x, w, b, conv_param)


@explained
def conv_backward_fast(
    dout: Array, cache: ConvCache, *, with_dx: bool = True
) -> tuple[Array | None, Array, Array]:
    """conv_backward_naive by products of matrices: dx, dw, db. Arguments, results and errors are the same.

    `with_dx=False` leaves dx out (None), which a net's first layer has no use for.

    >>> x, w = np.arange(4.0).reshape(1, 1, 2, 2), np.ones((1, 1, 2, 2))
    >>> _, cache = conv_forward_fast(x, w, np.zeros(1), {"stride": 1, "pad": 0})
    >>> dx, dw, db = conv_backward_fast(np.array([[[[2.0]]]]), cache)
    >>> print(dx[0, 0].ravel(), dw[0, 0].ravel(), db)
    [2. 2. 2. 2.] [0. 2. 4. 6.] [2.]
    """
    x, w, b, conv_param = cache
    shape = conv_shape("convolution", x, w, b, conv_param)
    expected = (len(x), len(w), shape.height, shape.width)
    check_upstream("convolution's backward pass", dout, expected)
    dout = np.asarray(dout)
    filters = w.reshape(len(w), -1)

    db = dout.sum(axis=(0, 2, 3))
    dw = np.zeros(filters.shape, dtype=np.result_type(dout, x))
    dz = None
    if with_dx:
        N, C, H, W = x.shape
        size = (N, C, H + 2 * shape.pad, W + 2 * shape.pad)
        dz = np.zeros(size, dtype=np.result_type(dout, w))
    for images, columns in _blocks(x, w, shape):
        upstream = _on_positions(dout[images], columns.shape[1], shape, x)
        dw += upstream @ columns.T
        if dz is not None:
            _add_windows(dz[images], filters.T @ upstream, shape, w)
    dx = None if dz is None else unpadded(dz, shape.pad)
    return dx, dw.reshape(w.shape), db


@explained
def max_pool_forward_fast(x: Array, pool_param: Mapping[str, Any]) -> tuple[Array, MaxPoolCache]:
    """max_pool_forward_naive, pixel by pixel of the window. Arguments, results and errors are the same.

    >>> x = np.array([[[[1.0, 2.0, 5.0], [4.0, 3.0, 0.0]]]])
    >>> print(max_pool_forward_fast(x, {"pool_height": 2, "pool_width": 2, "stride": 1})[0])
    [[[[4. 5.]]]]
    """
    x = np.asarray(x)
    shape = pool_shape("max pool", x, pool_param)
    if not x.size or x.dtype == object:
        return max_pool_forward_naive(x, pool_param)
    out: Array | None = None
    for pixels in _pixels(x, shape):
        out = pixels.copy() if out is None else np.maximum(out, pixels, out=out)
    assert out is not None
    return out, MaxPoolCache(x, pool_param)


@explained
def max_pool_backward_fast(dout: Array, cache: MaxPoolCache) -> Array:
    """max_pool_backward_naive without a scatter, where windows do not overlap. Arguments and results are the same.

    >>> x = np.array([[[[1.0, 2.0], [4.0, 3.0]]]])
    >>> _, cache = max_pool_forward_fast(x, {"pool_height": 2, "pool_width": 2, "stride": 2})
    >>> print(max_pool_backward_fast(np.array([[[[10.0]]]]), cache))
    [[[[ 0.  0.]
       [10.  0.]]]]
    """
    x, pool_param = cache
    shape = pool_shape("max pool", x, pool_param)
    check_upstream("max pool's backward pass", dout, (*x.shape[:2], shape.height, shape.width))
    dout = np.asarray(dout)
    overlapping = max(shape.pool_height, shape.pool_width) > shape.stride
    if overlapping or not np.isfinite(dout).all():  # 0 times infinity is not 0
        return max_pool_backward_naive(dout, cache)
    largest = max_pool_forward_fast(x, pool_param)[0]
    waiting = np.ones(dout.shape, dtype=bool)  # windows whose largest pixel is still to come
    dx = np.zeros(x.shape, dtype=dout.dtype)
    for pixels, into in zip(_pixels(x, shape), _pixels(dx, shape), strict=True):
        found = pixels == largest
        found &= waiting
        np.multiply(dout, found, out=into)
        waiting ^= found
    if waiting.any():  # NaN is equal to nothing
        return max_pool_backward_naive(dout, cache)
    return dx


def _pixels(x: Array, shape: Any) -> Iterator[Array]:
    """For each place in a window, in reading order, that pixel of every window: views (N, C, H', W')."""
    s = shape.stride
    for p, q in np.ndindex(shape.pool_height, shape.pool_width):
        yield x[:, :, p : p + s * shape.height : s, q : q + s * shape.width : s]


def _row(x: Array, shape: ConvShape) -> int:
    """Numbers from one row of windows to the next in a line of columns."""
    return int(x.shape[3] + 2 * shape.pad) if shape.stride == 1 else shape.width


def _blocks(x: Array, w: Array, shape: ConvShape) -> Iterator[tuple[slice, Array]]:
    """A few images at a time, with their windows in columns: (C HH WW, images · H' rows).

    With stride 1 an image's line of columns is H' rows of W + 2 pad positions, otherwise of W'
    windows. The array is written anew for each block.
    """
    N, C, H, W = x.shape
    HH, WW = w.shape[2:]
    s, pad, height, _ = shape
    rows, row = H + 2 * pad, _row(x, shape)
    run = height * row
    at_once = max(1, min(N, BLOCK // max(1, C * HH * WW * run * x.itemsize)))
    columns = np.empty((C, HH, WW, at_once, height, row), dtype=x.dtype)
    # one row of zeros more: the last runs go past the end of the image by WW - 1 numbers
    z = np.zeros((at_once, C, rows + 1, W + 2 * pad), dtype=x.dtype)
    image, channel, down, right = z.strides
    steps = (channel, down, right, image, s * down, s * right)
    windows = as_strided(z, columns.shape, steps, writeable=False)
    for first in range(0, N, at_once):
        images = slice(first, min(first + at_once, N))
        n = images.stop - images.start
        z[:n, :, pad : pad + H, pad : pad + W] = x[images]
        if s == 1:  # one long run a pixel of the window, rather than one a row
            long = as_strided(z, (C, HH, WW, n, run), (*steps[:4], right), writeable=False)
            np.copyto(columns.reshape(C, HH, WW, at_once, run)[:, :, :, :n], long)
        else:
            np.copyto(columns[:, :, :, :n], windows[:, :, :, :n])
        part = columns if n == at_once else np.ascontiguousarray(columns[:, :, :, :n])
        yield images, part.reshape(C * HH * WW, n * run)


def _on_windows(product: Array, shape: ConvShape, x: Array) -> Array:
    """(F, images · H' rows) as (F, images, H', W'): the positions of windows alone."""
    row = _row(x, shape)
    lines = product.reshape(len(product), -1, shape.height, row)
    return lines[..., : shape.width]


def _on_positions(dout: Array, length: int, shape: ConvShape, x: Array) -> Array:
    """dout (images, F, H', W') as (F, images · H' rows), with zeros where no window is."""
    row = _row(x, shape)
    laid = np.zeros((dout.shape[1], len(dout), shape.height, row), dtype=dout.dtype)
    laid[..., : shape.width] = dout.swapaxes(0, 1)
    return laid.reshape(dout.shape[1], length)


def _add_windows(dz: Array, dcolumns: Array, shape: ConvShape, w: Array) -> None:
    """Add each window's gradient, (C HH WW, images · H' rows), to the padded images it was taken from."""
    C, HH, WW = w.shape[1:]
    s, _, height, width = shape
    d = dcolumns.reshape(C, HH, WW, len(dz), height, -1)[..., :width]
    for p, q in np.ndindex(HH, WW):
        into = dz[:, :, p : p + s * height : s, q : q + s * width : s]
        into += d[:, p, q].swapaxes(0, 1)
