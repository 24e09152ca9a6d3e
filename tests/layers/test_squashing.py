"""Dynamic Tanh and Dynamic erf: every gradient against 50 digits, and what a squashing promises."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from normlab.errors import ShapeError
from normlab.layers import norms
from normlab.layers.derf import derf_forward, erf, gaussian
from normlab.layers.dyt import dyt_backward, dyt_forward

SQUASHES = {
    "dyt": (mpmath.tanh, 1),
    "derf": (mpmath.erf, 2),
}  # the function, and how many scalars it has
BOUNDS = {np.float32: 1e-6, np.float64: 1e-14}
each = pytest.mark.parametrize("name", SQUASHES)


def draw(name, rng, dtype=np.float64, scale=1.0, shape=(5, 4)):
    """x, the layer's parameters and dout, for one net or a stack of them."""
    stack, D = shape[:-2], shape[-1]
    scalars = [rng.uniform(0.3, 1.5, (*stack, 1)) for _ in range(SQUASHES[name][1])]
    gamma, beta = rng.standard_normal((2, *stack, D))
    x, dout = scale * rng.standard_normal(shape), rng.standard_normal(shape)
    return tuple(a.astype(dtype) for a in (x, *scalars, gamma, beta, dout))


def exact(name, x, *rest):
    """y and all gradients, entry by entry in 50 digits; mpmath differentiates the squashing."""
    squash, count = SQUASHES[name]
    number = np.vectorize(lambda value: mpmath.mpf(float(value)), otypes=[object])
    X, (*scalars, gamma, beta, dout) = number(x), (number(a) for a in rest)
    alpha, s = scalars[0][0], scalars[1][0] if count == 2 else mpmath.mpf(0)
    value = np.vectorize(squash, otypes=[object])
    slope = np.vectorize(lambda z: mpmath.diff(squash, z), otypes=[object])
    Z = alpha * X + s
    dZ = dout * gamma * slope(Z)
    of_scalars = [np.array([(dZ * X).sum()]), np.array([dZ.sum()])][:count]
    return gamma * value(Z) + beta, (alpha * dZ, *of_scalars, (dout * value(Z)).sum(0), dout.sum(0))


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 4.0, 30.0])
def test_error_against_fifty_digits(name, dtype, scale):
    x, *parameters, dout = draw(name, np.random.RandomState(0), dtype, scale)
    with mpmath.workdps(50):
        y, gradients = exact(name, x, *parameters, dout)
        out, cache = norms.BY_NAME[name].forward(x, *parameters, {})
        ours = norms.BY_NAME[name].backward(dout, cache)
        for mine, true in zip((out, *ours), (y, *gradients), strict=True):
            largest = max(abs(value) for value in true.flat)
            wrong = max(
                abs(mpmath.mpf(float(a)) - b) for a, b in zip(mine.flat, true.flat, strict=True)
            )
            assert mine.dtype == dtype
            if largest > np.finfo(dtype).tiny:
                assert wrong <= BOUNDS[dtype] * largest


@each
def test_no_digits_are_lost_where_the_squashing_is_nearly_flat(name):
    """1 - t² would be 0 from alpha * x = 19 on; the slope there is small, with all its digits."""
    one, zero = np.ones(1), np.zeros(1)
    scalars = (one, zero)[: SQUASHES[name][1]]
    for x in (3.0, 5.5, 19.5, 26.0):
        _, cache = norms.BY_NAME[name].forward(np.full((1, 1), x), *scalars, one, zero, {})
        dx = norms.BY_NAME[name].backward(np.ones((1, 1)), cache)[0]
        with mpmath.workdps(50):
            true = (
                mpmath.sech(x) ** 2
                if name == "dyt"
                else 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-(x**2))
            )
        assert dx[0, 0] == pytest.approx(float(true), rel=1e-14)


@each
def test_a_stack_gives_each_net_what_it_gets_alone(name):
    stacked = draw(name, np.random.RandomState(1), shape=(3, 5, 4))
    norm = norms.BY_NAME[name]
    out, cache = norm.forward(*stacked[:-1], {})
    gradients = norm.backward(stacked[-1], cache)
    for m in range(3):
        x, *parameters, dout = (a[m] for a in stacked)
        alone, own = norm.forward(x, *parameters, {})
        assert (out[m] == alone).all()
        for a, b in zip(gradients, norm.backward(dout, own), strict=True):
            assert (a[m] == b).all()


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_order_and_layout_do_not_change_a_bit(name, dtype):
    rng, norm = np.random.RandomState(2), norms.BY_NAME[name]
    x, *scalars, gamma, beta, dout = draw(name, rng, dtype, shape=(101, 53))
    out, cache = norm.forward(x, *scalars, gamma, beta, {})
    dx, *of_scalars, dgamma, dbeta = norm.backward(dout, cache)
    rows, columns = rng.permutation(101), rng.permutation(53)
    moved = np.ix_(rows, columns)
    ours, cache = norm.forward(x[moved], *scalars, gamma[columns], beta[columns], {})
    gradients = norm.backward(dout[moved], cache)
    assert (ours == out[moved]).all()
    expected = (dx[moved], *of_scalars, dgamma[columns], dbeta[columns])
    for a, b in zip(gradients, expected, strict=True):
        assert (a == b).all()
    fortran, cache = norm.forward(np.asfortranarray(x), *scalars, gamma, beta, {})
    assert (fortran == out).all()
    assert (norm.backward(np.asfortranarray(dout), cache)[0] == dx).all()


