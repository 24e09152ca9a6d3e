"""What a norm's results truly are, and how far from them what was computed lies.

The reference is the definition, in whole numbers (`selftest.exact`). With K numbers that share
their statistics and c = K x - Σ x, or c = K x for RMS norm,

    r = sqrt(K / (Σ c² + K³ eps)) = 1 / (K sqrt(var + eps))        xhat = c r
    dx = r (K dxhat - Σ dxhat - xhat Σ dxhat xhat)                  dxhat = gamma dout

so that nothing but r is rounded, to 192 bits. Where var + eps is 0 there is no true value;
normlab's convention is xhat = 0 and dx = 0, as at every other constant input.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from normlab.selftest.exact import Exact, larger, ratios
from normlab.selftest.inputs import Case
from normlab.typing import Array

# How many bits a result may be smaller than the terms it is the sum of, and still be promised
# relative to itself.
CANCELLED_BITS = {"float32": 20, "float64": 3}

ZERO, ONE, SMALLEST = (
    Exact.of(np.array([value])) for value in (0.0, 1.0, np.finfo(np.float64).smallest_normal)
)


class Quantity(NamedTuple):
    """The true values of one result, and the size of what was added up to make them."""

    values: Exact
    terms: Exact  # what was added up to make them, in a shape that goes with theirs
    underflow: Exact  # what x's deviation from its mean contributes where that is too small for float64 to have digits
    together: tuple[int, ...]  # the axes of a set of values that is judged together


class Truth(NamedTuple):
    """All results of a case."""

    y: Quantity
    dx: Quantity
    dgamma: Quantity
    dbeta: Quantity
    undefined: bool  # somewhere var + eps is 0


def truth(case: Case) -> Truth:
    """The case's results without error.

    y and dx are judged example by example, feature by feature or group by group, as the statistics
    go; dgamma and dbeta as a whole.
    """
    shape, parameters, statistics, shared = _axes(case)
    x, dout = (Exact.of(a).reshape(*shape) for a in (case.x, case.dout))
    gamma, beta = (Exact.of(a).reshape(*parameters) for a in (case.gamma, case.beta))
    K = math.prod(shape[axis] for axis in statistics)

    centred = case.norm != "RMS norm"
    c = x * K - x.sum(statistics) if centred else x * K
    r = ((c * c).sum(statistics) + Exact.of(np.array([case.eps])) * K**3).reciprocal_root(K)
    xhat = c * r
    dxhat = gamma * dout
    slope = dxhat * K - xhat * (dxhat * xhat).sum(statistics)
    largest = abs(xhat).max(statistics)
    tiny = larger(ONE, r * K) * SMALLEST
    everywhere = tuple(range(len(shape)))
    return Truth(
        Quantity(
            gamma * xhat + beta,
            larger(abs(gamma) * largest, abs(beta)),
            abs(gamma) * tiny,
            statistics,
        ),
        Quantity(
            r * (slope - dxhat.sum(statistics) if centred else slope),
            r * K * abs(dxhat),
            abs(dout) * SMALLEST,
            statistics,
        ),
        Quantity(
            (dout * xhat).sum(shared),
            (abs(dout) * largest).sum(shared),
            (abs(dout) * tiny).sum(shared),
            everywhere,
        ),
        Quantity(dout.sum(shared), abs(dout).sum(shared), ZERO, everywhere),
        bool((r.integers == 0).any()),
    )


def _axes(case: Case) -> tuple[tuple[int, ...], ...]:
    """Shapes for x and for gamma, the axes of the statistics, and those over which gamma is shared."""
    if case.x.ndim == 2:
        return case.x.shape, (1, -1), (0,) if case.norm == "batch norm" else (1,), (0,)
    examples, channels, positions = case.x.shape
    return (
        (examples, case.groups, channels // case.groups, positions),
        (1, case.groups, -1, 1),
        (2, 3),
        (0, 3),
    )


def error(measured: Array, true: Quantity) -> float:
    """The largest error of a set of values that is judged together, over the largest |true value| of that set.

    The denominator is at least the smallest normal number of the type, below which a float has no
    digits left to promise, and at least 2**-20 (float32) or 2**-3 (float64) of the largest term. A
    true value beyond the type's range must come out as infinity of its sign; NaN, and infinity
    elsewhere, are infinitely wrong. But where even that part of the largest term is beyond the
    range, infinity counts as the largest number.
    """
    measured = measured.reshape(true.values.integers.shape)
    limits = np.finfo(measured.dtype)
    size, largest = abs(true.values), Exact.of(np.array([limits.max]))
    terms = Exact(true.terms.integers, true.terms.exponent - CANCELLED_BITS[measured.dtype.name])
    without_digits = larger(true.underflow, Exact.of(np.array([limits.smallest_normal])))
    scale = larger(size, larger(terms, without_digits)).max(true.together)

    infinite, beyond = np.isinf(measured), _above(size, largest)
    # a value next to the end of the range may round to either side of it
    at_the_end = _above(size * (2**20 + 1), largest * 2**20)
    signs_agree = (measured > 0) == (true.values.integers > 0)
    right = signs_agree & at_the_end & (infinite | (abs(measured) > limits.max * (1 - 1e-6)))
    cancelled = _above(terms.max(true.together), largest)
    if np.isnan(measured).any() or ((infinite | beyond) & ~right & ~cancelled).any():
        return math.inf
    finite = np.where(infinite, np.copysign(limits.max, measured), measured)
    difference = abs(Exact.of(finite) - true.values)
    difference = Exact(np.where(right, 0, difference.integers), difference.exponent)
    return max(ratios(difference.max(true.together), scale))


def _above(a: Exact, b: Exact) -> Array:
    above: Array = ((a - b).integers > 0).astype(bool)
    return above
