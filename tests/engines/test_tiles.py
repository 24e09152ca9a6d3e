"""The tiles and the products made of them, compiled, in NumPy, and by the book."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from normlab.engines import products, tiles
from normlab.engines.processor import LANES, PANEL, SPARE, TILE, WIDE
from normlab.layers import affine_backward, affine_forward

rng = np.random.RandomState(0)


def numbers(*shape):
    return rng.randn(*shape).astype(np.float32)


@njit
def compiled_dot(a, a_rows, i, b, b0, b_panel, panels, out, o0, o_row):
    tiles.dot_tile(a, a_rows, i, b, b0, b_panel, panels, out, o0, o_row)


@njit
def compiled_outer(s, s0, s_row, s_step, x, x0, x_step, steps, out, o0, o_row, add):
    tiles.outer_tile(s, s0, s_row, s_step, x, x0, x_step, steps, out, o0, o_row, add)


@njit
def compiled_copy(x, starts, n, first, out, ahead):
    tiles.copy_panel(x, starts, n, first, out, ahead)


@pytest.mark.parametrize("panels", [1, 3])
def test_dot_tile(panels):
    a, b = numbers(2000), numbers(panels * (TILE + 2) * PANEL)
    arguments = a, np.arange(9) * 77 + 5, 2, b, PANEL, (TILE + 2) * PANEL, panels
    ours, meant = np.zeros(500, np.float32), np.zeros(500, np.float32)
    compiled_dot(*arguments, ours, 7, 40)
    tiles.dot_tile(*arguments, meant, 7, 40)
    by_hand = sum(
        float(a[2 * 77 + 5 + p * PANEL + k]) * float(b[PANEL + p * (TILE + 2) * PANEL + k])
        for p in range(panels)
        for k in range(PANEL)
    )
    assert np.isclose(meant[7], by_hand, rtol=1e-5)
    assert np.allclose(ours, meant, rtol=1e-4, atol=1e-4)  # terms of either sign, added in another order
    assert np.count_nonzero(ours) == TILE * TILE  # nothing is written beside the tile


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("steps", [0, 1, 50])
def test_outer_tile(steps, add):
    s, x = numbers(4000), numbers(60 * (WIDE + 8))
    ours = numbers(TILE * (WIDE + 3) + 20)
    meant, before = ours.copy(), ours.copy()
    arguments = s, 3, 60, 7, x, 5, WIDE + 8, steps
    compiled_outer(*arguments, ours, 11, WIDE + 3, add)
    tiles.outer_tile(*arguments, meant, 11, WIDE + 3, add)
    by_hand = sum(float(s[3 + 60 + 7 * t]) * float(x[5 + t * (WIDE + 8) + 2]) for t in range(steps))
    where = 11 + WIDE + 3 + 2
    assert np.isclose(meant[where], by_hand + (before[where] if add else 0), rtol=1e-4, atol=1e-5)
    assert np.allclose(ours, meant, rtol=1e-4, atol=1e-4)
    beside = np.setdiff1d(np.arange(len(ours)), [11 + m * (WIDE + 3) + c for m in range(TILE) for c in range(WIDE)])
    assert np.array_equal(ours[beside], before[beside])


def test_copy_panel():
    x, starts = numbers(1000), np.array([30, 400, 7])
    ours, meant = np.zeros(4 * PANEL, np.float32), np.zeros(4 * PANEL, np.float32)
    compiled_copy(x, starts, 3, 9, ours, starts)
    tiles.copy_panel(x, starts, 3, 9, meant, starts)
    assert np.array_equal(ours, meant)
    assert np.array_equal(ours[PANEL : 2 * PANEL], x[409 : 409 + PANEL])


@njit
def compiled_turn(a, a0, a_row, out, o0, o_row):
    tiles.turn_tile(a, a0, a_row, out, o0, o_row)


def test_turn_tile():
    a = numbers(5 + LANES * 40)
    ours, meant = np.zeros(3 + LANES * 30, np.float32), np.zeros(3 + LANES * 30, np.float32)
    compiled_turn(a, 5, 40, ours, 3, 30)
    tiles.turn_tile(a, 5, 40, meant, 3, 30)
    assert np.array_equal(ours, meant)
    square = ours[3:].reshape(LANES, 30)
    assert np.array_equal(square[:, :LANES], a[5:].reshape(LANES, 40)[:, :LANES].T)
    assert not square[:, LANES:].any()


def laid_out(W):
    """W (D, H) as `engines.layout` keeps it: panels of a row a unit."""
    D, H = W.shape
    pieces, units = -(-D // PANEL), max(H, TILE)
    padded = np.zeros((pieces * PANEL, units), np.float32)
    padded[:D, :H] = W
    return np.concatenate([padded.reshape(pieces, PANEL, units).transpose(0, 2, 1).ravel(), np.zeros(SPARE)])


def taken_back(weights, D, H):
    pieces, units = -(-D // PANEL), max(H, TILE)
    return weights[: pieces * PANEL * units].reshape(pieces, units, PANEL).transpose(0, 2, 1).reshape(-1, units)[:D, :H]


# fewer than a tile or a panel, whole ones, and more; with and without turning W around
SHAPES = [(1, 1, 1), (5, 64, 5), (7, 3, 20), (20, 70, 64), (50, 50, 50), (6, 200, 30), (64, 65, 130)]


@pytest.mark.parametrize(("N", "D", "H"), SHAPES)
@pytest.mark.parametrize("way", ["compiled", "interpreted"])
def test_products_are_the_books_affine_layer(N, D, H, way):
    """affine_forward, input_gradient and, by plain SGD, update_weights against `layers.affine_forward/backward`."""
    x, W, b, dout = numbers(N, D), numbers(D, H), numbers(H), numbers(N, H)
    out, cache = affine_forward(x, W, b)
    dx, dW, _ = affine_backward(dout, cache)

    def call(kernel):
        return kernel if way == "compiled" else kernel.py_func

    rows, width = max(N, TILE), max(-(-D // PANEL), -(-H // PANEL)) * PANEL
    weights = laid_out(W).astype(np.float32)
    wide_x, wide_dout, got = (np.zeros((rows, width), np.float32) for _ in range(3))
    wide_x[:N, :D], wide_dout[:N, :H] = x, dout
    turned = np.zeros(2 * PANEL * width, np.float32)
    starts = np.arange(rows) * width
    for apart in (False, True):
        got[:] = 7
        call(products.affine_forward)(wide_x.ravel(), starts, N, weights, 0, D, H, b, got, apart, turned)
        assert np.allclose(got[:N, :H], out, rtol=1e-4, atol=1e-4)
    call(products.input_gradient)(wide_dout, N, weights, 0, D, H, got)
    assert np.allclose(got[:N, :D], dx, rtol=1e-4, atol=1e-4)

    grads, state = np.zeros(max(H, TILE) * PANEL, np.float32), np.zeros_like(weights)
    one, reg, squares = np.float32(1), np.float32(0.25), 0.0
    for panel in range(-(-D // PANEL)):
        squares += call(products.update_weights)(
            wide_x.ravel(), panel * PANEL, width, wide_dout, N, panel, H, weights, state, state, 0, grads,
            0, one, one, reg,
        )  # fmt: skip
    assert np.allclose(taken_back(weights, D, H), W - (dW + reg * W), rtol=1e-4, atol=1e-4)
    assert np.isclose(squares, np.sum(np.float64(W) ** 2))
    untouched = weights.copy()
    untouched[: untouched.size] = laid_out(taken_back(weights, D, H))
    assert np.array_equal(weights, untouched)  # what is not a weight is zero still