@each
@pytest.mark.parametrize("power", [-60, -1, 3, 40])
def test_alpha_takes_up_a_power_of_two_of_x(name, power):
    norm = norms.BY_NAME[name]
    x, alpha, *rest, _ = draw(name, np.random.RandomState(3))
    expected, _ = norm.forward(x, alpha, *rest, {})
    assert (norm.forward(x * 2.0**power, alpha / 2.0**power, *rest, {})[0] == expected).all()


@each
def test_with_a_small_alpha_it_is_the_identity(name):
    """tanh(z) and erf(z) begin with z and 2 / sqrt(π) * z; what follows is z³ / 3 at most."""
    slope = {"dyt": 1.0, "derf": 2 / math.sqrt(math.pi)}[name]
    x, alpha = np.random.RandomState(4).uniform(-1, 1, (6, 3)), 1e-5
    scalars = (np.full(1, alpha), np.zeros(1))[: SQUASHES[name][1]]
    gamma = np.full(3, 1 / (slope * alpha))
    out, _ = norms.BY_NAME[name].forward(x, *scalars, gamma, np.zeros(3), {})
    np.testing.assert_allclose(out, x, rtol=alpha**2, atol=0)


@each
def test_what_is_not_finite_stays_in_its_place(name):
    norm = norms.BY_NAME[name]
    x, *scalars, gamma, beta, dout = draw(name, np.random.RandomState(5))
    clean, cache = norm.forward(x, *scalars, gamma, beta, {})
    clean_dx = norm.backward(dout, cache)[0]
    for bad, squashed in ((np.inf, 1.0), (-np.inf, -1.0), (1e308, 1.0), (np.nan, np.nan)):
        x[1, 1] = bad
        out, cache = norm.forward(x, *scalars, gamma, beta, {})
        dx, *gradients = norm.backward(dout, cache)
        np.testing.assert_equal(out[1, 1], gamma[1] * squashed + beta[1])
        np.testing.assert_equal(abs(dx[1, 1]), 0 * abs(squashed))
        elsewhere = np.arange(x.size).reshape(x.shape) != x.shape[1] + 1
        assert (out[elsewhere] == clean[elsewhere]).all()
        assert (dx[elsewhere] == clean_dx[elsewhere]).all()
        if bad == bad:
            assert all(np.isfinite(gradient).all() for gradient in gradients)


@given(st.floats(allow_nan=False))
def test_erf_is_as_good_as_the_libm_s(z):
    # both are within a few units in the last place, 2.2e-16, of the truth
    assert float(erf(np.array(z))) == pytest.approx(math.erf(z), rel=1.2e-15, abs=1e-320)
    assert float(erf(np.array(-z))) == -float(erf(np.array(z)))
    assert float(gaussian(np.array(z))) == pytest.approx(
        math.exp(-min(z * z, 2000)), rel=1e-12, abs=1e-320
    )


def test_erf_where_its_formulas_meet():
    for seam in (0.46875, 6.0):
        around = np.nextafter(seam, [0, seam, 9])
        assert (np.diff(erf(around)) >= 0).all()
        np.testing.assert_allclose(erf(around), [math.erf(z) for z in around], rtol=4e-16)


def test_a_parameter_of_a_wrong_shape_is_refused():
    one, x = np.ones(1), np.zeros((2, 3))
    with pytest.raises(ShapeError, match=r"alpha of shape \(3,\).*one number for the whole layer"):
        dyt_forward(x, np.ones(3), np.ones(3), np.zeros(3))
    with pytest.raises(ShapeError, match=r"got s of shape \(\)"):
        derf_forward(x, one, np.float64(0), np.ones(3), np.zeros(3))
    with pytest.raises(ShapeError, match="empty batch"):
        dyt_forward(x[:0], one, np.ones(3), np.zeros(3))
    with pytest.raises(ShapeError, match="dout"):
        dyt_backward(np.zeros((2, 2)), dyt_forward(x, one, np.ones(3), np.zeros(3))[1])
