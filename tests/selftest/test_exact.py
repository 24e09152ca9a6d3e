"""The exact reference is exact: against Python's fractions, and against fifty digits on the tests' own norms."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normlab.selftest.exact import Exact, larger, ratios
from normlab.selftest.inputs import Case, cases
from normlab.selftest.reference import Quantity, error, truth
from tests.layers.norms import NORMS, exact

FLOATS = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6)


def fractions(number: Exact) -> list[Fraction]:
    return [Fraction(int(whole)) * Fraction(2) ** number.exponent for whole in number.integers.flat]


@given(FLOATS, FLOATS)
@settings(max_examples=200, deadline=None)
def test_sums_differences_and_products_are_those_of_fractions(a, b):
    a, b = a[: len(b)], b[: len(a)]
    x, y = Exact.of(np.array(a)), Exact.of(np.array(b))
    pairs = [(Fraction(p), Fraction(q)) for p, q in zip(a, b, strict=True)]
    assert fractions(x + y) == [p + q for p, q in pairs]
    assert fractions(x - y) == [p - q for p, q in pairs]
    assert fractions(x * y) == [p * q for p, q in pairs]
    assert fractions(abs(x)) == [abs(p) for p, _ in pairs]
    assert fractions(larger(x, y)) == [max(pair) for pair in pairs]
    assert fractions(x.sum((0,))) == [sum(p for p, _ in pairs)]
    assert fractions(x.max((0,))) == [max(p for p, _ in pairs)]


@given(
    st.lists(st.floats(min_value=0, allow_infinity=False), min_size=1, max_size=6),
    st.integers(1, 10**6),
)
@settings(max_examples=200, deadline=None)
def test_the_reciprocal_root_has_more_than_150_bits(values, numerator):
    x = Exact.of(np.array(values))
    for root, value in zip(fractions(x.reciprocal_root(numerator)), values, strict=True):
        if value == 0:
            assert root == 0
        else:
            assert abs(root * root * Fraction(value) / numerator - 1) < Fraction(1, 2**150)


def test_ratios_are_rounded_once_and_know_infinity():
    one, three, none = (Exact.of(np.array([value])) for value in (1.0, 3.0, 0.0))
    assert ratios(one, three) == [1 / 3]
    assert ratios(none, none) == [0.0]
    assert ratios(one, none) == [float("inf")]


CANONICAL = {
    "batch norm": ("batchnorm", (7, 4), 1),
    "layer norm": ("layernorm", (4, 7), 1),
    "RMS norm": ("rmsnorm", (4, 7), 1),
    "group norm": ("groupnorm", (2, 6, 5), 2),
    "instance norm": ("instancenorm", (2, 3, 5), 3),
}


@pytest.mark.parametrize("name", CANONICAL)
@pytest.mark.parametrize("eps", [0.0, 1e-5])
@pytest.mark.parametrize("mean", [0.0, 1e7])
def test_the_reference_is_the_definition_in_fifty_digits(name, eps, mean):
    """`tests/layers/norms.py` walks over indices and differentiates by the full Jacobian; nothing is shared with it."""
    norm, shape, groups = CANONICAL[name]
    rng = np.random.RandomState(0)
    x = (rng.standard_normal(shape) + mean).astype(np.float32)
    gamma, beta = rng.standard_normal((2, shape[1])).astype(np.float32)
    beta = beta * (name != "RMS norm")
    dout = rng.standard_normal(shape).astype(np.float32)
    true = truth(Case(name, x, gamma, beta, dout, eps, groups, ""))
    with mpmath.workdps(50):
        for ours, theirs in zip(
            true[:4], exact(NORMS[norm], x, gamma, beta, eps, dout), strict=True
        ):
            values = [
                mpmath.mpf(int(whole)) * mpmath.mpf(2) ** ours.values.exponent
                for whole in ours.values.integers.flat
            ]
            largest = max(map(abs, theirs.flat))
            for a, b in zip(values, theirs.flat, strict=True):
                assert abs(a - b) <= largest * mpmath.mpf(10) ** (-33 if mean else -45)


def quantity(values, terms=None) -> Quantity:
    values = Exact.of(np.array(values, dtype=np.float64))
    none = Exact.of(np.array([0.0]))
    return Quantity(values, none if terms is None else Exact.of(np.array([terms])), none, (0,))


def test_the_measure_is_the_largest_error_over_the_largest_value():
    assert error(np.array([1.0, 2.5, -4.0]), quantity([1.0, 2.0, -4.0])) == 0.125
    assert (
        error(np.array([[1.0], [2.0]]), quantity([1.0, 2.0])) == 0
    )  # the shape is the reference's
    # a sum that cancels is measured by an eighth of its terms in float64, a millionth in float32
    assert error(np.array([3.0]), quantity([1.0], terms=80.0)) == 0.2
    assert error(np.array([3.0], np.float32), quantity([1.0], terms=80.0)) == 2.0


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_infinitely_wrong_where_the_truth_is(wrong):
    assert error(np.array([1.0, wrong], np.float32), quantity([1.0, 2.0])) == np.inf


def test_a_truth_beyond_the_type_is_infinity_of_its_sign():
    true = quantity([1e39, 1.0])
    assert error(np.array([np.inf, 1.0], np.float32), true) == 0
    for wrong in (-np.inf, 1e38, np.nan):
        assert error(np.array([wrong, 1.0], np.float32), true) == np.inf


def test_infinity_is_within_an_error_that_is_beyond_the_range_but_nan_is_not():
    true = quantity([3.0, 1.0], terms=1e70)
    assert error(np.array([np.inf, 1.0], np.float32), true) < 1e-6
    assert error(np.array([np.nan, 1.0], np.float32), true) == np.inf


def test_below_the_normal_numbers_half_a_unit_is_no_error_to_speak_of():
    assert error(np.array([1e-45], np.float32), quantity([1.2e-45])) < 6e-8


def test_the_inputs_are_the_same_for_the_same_seed_and_cover_what_they_say():
    first, second = list(cases(260)), list(cases(260))
    for a, b in zip(first, second, strict=True):
        assert a.words == b.words
        assert all(np.array_equal(p, q) for p, q in zip(a[1:5], b[1:5], strict=True))
    assert len({case.words.split(" ")[0] for case in first}) == 5
    assert {case.x.dtype.name for case in first} == {"float32", "float64"}
    assert {case.eps for case in first} == {0.0, 1e-12, 1e-5, 1e-3, 1.0}
    assert any(not case.x.flags.c_contiguous for case in first)
    assert all(np.isfinite(case.x).all() and np.isfinite(case.dout).all() for case in first)
    for what in (
        "subnormal",
        "one ulp",
        "far from zero",
        "outliers",
        "ramp",
        "alternating",
        "gamma zero",
        "gamma huge",
    ):
        assert any(what in case.words for case in first)
    assert min(np.abs(case.x[case.x != 0]).min(initial=1) for case in first) < 1e-40
    assert max(np.abs(case.x).max() for case in first if case.x.dtype == np.float32) > 1e37
