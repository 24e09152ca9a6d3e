"""Intervals against cases done by hand, against coverage on made-up samples, and at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from normlab.studies.statistics import band, bands, effect_interval, median_interval


def test_the_effect_is_the_mean_and_the_interval_never_narrower_than_students() -> None:
    values = [0.1, 0.2, 0.4, 0.1, 0.3]
    estimate = effect_interval(values)
    student = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert estimate.centre == pytest.approx(np.mean(values))
    assert estimate.low <= student.low
    assert estimate.high >= student.high


def test_two_seeds_as_students_interval_has_it_by_hand() -> None:
    # mean 2, standard error 1, and 12.706 is Student's 97.5 % quantile with one degree of freedom
    estimate = effect_interval([1.0, 3.0])
    assert (estimate.low, estimate.high) == (
        pytest.approx(2 - 12.706, abs=1e-3),
        pytest.approx(2 + 12.706, abs=1e-3),
    )


def test_a_single_seed_has_no_interval() -> None:
    estimate = effect_interval([0.3])
    assert estimate.centre == pytest.approx(0.3)
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)


def test_equal_values_have_an_interval_of_no_width() -> None:
    estimate = effect_interval([0.25] * 4)
    assert (estimate.low, estimate.high) == (0.25, 0.25)


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("draw", ["normal", "exponential"])
def test_intervals_cover_the_true_mean(seeds: int, draw: str) -> None:
    rng = np.random.default_rng(20240601)
    repeats = 300
    sample = getattr(rng, draw)
    truth = 0.0 if draw == "normal" else 1.0
    covered = 0
    for _ in range(repeats):
        estimate = effect_interval(sample(size=seeds))
        covered += estimate.low <= truth <= estimate.high
    # Nominal are 95 %; 300 repeats scatter by 1.3 %. A skewed sample of three costs every method
    # some coverage; the plain percentile bootstrap would be at 75 %.
    assert covered / repeats >= (0.92 if draw == "normal" else 0.86)


def test_the_same_values_always_give_the_same_interval() -> None:
    values = np.random.default_rng(1).normal(size=7)
    assert effect_interval(values) == effect_interval(values)


def test_bands_agree_however_they_are_grouped() -> None:
    values = np.random.default_rng(2).normal(size=(6, 5))
    centre, low, high = band(values)
    grouped = bands([list(column) for column in values.T])
    np.testing.assert_allclose(grouped, np.array([centre, low, high]))
    assert np.all(low < centre)
    assert np.all(centre < high)
    assert np.all(low >= values.min(axis=0))  # resampled means cannot leave the sample


def test_bands_of_groups_of_different_sizes() -> None:
    centre, low, _ = bands([[1.0, 2.0, 3.0], [5.0], []])
    assert centre[:2] == (2.0, 5.0)
    assert low[0] >= 1.0
    assert math.isnan(low[1])
    assert math.isnan(centre[2])


def test_a_column_with_a_diverged_run_is_summed_up_by_its_median() -> None:
    values = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, np.nan]])
    centre, low, high = band(values)
    assert centre[0] == 2.0
    assert centre[1] == 2.0  # of 1, 2 and infinity
    assert (low[1], high[1]) == (
        -math.inf,
        math.inf,
    )  # three values say nothing about a median at 95 %


def test_the_median_of_mostly_diverged_runs_is_infinite() -> None:
    assert median_interval([1.0, math.nan, math.inf]).centre == math.inf


def test_the_interval_of_a_median_is_the_one_of_order_statistics() -> None:
    # for n = 10 the 2nd and 9th smallest: 2 P(Binomial(10, 1/2) < 2) = 2.1 % outside, and the 3rd
    # would leave 10.9 %
    estimate = median_interval(list(range(10, 0, -1)))
    assert (estimate.low, estimate.centre, estimate.high) == (2.0, 5.5, 9.0)


def test_an_infinite_effect_is_judged_by_the_median() -> None:
    estimate = effect_interval([5.0, math.inf, 4.0, math.inf, 6.0, 7.0, 8.0])
    assert estimate.centre == 7.0
    assert estimate.low == 4.0
