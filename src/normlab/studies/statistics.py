"""Centres and intervals over seeds. SciPy computes; this file says what is computed, and why.

Few seeds are the rule here, and a plain percentile bootstrap of few values is too narrow. Two remedies:

* bands widen the percentiles by what a normal sample of this size would need (Hesterberg, What teachers should know
  about the bootstrap, 2015, section 5.3: the expanded percentile interval);
* verdicts rest on the hull of that interval and Student's t interval, so that two or three seeds decide only
  where the effect is many times its own scatter.

Where runs diverged, a loss may be infinite or NaN and a mean says nothing. Then the centre is the median, and a
diverged run counts as worse than any other, never as missing.
"""

from __future__ import annotations

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

    Finite columns: mean and expanded percentile bootstrap. Columns with a run that diverged: median, with
    the order statistics of `median_interval`. One seed: low and high are NaN.
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
    """Centre, low and high of each group of values; groups of one size are computed together. NaN for an empty one."""
    centre, low, high = ([math.nan] * len(groups) for _ in range(3))
    for size in {len(group) for group in groups} - {0}:
        indices = [index for index, group in enumerate(groups) if len(group) == size]
        bounds = band(np.array([groups[index] for index in indices]).T)
        for column, index in enumerate(indices):
            centre[index], low[index], high[index] = (float(bound[column]) for bound in bounds)
    return tuple(centre), tuple(low), tuple(high)


def effect_interval(effects: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """The centre of paired differences, one a seed, with the cautious interval that verdicts rest on."""
    values = np.asarray(effects, dtype=float)
    if not np.isfinite(values).all():
        return median_interval(values)
    if len(values) < 2:
        return Estimate(float(values.mean()), math.nan, math.nan)
    from scipy import stats  # on first use: it takes a third of a second to load

    low, high = (float(bound[0]) for bound in _bootstrap_of_mean(values[:, None], confidence))
    if np.ptp(values) > 0:
        student = stats.ttest_1samp(values, 0.0).confidence_interval(confidence)
        low, high = min(low, float(student.low)), max(high, float(student.high))
    return Estimate(float(values.mean()), low, high)


def median_interval(values: Sequence[float] | Array) -> Estimate:
    """The median and its exact interval from order statistics, with NaN counted as plus infinity.

    The interval from the k-th smallest to the k-th largest of n values misses the median with probability
    2 P(Binomial(n, 1/2) < k), whatever the distribution; k is the largest that keeps it at 5 %. Below six
    values there is none, and the interval is the whole line.
    """
    from scipy import stats

    ordered = np.sort(np.where(np.isnan(values), np.inf, values))
    n = len(ordered)
    middle = ordered[(n - 1) // 2], ordered[n // 2]
    centre = float(middle[0]) if middle[0] == middle[1] else float(sum(middle) / 2)
    k = int(stats.binom.ppf((1 - CONFIDENCE) / 2, n, 0.5))
    if k < 1:
        return Estimate(centre, -math.inf, math.inf)
    return Estimate(centre, float(ordered[k - 1]), float(ordered[n - k]))


def _bootstrap_of_mean(values: Array, confidence: float = CONFIDENCE) -> tuple[Array, Array]:
    """Expanded percentile bounds for the mean of each column of finite values (seeds, columns)."""
    from scipy import stats

    n = values.shape[0]
    if n < 2:
        return (np.full(values.shape[1], np.nan),) * 2
    # the normal quantile that stands for Student's at this n, and for the variance's missing n / (n - 1)
    quantile = math.sqrt(n / (n - 1)) * stats.t.ppf((1 + confidence) / 2, n - 1)
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
