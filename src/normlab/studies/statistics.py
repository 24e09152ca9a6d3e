"""Centres and intervals over seeds. SciPy computes; this file says what is computed, and why.

Verdicts rest on the hull of two intervals for a mean: Student's, and Hall's (On the removal of
skewness by transformation, 1992), which follows the sample's skewness. Student's alone misses the
mean of ten exponential draws one time in ten; the hull covers normal, skewed and gridded effects
alike (tests/studies/test_coverage.py). An accuracy is counted on a grid of examples, so that a few
seeds may agree by coincidence: half a step of the grid is added at each end.

Bands of figures are expanded percentile bootstraps (Hesterberg, What teachers should know about the
bootstrap, 2015, section 5.3): the percentiles that a normal sample of this size would need.

Where runs diverged, a loss may be infinite or NaN and a mean says nothing. Then the centre is the
median, and a diverged run counts as worse than any other, never as missing. Where runs fail to
learn, a mean over all of them is the mean of two different things: how many learned has an exact
interval (Clopper and Pearson, 1934), and the mean is of those that did (`claims`).
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from normlab.typing import Array

CONFIDENCE = 0.95
RESAMPLES = 999
RESAMPLING_SEED = 0  # the interval of the same values is the same interval, on every page


@dataclass(frozen=True)
class Estimate:
    """A centre and its interval at 95 % confidence; the interval of a single value is not known (NaN)."""

    centre: float
    low: float
    high: float


def band(values: Array) -> tuple[Array, Array, Array]:
    """Centre, low and high over the seeds (axis 0) of values (seeds, …), each with the remaining shape.

    Finite columns: mean and expanded percentile bootstrap. Columns with a run that diverged:
    median, with the order statistics of `median_interval`. One seed: low and high are NaN.
    """
    values = np.asarray(values, dtype=float)
    n = values.shape[0]
    flat = values.reshape(n, -1)
    centre, low, high = (np.full(flat.shape[1], np.nan) for _ in range(3))
    finite = np.isfinite(flat).all(axis=0)
    if finite.any():
        centre[finite] = flat[:, finite].mean(axis=0)
        low[finite], high[finite] = _bootstrap_of_mean(flat[:, finite])
    for column in np.flatnonzero(~finite):
        estimate = median_interval(flat[:, column])
        centre[column], low[column], high[column] = estimate.centre, estimate.low, estimate.high
    shape = values.shape[1:]
    return centre.reshape(shape), low.reshape(shape), high.reshape(shape)


def bands(
    groups: Sequence[Sequence[float]],
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Centre, low and high of each group of values, NaN for an empty one; groups of one size at once."""
    centre, low, high = ([math.nan] * len(groups) for _ in range(3))
    for size in {len(group) for group in groups} - {0}:
        indices = [index for index, group in enumerate(groups) if len(group) == size]
        bounds = band(np.array([groups[index] for index in indices]).T)
        for column, index in enumerate(indices):
            centre[index], low[index], high[index] = (float(bound[column]) for bound in bounds)
    return tuple(centre), tuple(low), tuple(high)


def effect_interval(
    effects: Sequence[float], confidence: float = CONFIDENCE, step: float = 0.0
) -> Estimate:
    """The centre of paired differences, one a seed, with the interval that verdicts rest on.

    `step` is the distance of neighbouring values where they lie on a grid.
    """
    values = np.asarray(effects, dtype=float)
    if not np.isfinite(values).all():
        return median_interval(values, confidence)
    centre = float(values.mean())
    if len(values) < 2:
        return Estimate(centre, math.nan, math.nan)
    quantile = _student(confidence, len(values))
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    low, high = centre - quantile * error, centre + quantile * error
    if len(values) > 2 and error > 0:
        skewed = _hall(values, quantile)
        low, high = min(low, skewed[0]), max(high, skewed[1])
    return Estimate(centre, low - step / 2, high + step / 2)


def p_value(effects: Sequence[float], margin: float, step: float = 0.0) -> float:
    """Two-sided, that the effect is the margin: Student's test, or the sign test where a value is not finite.

    >>> p_value([1.0, 1.0, 1.0], 1.0), p_value([2.0, 2.0, 2.0], 1.0)
    (1.0, 0.0)
    """
    from scipy import stats

    values = np.asarray(effects, dtype=float)
    if len(values) < 2:
        return math.nan
    if not np.isfinite(values).all():
        above = int(np.sum(np.where(np.isnan(values), np.inf, values) > margin))
        return float(stats.binomtest(above, len(values)).pvalue)
    distance = max(abs(float(values.mean()) - margin) - step / 2, 0.0)
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    if error == 0:
        return 0.0 if distance > 0 else 1.0
    return float(2 * stats.t.sf(distance / error, len(values) - 1))


