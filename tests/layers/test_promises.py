"""The promises on numerics, each against 50-digit arithmetic or to the bit."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normlab import layers
from normlab.errors import NonFiniteWarning
from normlab.layers import batchnorm_forward
from normlab.layers.statistics import order_free_sum
from tests.layers.norms import NORMS, draw, error, exact

# y carries one rounding to its type, 2**-24 = 6e-8 in float32; float64 adds a few of 2**-53 =
# 1.1e-16
BOUNDS = {np.float32: (1e-7, 1e-6), np.float64: (1e-15, 1e-14)}


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("eps", [0.0, 1e-5, 1.0])
@pytest.mark.parametrize(
    ("dtype", "mean", "scale"),
    [(np.float32, mean, 1.0) for mean in (0, 1e2, 1e4, 1e6, 1e7)]
    + [(np.float32, 0, scale) for scale in (1e-40, 1e-30, 1e18, 1e37)]
    + [(np.float64, mean, 1.0) for mean in (0, 1e4, 1e8, 1e12)]
    + [(np.float64, 0, scale) for scale in (1e-300, 1e-160, 1e160, 1e300)],
)
def test_error_against_fifty_digits(name, eps, dtype, mean, scale):
    norm = NORMS[name]
    rng = np.random.RandomState(0)
    x, gamma, beta, dout = draw(norm, rng, dtype, mean, scale)
    beta[:] = 0  # with tiny inputs and eps, y is tiny, and beta would hide every digit of it
    y, dx, dgamma, dbeta = exact(norm, x, gamma, beta, eps, dout)
    with (
        np.errstate(over="ignore", under="ignore"),
        warnings.catch_warnings(),
    ):  # dx may leave float32's range
        warnings.simplefilter(
            "ignore", NonFiniteWarning
        )  # a variance of 1e320 cannot be kept as a running one
        out, cache = norm.forward(x, gamma, beta, eps)
        gradients = norm.backward(dout, cache)
    of_y, of_gradients = BOUNDS[dtype]
    assert out.dtype == dtype
    compared = 0
    pairs = zip((out, *gradients), (y, dx, dgamma, dbeta), (of_y, *[of_gradients] * 3), strict=True)
    for ours, true, bound in pairs:
        # below the normal numbers of its type a value has no digits left to promise
        if (
            ours is not None
            and np.finfo(dtype).tiny < max(map(abs, true.flat)) < np.finfo(dtype).max
        ):
            assert error(ours, true) <= bound
            compared += 1
    assert compared >= 1


@pytest.mark.parametrize("name", [name for name in NORMS if NORMS[name].centred])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, -1 / 3, 1e10, 3.3e37, 1e-40])
@pytest.mark.parametrize("eps", [0.0, 1e-5])
def test_constant_input_gives_exactly_zero(name, dtype, value, eps):
    norm = NORMS[name]
    for length in (2, 3, 7, 49, 1000):
        shape = tuple(
            length if axis == (0 if "batch" in name else -1 % len(norm.shape)) else size
            for axis, size in enumerate(norm.shape)
        )
        if name == "groupnorm":
            shape = (3, 4, length)
        channels = shape[1]
        out, cache = norm.forward(
            np.full(shape, value, dtype), np.ones(channels), np.zeros(channels), eps
        )
        assert not out.any()
        dx = norm.backward(np.ones(shape), cache)[0]
        assert np.isfinite(dx).all()


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("power", [-60, -3, 1, 40])
def test_scaling_by_a_power_of_two_gives_the_same_bits(name, dtype, power):
    norm = NORMS[name]
    x, gamma, beta, _ = draw(norm, np.random.RandomState(1), dtype)
    factor = dtype(2.0**power)
    expected, _ = norm.forward(x, gamma, beta, 0.0)
    assert (norm.forward(x * factor, gamma, beta, 0.0)[0] == expected).all()


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_order_and_layout_do_not_change_a_bit(name, dtype):
    norm = NORMS[name]
    rng = np.random.RandomState(2)
    shape = {2: (101, 53), 3: (31, 20, 17), 4: (5, 6, 7, 8)}[len(norm.shape)]
    x, gamma, beta, dout = draw(norm, rng, dtype, mean=3.0, shape=shape)
    out, cache = norm.forward(x, gamma, beta, 1e-5)
    dx, dgamma, dbeta = norm.backward(dout, cache)

    rows = rng.permutation(shape[0])
    # features may go anywhere within a group; a group norm's groups are halves here
    half = shape[1] // 2
    columns = np.r_[rng.permutation(half), half + rng.permutation(shape[1] - half)]
    permuted = np.ix_(rows, columns)
    ours, cache = norm.forward(x[permuted], gamma[columns], beta[columns], 1e-5)
    assert (ours == out[permuted]).all()
    for a, b in zip(
        norm.backward(dout[permuted], cache),
        (dx[permuted], dgamma[columns], None if dbeta is None else dbeta[columns]),
        strict=True,
    ):
        assert b is None or (a == b).all()

    wide = np.zeros((2 * shape[0], *shape[1:]), dtype)
    wide[::2] = x
    for same in (np.asfortranarray(x), wide[::2], x[::-1].copy()[::-1]):
        ours, cache = norm.forward(same, gamma, beta, 1e-5)
        assert (ours == out).all()
        assert (norm.backward(np.asfortranarray(dout), cache)[0] == dx).all()


@pytest.mark.parametrize("name", NORMS)
def test_inputs_stay_untouched_and_nothing_is_aliased(name):
    norm = NORMS[name]
    x, gamma, beta, dout = draw(norm, np.random.RandomState(3))
    before = [array.copy() for array in (x, gamma, beta, dout)]
    out, cache = norm.forward(x, gamma, beta, 1e-5)
    first = [None if g is None else g.copy() for g in norm.backward(dout, cache)]
    second = norm.backward(dout, cache)  # twice the same: the cache is read, never spent
    for array, copy in zip((x, gamma, beta, dout), before, strict=True):
        assert (array == copy).all()
        assert not np.shares_memory(out, array)
    for a, b in zip(first, second, strict=True):
        assert a is None or ((a == b).all() and not np.shares_memory(b, dout))


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_group(name, bad):
    norm = NORMS[name]
    x, gamma, beta, dout = draw(norm, np.random.RandomState(4))
    clean, clean_cache = norm.forward(x, gamma, beta, 1e-5)
    clean_dx = norm.backward(dout, clean_cache)[0]
    poisoned = x.copy()
    spot = (1,) * x.ndim
    poisoned[spot] = bad
    if "batchnorm" in name:
        with pytest.warns(match="kept as they were"):
            out, cache = norm.forward(poisoned, gamma, beta, 1e-5)
    else:
        out, cache = norm.forward(poisoned, gamma, beta, 1e-5)
    dx = norm.backward(dout, cache)[0]
    (group,) = [set(group) for group in norm.groups(x.shape) if spot in group]
    for index in np.ndindex(*x.shape):
        if index in group:
            assert np.isnan(out[index])
            assert np.isnan(dx[index])
        else:
            assert out[index] == clean[index]
            assert dx[index] == clean_dx[index]


@given(
    st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=40), st.randoms(use_true_random=False)
)
@settings(max_examples=300, deadline=None)
def test_order_free_sum_is_exact_to_the_last_bits_in_any_order(terms, random):
    array = np.array(terms)
    total = float(order_free_sum(array, 0))
    # beyond the two cuts at most 2**-80 of the largest term is lost, a term; then one rounding
    bound = len(terms) * 2.0**-80 * np.abs(array).max() + np.spacing(abs(math.fsum(terms)))
    assert abs(total - math.fsum(terms)) <= bound
    random.shuffle(terms)
    assert float(order_free_sum(np.array(terms), 0)) == total


def test_a_nan_batch_does_not_poison_running_statistics():
    rng = np.random.RandomState(5)
    bn_param = {"mode": "train"}
    gamma, beta = np.ones(3), np.zeros(3)
    batchnorm_forward(rng.randn(10, 3), gamma, beta, bn_param)
    before = {name: bn_param[name].copy() for name in ("running_mean", "running_var")}
    batch = rng.randn(10, 3)
    batch[4, 1] = np.nan
    with pytest.warns(RuntimeWarning, match="1 of 3 features"):
        batchnorm_forward(batch, gamma, beta, bn_param)
    for name, old in before.items():
        assert bn_param[name][1] == old[1]  # the poisoned feature kept its own
        assert (bn_param[name][[0, 2]] != old[[0, 2]]).all()  # the others moved on
    out, _ = batchnorm_forward(rng.randn(10, 3), gamma, beta, bn_param | {"mode": "test"})
    assert np.isfinite(out).all()


@pytest.mark.parametrize("name", [name for name in NORMS if NORMS[name].centred])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mean", [0.0, 1e6])
def test_a_constant_upstream_gradient_gives_exactly_no_gradient(name, dtype, mean):
    """Σ xhat is 0: but for rounding, by which a large mean of dout must not be multiplied."""
    norm = NORMS[name]
    x, _, beta, dout = draw(norm, np.random.RandomState(6), dtype, mean)
    dout[:] = 12345.678
    gamma = np.full_like(beta, 0.7)
    _, cache = norm.forward(x, gamma, beta, 1e-5)
    dx, dgamma, _ = norm.backward(dout, cache)
    assert not dx.any()
    if "batch" in name:  # elsewhere dgamma adds up over parts of what has mean 0
        assert not dgamma.any()


@pytest.mark.parametrize("name", NORMS)
def test_subnormal_float64_loses_no_digits_that_it_has(name):
    norm = NORMS[name]
    rng = np.random.RandomState(7)
    _, gamma, beta, dout = draw(norm, rng)
    x = rng.randint(-100, 101, size=norm.shape) * 5e-324
    with np.errstate(over="ignore"):  # 1 / std is beyond float64, and dx with it
        out, _ = norm.forward(x, gamma, beta * 0, 0.0)
    assert error(out, exact(norm, x, gamma, beta * 0, 0.0, dout)[0]) <= 1e-15
    for eps in (1e-12, 1.0):
        _, dx, _, _ = exact(norm, x, gamma, beta, eps, dout)
        _, cache = norm.forward(x, gamma, beta, eps)
        assert error(norm.backward(dout * 2.0**-100, cache)[0] * 2.0**100, dx) <= 1e-14


def test_gamma_over_std_may_leave_the_range_of_float64_where_dx_does_not():
    x, gamma = np.array([[1.0], [2.0], [4.0]]) * 1e-290, np.array([1e30])
    _, cache = batchnorm_forward(x, gamma, np.zeros(1), {"mode": "train", "eps": 0.0})
    for backward in (layers.batchnorm_backward, layers.batchnorm_backward_alt):
        dx = backward(np.array([[1.0], [0.0], [0.0]]) * 1e-40, cache)[0]
        assert np.isfinite(dx).all()
        assert dx.any()
