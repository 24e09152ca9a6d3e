"""Slopes measured on a ladder of steps, against slopes known on paper."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from normlab.gradcheck.slopes import measure_slope, rounding_unit

EPS = 2.0**-52


def slope_of(phi, target=1e-9, size=1.0):
    return measure_slope(phi, phi(0.0), eps=EPS, size=size, target=target)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=5))
def test_the_uncertainty_covers_the_error(coefficients):
    polynomial = np.polynomial.Polynomial(coefficients)
    slope = slope_of(lambda t: float(polynomial(t)), size=sum(map(abs, coefficients)))
    assert abs(slope.value - coefficients[1]) <= slope.uncertainty + 1e-15
    assert slope.uncertainty < 1e-6


@pytest.mark.parametrize("wiggle", [1.0, 30.0, 1000.0])
def test_a_fast_function_gets_a_small_step(wiggle):
    slope = slope_of(lambda t: math.sin(wiggle * t) / wiggle, target=1e-7)
    assert slope.value == pytest.approx(1.0, abs=1e-7)
    assert slope.step < 1 / wiggle


@pytest.mark.parametrize("distance", [1e-2, 1e-3, 1e-5])
def test_a_corner_beside_the_point_is_stepped_under(distance):
    slope = slope_of(lambda t: 2 * t + max(t - distance, 0.0))
    assert slope.value == pytest.approx(2.0, abs=1e-8)
    assert slope.step < 2 * distance
    assert not slope.corner


@pytest.mark.parametrize("distance", [0.0, 1e-12])
def test_a_corner_at_the_point_is_flagged_and_half_the_jump_is_the_doubt(distance):
    slope = slope_of(lambda t: 2 * t + max(t - distance, 0.0))
    assert slope.corner
    assert slope.uncertainty == pytest.approx(0.5, rel=1e-2)  # slopes 2 and 3


def test_a_domain_with_an_edge_is_met_with_smaller_steps():
    slope = slope_of(lambda t: math.log(1e-2 + t) if t > -1e-2 else math.nan, target=1e-6)
    assert slope.value == pytest.approx(100.0, abs=1e-5)


def test_a_function_that_is_nowhere_finite_has_no_slope():
    assert math.isinf(
        measure_slope(lambda _: math.nan, 0.0, eps=EPS, size=1.0, target=1e-9).uncertainty
    )


def test_noise_is_not_called_a_slope():
    # a constant with rounding noise: its difference quotients are noise, and lie under the floor
    rng = np.random.default_rng(0)
    slope = slope_of(lambda _: 1.0 + EPS * rng.integers(-4, 5), target=0.0)
    assert abs(slope.value) <= slope.floor
    assert not slope.corner


def row(phi):
    return [phi(0.3 + step * 2.0**-25) for step in range(4)]


def test_arithmetic_is_known_by_its_values():
    smooth = row(lambda t: math.exp(20 * t))
    assert rounding_unit(smooth, size=1.0) == 2.0**-52
    assert rounding_unit([float(np.float32(value)) for value in smooth], size=1.0) == 2.0**-23
    assert rounding_unit([0.0] * 4, size=0.0) == 2.0**-52
    # float32 inside, float64 outside
    mixed = rounding_unit(row(lambda t: math.log(np.float32(math.exp(7 * t)))), size=2.1)
    assert 1e-9 < mixed < 1e-6
