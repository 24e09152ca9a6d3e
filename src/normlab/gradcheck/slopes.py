"""The slope of a function of one number, with an honest account of how well it is known.

A centred difference (phi(t) - phi(-t)) / 2t has two enemies. The curve between the points costs a
multiple of t²; rounding costs about eps·|phi|/t. So no single step serves every function: we go
down a ladder of steps, each a quarter of the last, and keep the step where both costs together are
least.

- Curve: D(t) and D(4t) differ by 15 times the error of D(t), which measures that error and removes its
  leading term (Richardson 1911).
- Rounding: `ROUNDING * eps * size / t`, the floor below which nothing is read from a slope. The size is |phi|,
  or what rounding was seen to do to phi where its terms cancel.
- Corner (ReLU, hinge, max): the slopes to the right and to the left of 0 differ by a jump. On a smooth
  function the jump shrinks with t; where it does not, a corner lies within ±t, and half the jump is the doubt
  it leaves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

FIRST_STEP = (
    2.0**-5
)  # of the size of what is moved; a power of two moves most numbers without rounding
SHRINK = 4.0
LEVELS = 11  # down to 2**-25 = 3e-8, below which float64's rounding costs more than any curve
ROUNDING = 30.0  # an evaluation is off by a few eps of its largest terms; what floors a true zero is generous


class Slope(NamedTuple):
    """The slope of phi at 0."""

    value: float
    uncertainty: (
        float  # curve, rounding and corner together; infinite where nothing could be measured
    )
    floor: float  # rounding's part of it
    step: float  # the t it was measured at
    corner: bool  # a jump that does not shrink is most of the uncertainty


def measure_slope(
    phi: Callable[[float], float], at_zero: float, *, eps: float, size: float, target: float
) -> Slope:
    """The slope of `phi` at 0, from the first step of the ladder that is good to `target`, or the best one.

    `at_zero` is phi(0), `eps` the rounding unit of the arithmetic inside phi, `size` that of the
    terms it adds up (|phi| itself may be small where they cancel). Two calls of phi a step.

    >>> slope = measure_slope(math.exp, 1.0, eps=2.2e-16, size=1.0, target=1e-9)
    >>> abs(slope.value - 1) < 1e-9, slope.corner, measure_slope(abs, 0.0, eps=2e-16, size=1.0, target=1e-9).corner
    (True, False, True)
    """
    best = Slope(math.nan, math.inf, math.inf, FIRST_STEP, False)
    coarse_slope = coarse_jump = math.nan
    for level in range(LEVELS):
        t = FIRST_STEP / SHRINK**level
        above, below = phi(t), phi(-t)
        slope = (above - below) / (2 * t)
        jump = abs(above + below - 2 * at_zero) / t
        if level > 0:
            floor = ROUNDING * eps * max(size, abs(above), abs(below)) / t
            correction = (slope - coarse_slope) / (SHRINK**2 - 1)
            # a quarter on a smooth function, all of it where a corner is; rounding is not mistaken
            # for one
            persistent = jump > 0.5 * coarse_jump and jump > floor
            doubt = jump / 2 if persistent else 0.0
            uncertainty = abs(correction) + floor + doubt
            if uncertainty < best.uncertainty:  # never true of NaN
                best = Slope(slope + correction, uncertainty, floor, t, doubt > 0.5 * uncertainty)
            if best.uncertainty <= max(target, floor):  # good enough, or only noisier from here on
                break
        coarse_slope, coarse_jump = slope, jump
    return best


def rounding_unit(values: Sequence[float], size: float) -> float:
    """The rounding unit of the arithmetic that gave `values`, a function at four close points in a row.

    Closer than the function can bend, four values lie on a parabola, so their third difference is
    rounding (Hamming 1962). But float32 arithmetic may give four equal values: a number it made is
    known by being a float32 number exactly, which one made in float64 is once in 2**29 times;
    unless it is the rest of terms that cancel, a small multiple of their last bit, which tells
    nothing. Never below float64's 2**-52.

    >>> rounding_unit([0.1, 0.2, 0.3, 0.4], size=0.4) == 2.0**-52
    True
    >>> rounding_unit([float(np.float32(0.1))] * 4, size=0.1) == 2.0**-23
    True
    >>> rounding_unit([3 * 2.0**-53, 0.0, -(2.0**-52), 2.0**-53], size=1.0) == 2.0**-52
    True
    """
    if any(map(_has_many_bits, values)) and all(map(_is_float32, values)):
        return 2.0**-23
    relative = noise(values) / max(size, *map(abs, values), 5e-324)
    return relative if 8 * 2.0**-52 < relative < math.inf else 2.0**-52


def noise(values: Sequence[float]) -> float:
    """What rounding adds to or takes from a function, by its values at four close points in a row."""
    first, second, third, last = values
    return abs(last - first - 3 * (third - second)) / 8


def _is_float32(value: float) -> bool:
    with np.errstate(over="ignore"):
        return float(np.float32(value)) == value


def _has_many_bits(value: float) -> bool:
    """Whether a number needs more than 12 binary digits."""
    scaled = math.ldexp(math.frexp(value)[0], 12) if math.isfinite(value) else 0.0
    return scaled != math.floor(scaled)
