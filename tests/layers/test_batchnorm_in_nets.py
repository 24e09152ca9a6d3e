"""Batch norm with ghost batches and with the population's statistics, by identities."""

import copy

import numpy as np
import pytest

from normlab.layers import batchnorm_backward_alt, batchnorm_forward
from normlab.layers.batchnorm_in_nets import (
    ghost_batchnorm_backward,
    ghost_batchnorm_forward,
    population_batchnorm_forward,
)

N, D, G = 12, 5, 4


def draw(dtype=np.float64, seed=0):
    rng = np.random.RandomState(seed)
    x, dout = 3 + rng.randn(2, N, D)
    return (
        x.astype(dtype),
        rng.randn(D).astype(dtype),
        rng.randn(D).astype(dtype),
        dout.astype(dtype),
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ghost_batches_are_batches_of_their_own(dtype):
    x, gamma, beta, dout = draw(dtype)
    settings = {"ghost_batch": G, "eps": 1e-3}
    out, cache = ghost_batchnorm_forward(x, gamma, beta, settings)
    dx, dgamma, dbeta = ghost_batchnorm_backward(dout, cache)
    gradients, statistics = [], []
    for piece in (slice(first, first + G) for first in range(0, N, G)):
        own = {"mode": "train", "eps": 1e-3, "momentum": 0.0}
        expected, own_cache = batchnorm_forward(x[piece], gamma, beta, own)
        own_dx, *others = batchnorm_backward_alt(dout[piece], own_cache)
        assert (out[piece] == expected).all()
        assert (dx[piece] == own_dx).all()
        gradients.append(others)
        statistics.append((own["running_mean"], own["running_var"]))
    # sums of three numbers of the gradients' type
    tolerance = 4 * np.finfo(dtype).eps
    for ours, theirs in zip(
        (dgamma, dbeta), np.sum(gradients, axis=0, dtype=np.float64), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * 10)
    mean, var = np.mean(statistics, axis=0)
    np.testing.assert_allclose(settings["running_mean"], 0.1 * mean, rtol=1e-14)
    np.testing.assert_allclose(settings["running_var"], 0.1 * var, rtol=1e-14)


def test_one_ghost_is_the_whole_batch():
    x, gamma, beta, dout = draw()
    ours, theirs = {"ghost_batch": N}, {"mode": "train"}
    out, cache = ghost_batchnorm_forward(x, gamma, beta, ours)
    expected, their_cache = batchnorm_forward(x, gamma, beta, theirs)
    assert (out == expected).all()
    for a, b in zip(
        ghost_batchnorm_backward(dout, cache),
        batchnorm_backward_alt(dout, their_cache),
        strict=True,
    ):
        assert (a == b).all()
    assert (ours["running_mean"] == theirs["running_mean"]).all()
    assert (ours["running_var"] == theirs["running_var"]).all()


def test_ghosts_of_a_shuffled_batch_give_the_same_sums_to_the_bit():
    x, gamma, beta, dout = draw()
    within = np.concatenate(
        [first + np.random.RandomState(1).permutation(G) for first in range(0, N, G)]
    )
    _, cache = ghost_batchnorm_forward(x, gamma, beta, {"ghost_batch": G})
    _, moved = ghost_batchnorm_forward(x[within], gamma, beta, {"ghost_batch": G})
    dx, *gradients = ghost_batchnorm_backward(dout, cache)
    moved_dx, *moved_gradients = ghost_batchnorm_backward(dout[within], moved)
    assert (dx[within] == moved_dx).all()
    for a, b in zip(gradients, moved_gradients, strict=True):
        assert (a == b).all()


def test_the_population_normalizes_by_what_came_before():
    x, gamma, beta, dout = draw()
    later, *_ = draw(seed=1)
    settings = {"momentum": 0.75}
    first, first_cache = population_batchnorm_forward(x, gamma, beta, settings)
    usual, usual_cache = batchnorm_forward(x, gamma, beta, {"mode": "train"})
    assert (first == usual).all()
    assert (first_cache.d == usual_cache.d).all()  # with the gradient through its own statistics
    np.testing.assert_allclose(settings["running_mean"], x.mean(0), rtol=1e-13)
    before = copy.deepcopy(settings)
    out, cache = population_batchnorm_forward(later, gamma, beta, settings)
    tested, test_cache = batchnorm_forward(later, gamma, beta, before | {"mode": "test"})
    assert (out == tested).all()
    for a, b in zip(
        batchnorm_backward_alt(dout, cache), batchnorm_backward_alt(dout, test_cache), strict=True
    ):
        assert (a == b).all()
    expected = 0.75 * before["running_mean"] + 0.25 * later.mean(0)
    np.testing.assert_allclose(settings["running_mean"], expected, rtol=1e-13)


def test_an_example_s_output_does_not_depend_on_its_company_under_the_population():
    x, gamma, beta, _ = draw()
    settings = {}
    population_batchnorm_forward(x, gamma, beta, settings)
    whole, _ = population_batchnorm_forward(x, gamma, beta, copy.deepcopy(settings))
    half, _ = population_batchnorm_forward(x[:6], gamma, beta, copy.deepcopy(settings))
    assert (whole[:6] == half).all()
