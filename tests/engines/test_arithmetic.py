"""Each kernel, compiled and interpreted, against the formula of the book that it mirrors."""

from __future__ import annotations

import numpy as np
import pytest

from normlab import layers, optim
from normlab.engines import arithmetic, rows
from normlab.engines.accuracy import right_in_block
from normlab.engines.layout import RULES

N, D, WIDTH = 13, 12, 16  # rows are longer than the layer has units


@pytest.fixture(params=["compiled", "interpreted"])
def call(request):
    return lambda kernel, *arguments: (kernel if request.param == "compiled" else kernel.py_func)(*arguments)


@pytest.fixture
def rng():
    return np.random.RandomState(1)


def batch(rng):
    """x, dout (N, WIDTH) float32, and gamma, beta (D,)."""
    x, dout = (3 * rng.randn(N, WIDTH)).astype(np.float32), rng.randn(N, WIDTH).astype(np.float32)
    return x, dout, *(rng.randn(D).astype(np.float32) for _ in range(2))


# The result is rounded to float32 once, as in the book; before that all is float64.
def assert_same(ours, theirs):
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, rtol=1.2e-7, atol=1e-6 * np.abs(theirs).max())


@pytest.mark.parametrize("layer", ["layernorm", "groupnorm", "rmsnorm"])
def test_norms_of_rows(call, rng, layer):
    x, dout, gamma, beta = batch(rng)
    groups, centred = (3 if layer == "groupnorm" else 1), layer != "rmsnorm"
    if layer == "layernorm":
        theirs, cache = layers.layernorm_forward(x[:, :D], gamma, beta, {})
        gradients = layers.layernorm_backward(dout[:, :D], cache)
    elif layer == "groupnorm":
        theirs, cache = layers.groupnorm_forward(x[:, :D], gamma, beta, groups, {})
        gradients = layers.groupnorm_backward(dout[:, :D], cache)
    else:
        beta = np.zeros_like(gamma)
        theirs, cache = layers.rmsnorm_forward(x[:, :D], gamma, {})
        gradients = (*layers.rmsnorm_backward(dout[:, :D], cache), np.zeros(D, np.float32))

    m, r = np.zeros(N * groups), np.zeros(N * groups)
    call(rows.standardize_rows, x, N, D, groups, centred, m, r)
    out = np.zeros((N, WIDTH), np.float32)
    call(rows.rows_forward, x, N, D, groups, m, r, gamma, beta, out)
    assert_same(out[:, :D], np.maximum(theirs, 0))
    dx, dgamma, dbeta = np.zeros((N, WIDTH), np.float32), np.zeros(D, np.float32), np.zeros(D, np.float32)
    sums = np.zeros((2, D))
    call(rows.rows_backward, dout, x, N, D, groups, centred, m, r, gamma, dgamma, dbeta, dx, sums)
    for ours, theirs in zip((dx[:, :D], dgamma, dbeta), gradients, strict=True):
        assert_same(ours, theirs)


def test_a_constant_row_is_exactly_beta(call):
    x = np.full((N, WIDTH), 12345.678, np.float32)
    m, r, out = np.zeros(N), np.zeros(N), np.zeros((N, WIDTH), np.float32)
    gamma, beta = np.full(D, 9, np.float32), np.full(D, 0.5, np.float32)
    call(rows.standardize_rows, x, N, D, 1, True, m, r)
    call(rows.rows_forward, x, N, D, 1, m, r, gamma, beta, out)
    assert np.all(out[:, :D] == 0.5)


@pytest.mark.parametrize("extreme", [None, 0, 1e30, np.inf, np.nan])
def test_softmax_loss(call, rng, extreme):
    scores, labels = rng.randn(N, WIDTH).astype(np.float32), rng.randint(0, D, N)
    if extreme is not None:
        scores[2, 3] = scores[4, labels[4]] = extreme
    theirs, dtheirs = layers.softmax_loss(scores[:, :D], labels)
    dscores = np.zeros((N, WIDTH), np.float32)
    with np.errstate(all="ignore"):
        ours = call(arithmetic.softmax_loss, scores, labels, N, D, dscores)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    np.testing.assert_allclose(dscores[:, :D], dtheirs, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("rule", RULES)
def test_update_rules(call, rng, rule):
    ours = rng.randn(40).astype(np.float32)
    theirs, first, second = ours.copy(), np.zeros(40, np.float32), np.zeros(40, np.float32)
    config = {"learning_rate": 0.01}
    for t in range(1, 6):
        dw = (rng.randn(40) * 10.0 ** rng.uniform(-6, 2, 40)).astype(np.float32)
        dw[0] = 0
        theirs, config = optim.UPDATE_RULES[rule].step(theirs, dw, config)
        rate, correction = 0.01, 1.0
        if rule == "adam":
            rate, correction = 0.01 / (1 - 0.9**t), 1 / np.sqrt(1 - 0.999**t)
        call(arithmetic.update, RULES[rule], np.float32(rate), np.float32(correction), ours, dw, first, second)
        # a few roundings, of the update and not of the weight
        np.testing.assert_allclose(ours, theirs, rtol=2.5e-7, atol=1e-8)


def test_right_in_block_counts_as_argmax_does(call, rng):
    scores = rng.randint(0, 3, (6, 50)).astype(np.float32)  # many equals
    scores[2, :10], scores[4, 5:15], scores[1, 20:25] = np.nan, np.nan, -np.inf
    labels = rng.randint(0, 6, 37)
    expected = int(np.sum(np.argmax(scores[:, :37], axis=0) == labels))
    assert call(right_in_block, scores, labels) == expected