def holm(values: Sequence[float]) -> tuple[float, ...]:
    """p-values adjusted for being many, after Holm (1979); NaN stays NaN.

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    order = sorted((p, index) for index, p in enumerate(values) if not math.isnan(p))
    adjusted = [math.nan] * len(values)
    highest = 0.0
    for rank, (p, index) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p))
        adjusted[index] = highest
    return tuple(adjusted)


def share_interval(successes: int, trials: int, confidence: float = CONFIDENCE) -> Estimate:
    """A share and its exact interval (Clopper and Pearson).

    >>> all_of_ten = share_interval(10, 10)
    >>> round(all_of_ten.low, 3), all_of_ten.high
    (0.692, 1.0)
    """
    from scipy import stats

    interval = stats.binomtest(successes, trials).proportion_ci(confidence, method="exact")
    return Estimate(successes / trials, float(interval.low), float(interval.high))


def shares_differ(one: tuple[int, int], other: tuple[int, int]) -> float:
    """The p-value of Fisher's exact test that two shares, each (successes, trials), are the same."""
    from scipy import stats

    table = [[successes, trials - successes] for successes, trials in (one, other)]
    return float(stats.fisher_exact(table).pvalue)


@functools.cache
def _student(confidence: float, n: int) -> float:
    from scipy import stats

    return float(stats.t.ppf((1 + confidence) / 2, n - 1))


def _hall(values: Array, quantile: float) -> tuple[float, float]:
    """Hall's interval: Student's statistic, made symmetric by a cubic that depends on the skewness, and back."""
    n, centre = len(values), float(values.mean())
    deviation = float(values.std(ddof=1))
    cubes = float(np.mean((values - centre) ** 3)) / float(values.std()) ** 3
    skewness = math.sqrt(n * (n - 1)) / (n - 2) * cubes
    if abs(skewness) < 1e-9:
        return (
            centre - quantile * deviation / math.sqrt(n),
            centre + quantile * deviation / math.sqrt(n),
        )

    def back(y: float) -> float:
        inside = 1 + skewness * (y / math.sqrt(n) - skewness / (6 * n))
        return 3 / skewness * (math.cbrt(inside) - 1)

    return centre - deviation * back(quantile), centre - deviation * back(-quantile)


def median_interval(values: Sequence[float] | Array, confidence: float = CONFIDENCE) -> Estimate:
    """The median and its exact interval from order statistics, with NaN counted as plus infinity.

    The interval from the k-th smallest to the k-th largest of n values misses the median with
    probability 2 P(Binomial(n, 1/2) < k), whatever the distribution; k is the largest that keeps it
    at 5 % (1 - confidence). Below six values there is none, and the interval is the whole line.
    """
    from scipy import stats

    ordered = np.sort(np.where(np.isnan(values), np.inf, values))
    n = len(ordered)
    middle = ordered[(n - 1) // 2], ordered[n // 2]
    centre = float(middle[0]) if middle[0] == middle[1] else float(sum(middle) / 2)
    k = int(stats.binom.ppf((1 - confidence) / 2, n, 0.5))
    if k < 1:
        return Estimate(centre, -math.inf, math.inf)
    return Estimate(centre, float(ordered[k - 1]), float(ordered[n - k]))


def _bootstrap_of_mean(values: Array) -> tuple[Array, Array]:
    """Expanded percentile bounds for the mean of each column of finite values (seeds, columns)."""
    from scipy import stats

    n = values.shape[0]
    if n < 2:
        return (np.full(values.shape[1], np.nan),) * 2
    # the normal quantile that stands for Student's at this n, and for the variance's missing n / (n
    # - 1)
    quantile = math.sqrt(n / (n - 1)) * _student(CONFIDENCE, n)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", stats.DegenerateDataWarning
        )  # equal values: an interval of width 0
        interval = stats.bootstrap(
            (values,),
            np.mean,
            axis=0,
            n_resamples=RESAMPLES,
            confidence_level=1 - 2 * stats.norm.sf(quantile),
            method="percentile",
            rng=np.random.default_rng(RESAMPLING_SEED),
        ).confidence_interval
    return interval.low, interval.high
