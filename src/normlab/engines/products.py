"""A layer's matrix products, tile by tile: forward, back to its input, and back to its weights with
their update, as soon as nothing needs the old ones any more. Compiled into their callers."""

from __future__ import annotations

import numpy as np
from numba import njit

from normlab.engines.arithmetic import squared_sum, update
from normlab.engines.layout import CHUNK, EXAMPLES, NARROW, STRIP, TERMS
from normlab.engines.processor import HEIGHTS
from normlab.engines.tiles import (
    SQUARE,
    covering,
    fetch,
    product_tile,
    transposed_tile,
    turn_tile,
)
from normlab.typing import Array

# the height of the next tile by the number of rows left: see `covering`
_NARROW_HEIGHTS = np.array(covering(HEIGHTS[NARROW]))
_HEIGHTS = np.array(covering(HEIGHTS[STRIP]))
_FEW = max(HEIGHTS[EXAMPLES])  # rows that are better multiplied with all EXAMPLES at once


@njit(error_model="numpy", _nrt=False)
def _height(lanes: int, rows: int) -> int:
    """The height of the next tile, where so many rows are left."""
    if lanes == NARROW:
        return _NARROW_HEIGHTS[min(rows, len(_NARROW_HEIGHTS) - 1)]
    return _HEIGHTS[min(rows, len(_HEIGHTS) - 1)]


@njit(error_model="numpy", _nrt=False)
def affine_forward(
    x: Array, x0: int, starts: Array, n: int, weights: Array, start: int, fan_in: int, units: int,
    bias: Array, b0: int, out: Array, o0: int, width: int, apart: bool,
) -> None:  # fmt: skip
    """out[i, j] = Σ_k x[i, k] W[k, j] + b[j]: `layers.affine_forward`.

    Example i begins at x0 + starts[i]; rows of `out` at o0 + i * width. Of rows that lie `apart`,
    those that come next are fetched meanwhile.
    """
    for k in range(0, fan_in, TERMS):
        terms = min(TERMS, fan_in - k)
        if apart and k + TERMS < fan_in:
            for i in range(n):
                fetch(x, x0 + starts[i] + k + TERMS, TERMS)
        for j in range(0, units, STRIP):
            lanes = STRIP if units - j > NARROW else NARROW
            w = start + fan_in * j + k * lanes
            i = 0
            while i < n:
                height = _height(lanes, n - i)
                product_tile(
                    lanes, height, x, x0 + k, starts, i, weights, w, lanes, terms,
                    out, o0 + i * width + j, width, k > 0,
                )  # fmt: skip
                i += height
    b = bias[b0 : b0 + units]
    for i in range(n):
        row = out[o0 + i * width : o0 + i * width + units]
        for j in range(units):
            row[j] += b[j]


