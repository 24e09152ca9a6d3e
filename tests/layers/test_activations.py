"""Activations beside ReLU: values and slopes in 200 digits, symmetry, and what is not finite."""

import mpmath
import numpy as np
import pytest

from normlab.errors import ShapeError
from normlab.layers import activations

EXACT = {"sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)), "tanh": mpmath.tanh}
each = pytest.mark.parametrize("name", EXACT)


@each
@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 6e-8), (np.float64, 1e-15)])
def test_values_and_slopes_have_all_their_digits(name, dtype, bound):
    x = np.concatenate([np.linspace(-30, 30, 121), [1e-30, -1e-9, 80.0, -80.0]]).astype(dtype)
    activation = activations.BY_NAME[name]
    out, cache = activation.forward(x)
    dx = activation.backward(np.ones_like(x), cache)
    assert out.dtype == dx.dtype == dtype
    with mpmath.workdps(200):
        for value, slope, at in zip(out, dx, x, strict=True):
            at = mpmath.mpf(float(at))
            y, dy = EXACT[name](at), mpmath.diff(EXACT[name], at)
            assert abs(mpmath.mpf(float(value)) - y) <= bound * abs(y)
            assert abs(mpmath.mpf(float(slope)) - dy) <= bound * abs(dy) + np.finfo(dtype).tiny


@each
def test_both_sides_are_alike(name):
    x = np.random.RandomState(0).randn(100) * 10
    activation = activations.BY_NAME[name]
    (left, left_slope), (right, right_slope) = activation.forward(-x), activation.forward(x)
    np.testing.assert_allclose(left + right, 1.0 if name == "sigmoid" else 0.0, rtol=1e-15)
    assert (left_slope == right_slope).all()


@each
def test_what_is_not_finite(name):
    activation = activations.BY_NAME[name]
    out, cache = activation.forward(np.array([np.inf, -np.inf, np.nan, 1e308]))
    np.testing.assert_equal(out, [1.0, 0.0 if name == "sigmoid" else -1.0, np.nan, 1.0])
    np.testing.assert_equal(activation.backward(np.ones(4), cache), [0.0, 0.0, np.nan, 0.0])
    with pytest.raises(ShapeError, match="backward pass"):
        activation.backward(np.ones(3), cache)
