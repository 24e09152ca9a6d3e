"""A layer's matrix products, tile by tile: forward, back to its input, and back to its weights with their update.

The last tile of a side that TILE does not divide overlaps the one before it: it computes a few sums again, to the
same bits. Compiled, never cached by itself.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from normlab.engines.arithmetic import update
from normlab.engines.processor import LANES, PANEL, TILE, WIDE
from normlab.engines.tiles import dot_tile, outer_tile, turn_tile
from normlab.typing import Array


@njit(error_model="numpy")
def affine_forward(
    rows: Array, row_starts: Array, n: int, weights: Array, start: int, fan_in: int, units: int, bias: Array,
    out: Array, apart: bool, turned: Array,
) -> None:  # fmt: skip
    """out[i, j] = Σ_k rows[row_starts[i] + k] W[k, j] + b[j]: `layers.affine_forward`. out is (rows, width).

    Rows that are not `apart` lie one behind the other, `width` numbers each. `turned` is scratch for two panels.
    """
    pieces = (fan_in + PANEL - 1) // PANEL
    # the sums of a dot_tile's lanes cost as much as two panels of products; an outer_tile has no such sums, but wants W
    # turned around, which a single tile's rows are not worth, and works on WIDE units, however few there are
    if not apart and pieces <= 2 and n > TILE and units > PANEL // 4:
        _affine_turned(rows, row_starts[0], n, weights, start, fan_in, units, out, turned)
    else:
        _affine_of_rows(rows, row_starts, n, weights, start, pieces, units, out)
    for i in range(n):
        for j in range(units):
            out[i, j] += bias[j]


@njit(error_model="numpy")
def _affine_of_rows(
    rows: Array, row_starts: Array, n: int, weights: Array, start: int, pieces: int, units: int, out: Array
) -> None:
    """out[i, j] = Σ_k rows[row_starts[i] + k] W[k, j], wherever the rows are."""
    width, height, stretch = out.shape[1], max(n, TILE), max(units, TILE)
    flat = out.reshape(out.size)
    for i in range(0, height, TILE):
        i = min(i, height - TILE)
        for j in range(0, stretch, TILE):
            j = min(j, stretch - TILE)
            dot_tile(
                rows, row_starts, i, weights, start + j * PANEL, stretch * PANEL, pieces, flat, i * width + j, width
            )


@njit(error_model="numpy")
def _affine_turned(
    x: Array, x_start: int, n: int, weights: Array, start: int, fan_in: int, units: int, out: Array, turned: Array
) -> None:
    """out[i, j] = Σ_k x[x_start + i * width + k] W[k, j], with W written out a row an input first.

    What is beyond the last unit in `out` is whatever follows these weights.
    """
    width, height, stretch = out.shape[1], max(n, TILE), max(units, TILE)
    flat = out.reshape(out.size)
    for k in range(0, fan_in, LANES):
        panel = start + k // PANEL * stretch * PANEL + k % PANEL
        for j in range(0, units, LANES):
            turn_tile(weights, panel + j * PANEL, PANEL, turned, k * width + j, width)
    for i in range(0, height, TILE):
        i = min(i, height - TILE)
        for j in range(0, units, WIDE):
            outer_tile(x, x_start + i * width, width, 1, turned, j, width, fan_in, flat, i * width + j, width, False)


@njit(error_model="numpy")
def input_gradient(dout: Array, n: int, weights: Array, start: int, fan_in: int, units: int, dx: Array) -> None:
    """dx[i, k] = Σ_j dout[i, j] W[k, j]: the first result of `layers.affine_backward`."""
    width, height, stretch = dout.shape[1], max(n, TILE), max(units, TILE)
    flat_dout, flat_dx = dout.reshape(dout.size), dx.reshape(dx.size)
    for k in range(0, fan_in, WIDE):
        piece = start + k // PANEL * stretch * PANEL + k % PANEL
        for i in range(0, height, TILE):
            i = min(i, height - TILE)
            outer_tile(
                flat_dout, i * width, width, 1, weights, piece, PANEL, units, flat_dx, i * width + k, width, False
            )


@njit(error_model="numpy")
def update_weights(
    x: Array, x_start: int, x_step: int, dout: Array, n: int, panel: int, units: int,
    weights: Array, first: Array, second: Array, start: int, grads: Array,
    rule: int, rate: np.float32, correction: np.float32, reg: np.float32,
) -> float:  # fmt: skip
    """dW = xᵀ dout for one panel of inputs, and the update of those weights while they are in the cache.

    x holds the panel's inputs of example i from x_start + i * x_step. Returns the sum of the squares of the
    panel's weights before the update, where there is regularization.
    """
    width, stretch = dout.shape[1], max(units, TILE)
    flat_dout = dout.reshape(dout.size)
    for k in range(0, PANEL, WIDE):
        for j in range(0, stretch, TILE):
            j = min(j, stretch - TILE)
            outer_tile(flat_dout, j, 1, width, x, x_start + k, x_step, n, grads, j * PANEL + k, PANEL, False)
    squares = 0.0
    start += panel * stretch * PANEL
    # a whole panel at a time, the zeros beyond the last input too: their gradient is zero, and so is their step
    size = units * PANEL
    w, dw = weights[start : start + size], grads[:size]
    if reg != 0:
        for k in range(size):
            squares += np.float64(w[k] * w[k])
            dw[k] += reg * w[k]
    update(rule, rate, correction, w, dw, first[start : start + size], second[start : start + size])
    return squares