@njit(error_model="numpy", _nrt=False)
def input_gradient(
    dout: Array, d0: int, starts: Array, n: int, weights: Array, start: int, fan_in: int, units: int,
    dx: Array, o0: int, width: int, turned: Array,
) -> None:  # fmt: skip
    """dx[i, k] = Σ_j dout[i, j] W[k, j]: the first result of `layers.affine_backward`.

    W is turned around first: here the lanes are its inputs, the units of the layer below. What lies
    beyond the last of them in dx means nothing.
    """
    stretch = (units + SQUARE - 1) // SQUARE * SQUARE
    for k in range(0, fan_in, SQUARE):
        strip = k // STRIP * STRIP
        lanes = STRIP if fan_in - strip > NARROW else NARROW
        for j in range(0, units, SQUARE):
            of_units = STRIP if units - j // STRIP * STRIP > NARROW else NARROW
            w = start + fan_in * (j // STRIP * STRIP) + k * of_units + j % STRIP
            turn_tile(weights, w, of_units, turned, stretch * strip + j * lanes + k - strip, lanes)
    for j in range(0, units, TERMS):
        terms = min(TERMS, units - j)
        for k in range(0, fan_in, STRIP):
            lanes = STRIP if fan_in - k > NARROW else NARROW
            i = 0
            while i < n:
                height = _height(lanes, n - i)
                product_tile(
                    lanes, height, dout, d0 + j, starts, i, turned, stretch * k + j * lanes, lanes,
                    terms, dx, o0 + i * width + k, width, j > 0,
                )  # fmt: skip
                i += height


@njit(error_model="numpy", _nrt=False)
def update_weights(
    x: Array, x0: int, starts: Array, ahead: Array, n: int, dout: Array, d0: int, width: int, weights: Array,
    first: Array, second: Array, start: int, fan_in: int, units: int, grads: Array, rule: int,
    rate: np.float32, correction: np.float32, reg: np.float32, shrink: np.float32, apart: bool,
) -> float:  # fmt: skip
    """dW[k, j] = Σ_i x[i, k] dout[i, j], and the update of W, a few inputs at a time.

    Beyond the last unit, dout is zero as far as the strips go. Of rows that lie `apart`, those that
    come next are fetched meanwhile, and those at `ahead`, the next batch's. Returns the sum of the
    squares of the weights before the update, where there is regularization.
    """
    squares = 0.0
    k = 0
    while k < fan_in:
        inputs = CHUNK if fan_in - k > CHUNK + CHUNK // 2 else fan_in - k
        if apart and k + CHUNK < fan_in:
            for i in range(n):
                fetch(x, x0 + starts[i] + k + CHUNK, CHUNK)
                fetch(x, x0 + ahead[i] + k, CHUNK)
        for j in range(0, units, STRIP):
            lanes = STRIP if units - j > NARROW else NARROW
            size = inputs * lanes
            begin = start + fan_in * j + k * lanes
            if apart:
                fetch(weights, begin, size)
                fetch(first, begin, size)
                fetch(second, begin, size)
            for i in range(0, n, TERMS):
                terms = min(TERMS, n - i)
                m = 0
                while m < inputs:
                    height = _height(lanes, inputs - m)
                    transposed_tile(
                        lanes, height, x, x0 + k + m, starts, i, dout, d0 + i * width + j, width,
                        terms, grads, m * lanes, lanes, i > 0,
                    )  # fmt: skip
                    m += height
            w, dw = weights[begin : begin + size], grads[:size]
            if reg != 0:
                squares += squared_sum(w)
                for q in range(size):
                    dw[q] += reg * w[q]
            if shrink != 1:
                for q in range(size):
                    w[q] *= shrink  # decoupled weight decay, which no rule's step depends on
            update(
                rule,
                rate,
                correction,
                w,
                dw,
                first[begin : begin + size],
                second[begin : begin + size],
            )
        k += inputs
    return squares


@njit(error_model="numpy", _nrt=False)
def scores_forward(
    x: Array, x0: int, weights: Array, start: int, fan_in: int, units: int, out: Array, o0: int,
    strip_starts: Array,
) -> None:  # fmt: skip
    """out[j, e] = Σ_k W[k, j] x[k, e]: `affine_forward` before its bias, where the lanes are examples,
    EXAMPLES a row. The same sums, in the same order."""
    for k in range(0, fan_in, TERMS):
        terms = min(TERMS, fan_in - k)
        for j in range(0, units, STRIP):
            lanes = STRIP if units - j > NARROW else NARROW
            w = start + fan_in * j + k * lanes
            steps = 0 if lanes == NARROW else TERMS  # which row of strip_starts
            last = min(STRIP, units - j)
            m = 0
            while m < last:
                of = EXAMPLES if last - m <= _FEW else STRIP
                height = _FEW if of == EXAMPLES else _height(STRIP, last - m)
                for e in range(0, EXAMPLES, of):
                    transposed_tile(
                        of, height, weights, w + m, strip_starts, steps, x, x0 + k * EXAMPLES + e,
                        EXAMPLES, terms, out, o0 + (j + m) * EXAMPLES + e, EXAMPLES, k > 0,
                    )  # fmt: skip
                m += height
