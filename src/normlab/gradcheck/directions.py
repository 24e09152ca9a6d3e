"""Formula against function along one direction: what each says, and how much of a difference means nothing.

Along a direction v the function is a function of one number, whose slope should be <g, v>. If the
formula's g is off by d, the two differ by <d, v>: for normal v a normal draw of size |d|. To pass
within 4e-9 of |g| with a d of 1e-5 of |g|, three draws in a row would have to be luckier than 1 in
10**10. One direction costs what one coordinate costs, so a layer of any size is checked in a
handful of calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from normlab.gradcheck.reports import CORNER, RIGHT, UNCLEAR, WRONG, ZERO
from normlab.gradcheck.slopes import Slope, measure_slope
from normlab.typing import Array

Arrays = Mapping[str, Array]

VAGUE = 1e-2  # a slope known no better than to a hundredth confirms nothing


@dataclass(frozen=True)
class Probe:
    """A number-valued function of the arguments, and the gradients some formula claims for it."""

    f: Callable[[Arrays], float]
    gradients: Arrays
    at_zero: float  # f at the point itself
    size: float  # of the terms f adds up: |f| or more
    eps: float  # rounding unit of the arithmetic inside f


class Comparison(NamedTuple):
    """Formula and function along one direction, both in units of the step `typical_move` takes."""

    analytic: float
    slope: Slope
    reference: float  # what errors are relative to: the slope, or the size of the whole gradient
    allowed: float  # |analytic - slope| up to this is explained by rounding and curvature
    verdict: str

    @property
    def error(self) -> float:
        return abs(self.analytic - self.slope.value)

    @property
    def vagueness(self) -> float:
        """The part of the slope that rounding and corners leave in doubt."""
        return float(self.slope.uncertainty / (self.reference or 1.0))


def tolerance_for(eps: float, gradient: Array) -> float:
    """The relative error allowed beside the measured uncertainty: 3.7e-9 in float64, 2.4e-3 in float32.

    A centred difference at its best step is good to eps**(2/3); 100 times that leaves room for
    functions that bend a hundred times more than they slope. The mildest real mistakes (eps in the
    wrong place) are near 1e-6. A formula evaluated in float32 for a function in float64 is allowed
    its own rounding, 1000 eps.
    """
    return max(100 * math.cbrt(eps) ** 2, 1000 * float(np.finfo(gradient.dtype).eps))


def compare(
    probe: Probe, name: str, arrays: Arrays, direction: Array, tolerance: float | None = None
) -> Comparison:
    """Move `arrays[name]` along `direction` (its shape) and hold the function's slope against the formula's."""
    array, gradient = arrays[name], probe.gradients[name]
    scale = typical_move(array)
    step = scale * direction

    def phi(t: float) -> float:
        return probe.f({**arrays, name: array + t * step})

    tolerance = tolerance_for(probe.eps, gradient) if tolerance is None else tolerance
    analytic = float(np.sum(gradient * step))
    whole = float(np.linalg.norm(np.where(direction != 0, gradient, 0)))
    # moving an entry of size max|x| rounds it by eps * max|x|, which the gradient passes on
    size = probe.size + float(np.abs(array).max()) * whole
    slope = measure_slope(
        phi, probe.at_zero, eps=probe.eps, size=size, target=tolerance * scale * whole
    )
    reference = max(abs(analytic), abs(slope.value), scale * whole)
    allowed = tolerance * reference + 3 * slope.uncertainty
    return Comparison(
        analytic, slope, reference, allowed, _verdict(analytic, slope, reference, allowed)
    )


def _verdict(analytic: float, slope: Slope, reference: float, allowed: float) -> str:
    if not math.isfinite(slope.uncertainty):
        return UNCLEAR
    if abs(analytic - slope.value) > allowed:
        return WRONG
    if reference <= slope.floor:
        return ZERO
    if slope.uncertainty > VAGUE * reference:
        return UNCLEAR
    return CORNER if slope.corner else RIGHT


def typical_move(array: Array) -> float:
    """The unit of steps: the spread of the entries, or their size where they are all alike, or 1 at zero."""
    size, spread = float(np.abs(array).max()), float(array.std())
    return max(spread, 1e-6 * size) if spread > 1e-12 * size else size or 1.0
