"""Each kernel, compiled and interpreted, against the reference formula that it mirrors."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("numba", reason="Numba is not installed")

from normlab import layers, optim
from normlab.engines import accuracy, activations, arithmetic, columns, functions, rows
from normlab.engines.accuracy import losses_in_block, right_in_block
from normlab.engines.arithmetic import RULES
from normlab.engines.compiling import COMPILED_ACTIVATIONS, COMPILED_NORMS
from normlab.engines.layout import EXAMPLES
from normlab.errors import NonFiniteWarning
from normlab.layers import norms
from normlab.layers.activations import BY_NAME as ACTIVATIONS

N, D, WIDTH = 13, 12, 16  # rows are longer than the layer has units
MODULES = (accuracy, activations, arithmetic, columns, functions, rows)


@pytest.fixture(params=["compiled", "interpreted"])
def call(request, monkeypatch):
    """Calls a kernel; interpreted, all that it calls is interpreted too."""
    if request.param == "interpreted":
        for module in MODULES:
            for name, kernel in list(vars(module).items()):
                if hasattr(kernel, "py_func"):
                    monkeypatch.setattr(module, name, kernel.py_func)
    # what is interpreted is plain by now, where the test looks it up in its module
    interpreted = request.param == "interpreted"
    return lambda kernel, *given: getattr(kernel, "py_func" if interpreted else "", kernel)(*given)


@pytest.fixture
def rng():
    return np.random.RandomState(1)


def batch(rng):
    """x, dout (N, WIDTH) float32, and gamma, beta (D,)."""
    x, dout = (3 * rng.randn(N, WIDTH)).astype(np.float32), rng.randn(N, WIDTH).astype(np.float32)
    return x, dout, *(rng.randn(D).astype(np.float32) for _ in range(2))


# The result is rounded to float32 once, as in the reference; before that all is float64.
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

    flat, rstd = x.ravel(), N * groups
    statistics, out = np.zeros(2 * rstd), np.zeros((N, WIDTH), np.float32)
    at = 0, WIDTH, N, D, groups
    call(rows.standardize_rows, flat, *at, centred, 1e-5, statistics, 0, rstd)
    call(rows.rows_forward, flat, *at, statistics, 0, rstd, gamma, beta, out.ravel(), 0, True)
    assert_same(out[:, :D], np.maximum(theirs, 0))
    dx = np.zeros((N, WIDTH), np.float32)
    dgamma, dbeta, sums = np.zeros(D, np.float32), np.zeros(D, np.float32), np.zeros(2 * WIDTH)
    call(
        rows.rows_backward, dout.ravel(), 0, flat, *at, centred, statistics, 0, rstd, gamma, dgamma,
        dbeta, dx.ravel(), 0, sums,
    )  # fmt: skip
    for ours, theirs in zip((dx[:, :D], dgamma, dbeta), gradients, strict=True):
        assert_same(ours, theirs)
    of_examples = np.zeros((D, EXAMPLES), np.float32)
    of_examples[:, :N] = x[:, :D].T
    zero = np.zeros(D, np.float32)
    call(
        columns.rows_of_examples, of_examples.ravel(), EXAMPLES, D, zero, groups, centred, 1e-5,
        gamma, beta, True,
    )  # fmt: skip
    assert np.array_equal(of_examples[:, :N].T, out[:, :D])


def test_batch_norm(call, rng):
    x, dout, gamma, beta = batch(rng)
    x[4, 6] = np.inf
    param = {"mode": "train", "running_mean": np.full(D, 2.0), "running_var": np.full(D, 2.0)}
    with np.errstate(all="ignore"), pytest.warns(NonFiniteWarning):
        theirs, cache = layers.batchnorm_forward(x[:, :D], gamma, beta, param)
    with np.errstate(all="ignore"):
        gradients = layers.batchnorm_backward_alt(dout[:, :D], cache)
    wide = [np.concatenate([a, np.zeros(WIDTH - D, np.float32)]) for a in (gamma, beta)]
    flat, at = x.ravel(), (0, WIDTH, N, D)
    apart = 0, WIDTH, N, 1, D
    statistics, running = np.zeros(2 * WIDTH), np.full(2 * WIDTH, 2.0)
    out, dx = np.zeros((N, WIDTH), np.float32), np.zeros((N, WIDTH), np.float32)
    dgamma, dbeta = np.zeros(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
    with np.errstate(all="ignore"):
        call(
            columns.standardize_columns, flat, *apart, 1e-5, 0.9, statistics, 0, WIDTH, running, 0, 0,
            True,
        )  # fmt: skip
        call(columns.columns_forward, flat, *at, statistics, 0, WIDTH, *wide, out.ravel(), 0, True)
        call(
            columns.columns_backward, dout.ravel(), 0, flat, *at, statistics, 0, WIDTH, wide[0],
            dgamma, dbeta, dx.ravel(), 0, 0, False,
        )  # fmt: skip
    # a unit whose statistics are not finite keeps the running ones that it had
    found = running.reshape(2, WIDTH)[:, :D]
    np.testing.assert_allclose(found, [param["running_mean"], param["running_var"]], rtol=1e-12)
    fine = np.arange(D) != 6
    assert np.isnan(out[:, 6]).any()
    assert_same(out[:, :D][:, fine], np.maximum(theirs, 0)[:, fine])
    for ours, theirs in zip((dx[:, :D], dgamma[:D], dbeta[:D]), gradients, strict=True):
        assert_same(ours[..., fine], theirs[..., fine])


def test_batch_norm_in_test_mode(call, rng):
    x, _, gamma, beta = batch(rng)
    mean, var, bias = rng.randn(D), rng.rand(D), rng.randn(D).astype(np.float32)
    param = {"mode": "test", "running_mean": mean, "running_var": var}
    theirs, _ = layers.batchnorm_forward(np.float64(x[:, :D]) + bias, gamma, beta, param)
    of_examples = np.zeros((D, EXAMPLES), np.float32)
    of_examples[:, :N] = x[:, :D].T
    running = np.concatenate([mean, np.zeros(WIDTH - D), var])
    call(
        columns.columns_of_examples, of_examples.ravel(), EXAMPLES, D, bias, running, 0, WIDTH, 1e-5,
        gamma, beta, True,
    )  # fmt: skip
    assert_same(of_examples[:, :N].T, np.maximum(theirs, 0).astype(np.float32))


def test_batch_norm_with_ghost_batches(call, rng):
    pieces, part = 3, 4
    x, dout, gamma, beta = (a[: pieces * part] if a.ndim == 2 else a for a in batch(rng))
    param = {"mode": "train", "ghost_batch": part}
    norm = norms.BATCH_NORM
    theirs, cache = norm.forward(x[:, :D], gamma, beta, param)
    gradients = norm.backward(dout[:, :D], cache)
    wide = [np.concatenate([a, np.zeros(WIDTH - D, np.float32)]) for a in (gamma, beta)]
    flat, rstd = x.ravel(), pieces * WIDTH
    statistics, running = np.zeros(2 * rstd), np.zeros(2 * WIDTH)
    out, dx = np.zeros(x.shape, np.float32), np.zeros(x.shape, np.float32)
    dgamma, dbeta = np.zeros(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
    call(
        columns.standardize_columns, flat, 0, WIDTH, part, pieces, D, 1e-5, 0.9, statistics, 0, rstd,
        running, 0, 0, True,
    )  # fmt: skip
    for piece in range(pieces):
        at = piece * part * WIDTH, WIDTH, part, D
        place = piece * WIDTH, rstd + piece * WIDTH
        call(
            columns.columns_forward, flat, *at, statistics, *place, *wide, out.ravel(), at[0], False
        )
        call(
            columns.columns_backward, dout.ravel(), at[0], flat, *at, statistics, *place, wide[0],
            dgamma, dbeta, dx.ravel(), at[0], 0, piece > 0,
        )  # fmt: skip
    assert_same(out[:, :D], theirs)
    found = running.reshape(2, WIDTH)[:, :D]
    np.testing.assert_allclose(found, [param["running_mean"], param["running_var"]], rtol=1e-12)
    for ours, theirs in zip((dx[:, :D], dgamma[:D], dbeta[:D]), gradients, strict=True):
        assert_same(ours, theirs)


@pytest.mark.parametrize("begun", [False, True])
def test_batch_norm_by_the_population(call, rng, begun):
    x, dout, gamma, beta = batch(rng)
    mean, var = rng.randn(D), 0.5 + rng.rand(D)
    param = {"mode": "train", "statistics": "population"}
    param |= {"running_mean": mean, "running_var": var} if begun else {}
    theirs, cache = norms.BATCH_NORM.forward(x[:, :D], gamma, beta, param)
    gradients = norms.BATCH_NORM.backward(dout[:, :D], cache)
    wide = [np.concatenate([a, np.zeros(WIDTH - D, np.float32)]) for a in (gamma, beta)]
    running = np.zeros((2, WIDTH))
    if begun:
        running[:, :D] = mean, var
    statistics = np.zeros(2 * WIDTH)
    flat, at, running = x.ravel(), (0, WIDTH, N, D), running.ravel()
    out, dx = np.zeros((N, WIDTH), np.float32), np.zeros((N, WIDTH), np.float32)
    dgamma, dbeta = np.zeros(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
    call(
        columns.standardize_columns, flat, 0, WIDTH, N, 1, D, 1e-5, 0.9, statistics, 0, WIDTH,
        running, 0, 1, begun,
    )  # fmt: skip
    call(columns.columns_forward, flat, *at, statistics, 0, WIDTH, *wide, out.ravel(), 0, False)
    call(
        columns.columns_backward, dout.ravel(), 0, flat, *at, statistics, 0, WIDTH, wide[0], dgamma,
        dbeta, dx.ravel(), 0, int(begun), False,
    )  # fmt: skip
    assert_same(out[:, :D], theirs)
    found = running.reshape(2, WIDTH)[:, :D]
    np.testing.assert_allclose(found, [param["running_mean"], param["running_var"]], rtol=1e-12)
    for ours, theirs in zip((dx[:, :D], dgamma[:D], dbeta[:D]), gradients, strict=True):
        assert_same(ours, theirs)


@pytest.mark.parametrize("name", ["dyt", "derf"])
def test_squashings(call, rng, name):
    x, dout, gamma, beta = batch(rng)
    x[3, 2], x[5, 7] = np.inf, -40.0  # where the squashing is flat
    norm, code = norms.BY_NAME[name], COMPILED_NORMS[name]
    scalars = np.array([0.7, 0.3], np.float32)
    own = [scalars[i : i + 1] for i in range(len(norm.parameters) - 2)]
    theirs, cache = norm.forward(x[:, :D], *own, gamma, beta, {})
    dx, *of_scalars, dgamma, dbeta = norm.backward(dout[:, :D], cache)
    wide = [np.concatenate([a, np.ones(WIDTH - D, np.float32)]) for a in (gamma, beta)]
    alpha, s = float(scalars[0]), float(scalars[1]) if name == "derf" else 0.0
    flat, at = x.ravel(), (0, WIDTH, N, D, code, alpha, s)
    out, ours = np.zeros((N, WIDTH), np.float32), np.zeros((N, WIDTH), np.float32)
    grads, scalar_grads = np.zeros((2, WIDTH), np.float32), np.full(2, 7, np.float32)
    with np.errstate(invalid="ignore"):
        call(activations.squash_forward, flat, *at, *wide, out.ravel(), 0)
        call(
            activations.squash_backward, dout.ravel(), 0, flat, *at, wide[0], *grads, scalar_grads, 0,
            1, ours.ravel(), 0,
        )  # fmt: skip
    assert_same(out[:, :D], theirs)
    assert_same(ours[:, :D], dx)
    assert_same(grads[:, :D], np.array([dgamma, dbeta]))
    expected = np.concatenate([*of_scalars, np.zeros(2 - len(of_scalars), np.float32)])
    assert_same(scalar_grads, expected)
    of_examples = np.zeros((D, EXAMPLES), np.float32)
    of_examples[:, :N] = x[:, :D].T
    call(
        activations.squash_of_examples, of_examples.ravel(), EXAMPLES, D, np.zeros(D, np.float32),
        *at[4:], gamma, beta,
    )  # fmt: skip
    assert np.array_equal(of_examples[:, :N].T, out[:, :D])


@pytest.mark.parametrize("name", COMPILED_ACTIVATIONS)
def test_activations(call, rng, name):
    y, dout = (5 * rng.randn(N, WIDTH)).astype(np.float32), rng.randn(N, WIDTH).astype(np.float32)
    y[2, 3], y[4, 5], dout[4, 5] = np.nan, -1.0, np.inf
    theirs, cache = ACTIVATIONS[name].forward(y)
    dtheirs = ACTIVATIONS[name].backward(dout, cache)
    out, code = np.zeros((N, WIDTH), np.float32), COMPILED_ACTIVATIONS[name]
    with np.errstate(invalid="ignore"):
        call(activations.activate, y.ravel(), 0, WIDTH, N, D, code, out.ravel(), 0)
        call(activations.activation_backward, dout.ravel(), 0, y.ravel(), 0, WIDTH, N, D, code)
    # the slopes of saturated units are differences from 1 here: good to 1e-16 of 1, not of
    # themselves
    np.testing.assert_allclose(out[:, :D], theirs[:, :D], rtol=1.2e-7)
    np.testing.assert_allclose(dout[:, :D], dtheirs[:, :D], rtol=1.2e-7, atol=1e-14)


def test_a_constant_row_is_exactly_beta(call):
    x = np.full(N * WIDTH, 12345.678, np.float32)
    statistics, out = np.zeros(2 * N), np.zeros(N * WIDTH, np.float32)
    gamma, beta = np.full(D, 9, np.float32), np.full(D, 0.5, np.float32)
    at = 0, WIDTH, N, D, 1
    call(rows.standardize_rows, x, *at, True, 1e-5, statistics, 0, N)
    call(rows.rows_forward, x, *at, statistics, 0, N, gamma, beta, out, 0, True)
    assert np.all(out.reshape(N, WIDTH)[:, :D] == 0.5)


@pytest.mark.parametrize("extreme", [None, 0, 1e30, np.inf, np.nan])
@pytest.mark.parametrize("classes", [D, 40])
def test_softmax_loss(call, rng, extreme, classes):
    width = 48
    scores = rng.randn(N, width).astype(np.float32)
    labels = rng.randint(0, classes, N)
    if extreme is not None:
        scores[2, 3] = scores[4, labels[4]] = extreme
    theirs, dtheirs = layers.softmax_loss(scores[:, :classes], labels)
    dscores, norms = np.zeros((N, width), np.float32), np.zeros(N + 16)
    with np.errstate(all="ignore"):
        ours = call(
            arithmetic.softmax_loss, scores.ravel(), 0, width, labels, N, classes, dscores.ravel(), 0,
            norms,
        )  # fmt: skip
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    np.testing.assert_allclose(dscores[:, :classes], dtheirs, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("extreme", [None, 1e30, np.inf, np.nan])
def test_softmax_losses_of_a_block(call, rng, extreme):
    scores, labels = rng.randn(6, EXAMPLES).astype(np.float32), rng.randint(0, 6, 37)
    if extreme is not None:
        scores[2, 3] = extreme
    losses, norms_of = np.full(37, 7.0), np.zeros(EXAMPLES)
    with np.errstate(all="ignore"):
        call(losses_in_block, scores.ravel(), 0, 6, labels, 10, 27, norms_of, losses)
    assert (losses[:10] == 7).all()
    for e in range(27):
        theirs, _ = layers.softmax_loss(scores[:, e : e + 1].T, labels[10 + e : 11 + e])
        np.testing.assert_allclose(losses[10 + e], theirs, rtol=1e-12, atol=1e-14)


def test_powers_and_squares(call, rng):
    for exponent in (0, 1, 2, 63, 2001):
        assert call(arithmetic.power, 0.999, exponent) == pytest.approx(0.999**exponent, rel=1e-13)
    w = rng.randn(37).astype(np.float32)
    assert call(arithmetic.squared_sum, w) == pytest.approx(
        math.fsum(np.float64(w) ** 2), rel=1e-14
    )


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
        call(
            arithmetic.update,
            RULES[rule],
            np.float32(rate),
            np.float32(correction),
            ours,
            dw,
            first,
            second,
        )
        # a few roundings, of the update and not of the weight
        np.testing.assert_allclose(ours, theirs, rtol=2.5e-7, atol=1e-8)


def test_right_in_block_counts_as_argmax_does(call, rng):
    scores = rng.randint(0, 3, (6, EXAMPLES)).astype(np.float32)  # many equals
    scores[2, :10], scores[4, 5:15], scores[1, 20:25] = np.nan, np.nan, -np.inf
    labels = rng.randint(0, 6, 37)
    expected = int(np.sum(np.argmax(scores[:, :27], axis=0) == labels[10:]))
    assert call(right_in_block, scores.ravel(), 0, 6, labels, 10, 27) == expected
