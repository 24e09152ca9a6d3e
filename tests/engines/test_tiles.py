"""The tiles and the products made of them, compiled, in NumPy, and by the reference layers."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("numba", reason="Numba is not installed")

from numba import njit

from normlab.engines import products, tiles
from normlab.engines.layout import (
    CHUNK,
    EXAMPLES,
    NARROW,
    SPARE,
    STRIP,
    TERMS,
    in_strips,
    out_of_strips,
    padded,
    stride,
)
from normlab.engines.processor import HEIGHTS, HEIGHTS_OF, TALLEST
from normlab.layers import affine_backward, affine_forward

rng = np.random.RandomState(0)
ALL_HEIGHTS = [(lanes, height) for lanes, heights in HEIGHTS.items() for height in heights]


def numbers(*shape):
    return rng.randn(*shape).astype(np.float32)


@njit
def compiled_product(lanes, height, a, a0, starts, i, x, x0, x_step, terms, out, o0, o_step, add):
    tiles.product_tile(lanes, height, a, a0, starts, i, x, x0, x_step, terms, out, o0, o_step, add)


@njit
def compiled_transposed(
    lanes, height, a, a0, starts, i, x, x0, x_step, terms, out, o0, o_step, add
):
    tiles.transposed_tile(
        lanes, height, a, a0, starts, i, x, x0, x_step, terms, out, o0, o_step, add
    )


@pytest.mark.parametrize("way", ["product", "transposed"])
@pytest.mark.parametrize(("lanes", "height"), ALL_HEIGHTS)
def test_a_tile_is_its_meaning_in_numpy(way, lanes, height):
    compiled = {"product": compiled_product, "transposed": compiled_transposed}[way]
    meaning = {"product": tiles.product_tile, "transposed": tiles.transposed_tile}[way]
    a, x, starts = numbers(4000), numbers(60 * 50), np.arange(60) * 41 + 5
    for terms, add in ((0, False), (1, True), (37, False), (37, True)):
        ours = numbers(height * (lanes + 3) + 20)
        meant, before = ours.copy(), ours.copy()
        arguments = lanes, height, a, 2, starts, 1, x, 5, 50, terms
        compiled(*arguments, ours, 11, lanes + 3, add)
        meaning(*arguments, meant, 11, lanes + 3, add)
        assert np.allclose(ours, meant, rtol=1e-4, atol=1e-4)  # terms in another order
        at = [11 + m * (lanes + 3) + c for m in range(height) for c in range(lanes)]
        beside = np.setdiff1d(np.arange(len(ours)), at)
        assert np.array_equal(ours[beside], before[beside])
        m, c = height - 1, lanes - 1
        places = [
            7 + 41 * (1 + m) + t if way == "product" else 7 + 41 * (1 + t) + m for t in range(terms)
        ]
        by_hand = sum(float(a[place]) * float(x[5 + 50 * t + c]) for t, place in enumerate(places))
        where = 11 + m * (lanes + 3) + c
        assert np.isclose(meant[where], by_hand + before[where] * add, rtol=1e-4, atol=1e-4)


def test_every_number_is_one_sum_in_one_order_whatever_the_tile():
    """The same rows in tiles of every height and width: the same bits."""
    a, x, starts = numbers(8000), numbers(64 * 50), np.arange(100) * 70
    found = {}
    for lanes, height in ALL_HEIGHTS:
        out = np.zeros((TALLEST + 12) * EXAMPLES, np.float32)
        for i in range(0, 12, height):
            for c in range(0, EXAMPLES, lanes):
                compiled_product(
                    lanes,
                    height,
                    a,
                    0,
                    starts,
                    i,
                    x,
                    c,
                    50,
                    50,
                    out,
                    i * EXAMPLES + c,
                    EXAMPLES,
                    False,
                )
        found[lanes, height] = out[: 12 * EXAMPLES].tobytes()
    assert len(set(found.values())) == 1


@njit
def compiled_turn(x, x0, x_step, out, o0, o_step):
    tiles.turn_tile(x, x0, x_step, out, o0, o_step)


def test_turn_tile():
    x, side = numbers(5 + tiles.SQUARE * 40), tiles.SQUARE
    ours, meant = np.zeros(3 + side * 30, np.float32), np.zeros(3 + side * 30, np.float32)
    compiled_turn(x, 5, 40, ours, 3, 30)
    tiles.turn_tile(x, 5, 40, meant, 3, 30)
    assert np.array_equal(ours, meant)
    square = ours[3:].reshape(side, 30)
    assert np.array_equal(square[:, :side], x[5:].reshape(side, 40)[:, :side].T)
    assert not square[:, side:].any()


@pytest.mark.parametrize(
    "heights", sorted({tuple(h) for of in HEIGHTS_OF.values() for h in of.values()})
)
def test_tiles_cover_all_rows_and_touch_no_more_than_the_spare_ones(heights):
    first = tiles.covering(heights)
    for rows in range(1, 200):
        covered = 0
        while covered < rows:
            covered += first[min(rows - covered, len(first) - 1)]
        assert covered - rows < min(max(heights), TALLEST)
        if rows >= 50:
            assert covered - rows <= 1  # hardly any of a tile's work is for nothing


@pytest.mark.parametrize(("D", "H"), [(1, 1), (70, 50), (3, 8), (5, 9), (64, 130)])
def test_weights_are_taken_out_as_they_were_put_in(D, H):
    W = numbers(D, H)
    laid_out = in_strips(W)
    assert laid_out.size == D * padded(H)
    assert np.array_equal(out_of_strips(np.concatenate([laid_out, numbers(9)]), D, H), W)


# fewer than a tile, a strip or a chunk, whole ones, and more; more terms than are summed at once
SHAPES = [
    (1, 1, 1), (5, 64, 5), (7, 3, 20), (20, 70, 64), (50, 50, 50), (6, TERMS + 9, 30),
    (64, CHUNK + 1, 130), (TERMS + 5, 2 * CHUNK, STRIP + NARROW), (9, 20, TERMS + 3),
]  # fmt: skip


@pytest.mark.parametrize(("N", "D", "H"), SHAPES)
@pytest.mark.parametrize("way", ["compiled", "interpreted"])
def test_products_are_the_reference_affine_layer(N, D, H, way):
    """Forward, back to the input, and by plain SGD back to the weights; scores of many examples."""
    x, W, b, dout = numbers(N, D), numbers(D, H), numbers(H), numbers(N, H)
    out, cache = affine_forward(x, W, b)
    dx, dW, _ = affine_backward(dout, cache)

    def call(kernel, *arguments):
        return (kernel if way == "compiled" else kernel.py_func)(*arguments)

    rows, width = N + TALLEST, stride(max(D, H))
    weights = np.concatenate([in_strips(W), np.full(SPARE, 7, np.float32)])
    wide_x, wide_dout, got = (np.zeros((rows, width), np.float32) for _ in range(3))
    wide_x[:N, :D], wide_dout[:N, :H] = x, dout
    starts, got[:] = np.arange(rows) * width, 7
    for apart in (False, True):
        call(
            products.affine_forward, wide_x.ravel(), 0, starts, N, weights, 0, D, H, b, 0,
            got.ravel(), 0, width, apart,
        )  # fmt: skip
        assert np.allclose(got[:N, :H], out, rtol=1e-4, atol=1e-4)
    turned = np.zeros(width * width + SPARE, np.float32)
    call(
        products.input_gradient, wide_dout.ravel(), 0, starts, N, weights, 0, D, H, got.ravel(), 0,
        width, turned,
    )  # fmt: skip
    assert np.allclose(got[:N, :D], dx, rtol=1e-4, atol=1e-4)

    blocks = np.zeros((D, EXAMPLES), np.float32)
    blocks[:, : min(N, EXAMPLES)] = x[:EXAMPLES].T
    scores = np.zeros((H + TALLEST, EXAMPLES), np.float32)
    strip_starts = np.concatenate([np.arange(TERMS) * NARROW, np.arange(TERMS) * STRIP])
    call(
        products.scores_forward,
        blocks.ravel(),
        0,
        weights,
        0,
        D,
        H,
        scores.ravel(),
        0,
        strip_starts,
    )
    assert np.allclose(scores[:H, :N].T, (out - b)[:EXAMPLES], rtol=1e-4, atol=1e-4)

    grads, state = np.zeros(2 * CHUNK * STRIP, np.float32), np.zeros_like(weights)
    one, reg, shrink = np.float32(1), np.float32(0.25), np.float32(0.875)
    squares = call(
        products.update_weights, wide_x.ravel(), 0, starts, starts, N, wide_dout.ravel(), 0, width,
        weights, state, state, 0, D, H, grads, 0, one, one, reg, shrink, True,
    )  # fmt: skip
    assert np.allclose(
        out_of_strips(weights, D, H), shrink * W - (dW + reg * W), rtol=1e-4, atol=1e-4
    )
    assert np.isclose(squares, np.sum(np.float64(W) ** 2))
    # what is not a weight is zero still, and what follows is untouched
    assert np.array_equal(weights[: D * padded(H)], in_strips(out_of_strips(weights, D, H)))
    assert np.all(weights[D * padded(H) :] == 7)


def test_scores_are_the_very_sums_of_the_training_pass():
    """An example's affine layer has the same bits whether the lanes are units or examples."""
    N, D, H = EXAMPLES, TERMS + 40, 50
    x, W = numbers(N, D), numbers(D, H)
    weights, width = np.concatenate([in_strips(W), np.zeros(SPARE, np.float32)]), stride(D)
    wide = np.zeros((N + TALLEST, width), np.float32)
    wide[:N, :D] = x
    got, starts = np.zeros((N + TALLEST, width), np.float32), np.arange(N + TALLEST) * width
    none = np.zeros(H, np.float32)
    products.affine_forward(
        wide.ravel(), 0, starts, N, weights, 0, D, H, none, 0, got.ravel(), 0, width, False
    )
    scores = np.zeros((H + TALLEST, EXAMPLES), np.float32)
    strip_starts = np.concatenate([np.arange(TERMS) * NARROW, np.arange(TERMS) * STRIP])
    products.scores_forward(
        np.ascontiguousarray(x.T).ravel(), 0, weights, 0, D, H, scores.ravel(), 0, strip_starts
    )
    assert np.array_equal(scores[:H].T, got[:N, :H])
