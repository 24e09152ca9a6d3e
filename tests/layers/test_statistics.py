"""The sum without an order and its scale, where their last bits show."""

import math

import numpy as np
import pytest

from normlab.layers.statistics import centred_moments, order_free_sum, power_of_two_above


@pytest.mark.parametrize("n", [3, 10, 100, 1000, 4096])
def test_what_a_cancelling_pair_leaves_is_summed_within_its_bound_and_in_any_order(n):
    """1 and -1 push the small terms, of full 53-bit precision, below the first cut: the second alone decides."""
    rng = np.random.RandomState(n)
    length = (n - 1).bit_length()
    small = 2.0 ** (length - 53) * rng.uniform(-1, 1, n - 2)
    terms = np.r_[1.0, -1.0, small]
    total = float(order_free_sum(terms, 0))
    # the second cut's half unit for each term; then one rounding
    bound = n * 2.0 ** (2 * length - 105) + np.spacing(abs(total))
    assert abs(total - math.fsum(small)) <= bound
    for _ in range(20):
        assert float(order_free_sum(rng.permutation(terms), 0)) == total


def test_a_million_terms_keep_the_promise_for_a_million():
    """The worst case: one large term, and all others just small enough to be lost."""
    terms = np.full(2**20, 0.9 * 2.0**-66)
    terms[0] = 0.75
    assert abs(float(order_free_sum(terms, 0)) - math.fsum(terms)) <= 2.0**-45 * 0.75


@pytest.mark.parametrize(
    "largest", [5e-324, 1e-310, 2.0**-1022, 1e-200, 0.5, 0.75, 1.0, 1e200, 1.7976931348623157e308]
)
def test_the_scale_is_a_power_of_two_that_brings_values_into_one_and_back(largest):
    scale = float(power_of_two_above(np.array(largest)))
    assert math.frexp(scale)[0] == 0.5
    assert 0 < largest * scale < 1
    assert largest * scale / scale == largest
    if (
        largest > 1e-150
    ):  # smaller ones are not brought up all the way: their scale would leave float64
        assert largest * scale >= 0.5


@pytest.mark.parametrize("largest", [0.0, np.nan, np.inf])
def test_what_has_no_scale_is_left_as_it_is(largest):
    assert power_of_two_above(np.array(largest)) == 1


def test_each_sum_is_cut_by_its_own_largest_term():
    rows = np.random.RandomState(0).standard_normal((3, 50)) * np.array([[1e200], [1.0], [1e-200]])
    together = order_free_sum(rows, 1)
    assert together.tolist() == [float(order_free_sum(row, 0)) for row in rows]


@pytest.mark.parametrize(
    "smallest", [2**46, 2**51 - 2**46]
)  # all sizes; and two clusters, whose squares are all alike
@pytest.mark.parametrize("unit", [1.0, 5e-324])
@pytest.mark.parametrize("n", [2, 3, 4, 5, 7, 9, 100])
def test_moments_of_few_and_of_tiny_numbers_are_free_of_order_too(n, unit, smallest):
    rng = np.random.RandomState(n)
    for _ in range(30):
        x = rng.randint(smallest, 2**51, n) * rng.choice([-1, 1], n) * unit
        first, again = centred_moments(x, 0), centred_moments(rng.permutation(x), 0)
        assert (first.v, first.mean) == (again.v, again.mean)


@pytest.mark.parametrize(
    "terms", [[np.nan, 1.0], [np.inf, 1.0], [np.inf, -np.inf], [1.7e308, 1.7e308]]
)
def test_a_sum_that_is_no_number_is_nan_and_no_flag(terms):
    with np.errstate(all="raise"):
        assert np.isnan(order_free_sum(np.array(terms), 0))
