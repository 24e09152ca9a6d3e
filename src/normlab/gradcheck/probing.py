"""What the doors of the check share: inputs made ready, and functions found fit to be differentiated."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from normlab.errors import OptionError, ShapeError, UserError
from normlab.gradcheck.directions import Arrays, Probe, tolerance_for, typical_move
from normlab.gradcheck.judge import judge_argument
from normlab.gradcheck.reports import GradientReport
from normlab.gradcheck.slopes import noise, rounding_unit
from normlab.typing import Array

WIGGLES = 16  # evaluations beside the point, by which noise is heard where terms cancel
MOSTLY_NOISE = 2.0**-19


def as_float64(name: str, array: Any) -> Array:
    """A float64 copy. Raises ShapeError for what is not an array of real numbers with something in it."""
    if isinstance(array, np.ndarray) and array.size and array.dtype.kind in "fiu":
        return array.astype(np.float64)
    given = (
        f"an array of {array.dtype}, shape {array.shape}"
        if isinstance(array, np.ndarray)
        else repr(array)
    )
    raise ShapeError(
        f"{name} is {given}; a gradient check moves it, so it needs an array of real numbers"
    )


@contextmanager
def own_errors(what: str) -> Iterator[None]:
    """Say of an exception that it came out of what was given to be checked."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise OptionError(
            f"{what} raised {type(error).__name__} at the given inputs, so nothing could be "
            f"compared: {error}"
        ) from error


def value_at(number: Callable[[Arrays], float], arrays: Arrays) -> float:
    """`number` at the point itself. Raises OptionError where it is not finite, or not a function of `arrays`."""
    with own_errors("the function"):
        first, second = number(arrays), number(arrays)
    if not np.isfinite(first):
        raise OptionError(
            f"the function is {first} at the given inputs: a gradient check needs a finite value"
        )
    if first != second:
        raise OptionError(
            f"two calls with the same inputs gave {first!r} and {second!r}: a gradient check needs "
            "the same draws at every call (give dropout a seed)"
        )
    return first


class Rounding(NamedTuple):
    """How a function rounds: its unit, and the size of the terms it adds up, whose product is the noise."""

    eps: float
    size: float


def rounding_of(
    number: Callable[[Arrays], float],
    at_zero: float,
    arrays: Arrays,
    rng: np.random.Generator,
    size: float = 0.0,
) -> Rounding:
    """How `number` rounds, from its values at three places with no round numbers in them, and beside the point.

    `size` is what is known of the terms that `number` adds up. Where they cancel, as in the sum of
    a norm's output, its value says nothing of them: then the noise itself is measured, by moving
    every input by a few units in its last place.
    """
    size = max(size, abs(at_zero))
    places = []
    with np.errstate(all="ignore"):
        for _ in range(3):
            # off the point, which may sit on a corner; then four steps too small for any curve to
            # show
            along = {
                name: typical_move(a) * rng.standard_normal(a.shape) for name, a in arrays.items()
            }
            steps = (1e-3 + step * 2.0**-25 for step in range(4))
            places.append(
                [number({name: a + t * along[name] for name, a in arrays.items()}) for t in steps]
            )
        beside = [
            number(
                {
                    name: a * (1 + 2.0**-52 * rng.integers(-3, 4, a.shape))
                    for name, a in arrays.items()
                }
            )
            for _ in range(WIGGLES)
        ]
        seen = [noise(values) for values in places] + [abs(value - at_zero) for value in beside]
        heard = max((each for each in seen if math.isfinite(each)), default=0.0)
        largest = max(
            size,
            *(abs(value) for values in places for value in values if math.isfinite(value)),
            0.0,
        )
        if heard > MOSTLY_NOISE * largest:  # more than float32's rounding: the terms cancel
            return Rounding(2.0**-52, heard * 2.0**52)
        eps = max(rounding_unit(values, size) for values in places)
    return Rounding(eps, max(size, heard / eps))


@contextmanager
def same_draws() -> Iterator[Callable[[], None]]:
    """Yield a function that rewinds NumPy's global generator to where it stood; leave it there at the end."""
    state = np.random.get_state()
    try:
        yield lambda: np.random.set_state(state)
    finally:
        np.random.set_state(state)


def report(
    given: Mapping[str, Array],
    arrays: Arrays,
    probes: list[Probe],
    rng: np.random.Generator,
    *,
    coordinates: int,
    tolerance: float | None,
    remark: str = "",
) -> GradientReport:
    """The findings for every one of `arrays`, which are the float64 copies of what was `given`."""
    # a step may leave the function's domain; the ladder then takes a smaller one
    with np.errstate(all="ignore"):
        findings = tuple(
            judge_argument(name, arrays, probes, rng, coordinates=coordinates, tolerance=tolerance)
            for name in arrays
        )
    method = _method(given, len(probes), probes[0].eps)
    return GradientReport(findings, f"{method} {remark}".strip())


def _method(given: Mapping[str, Array], draws: int, eps: float) -> str:
    how = f"along {draws} random directions an argument."
    if eps > 1e-12:
        hidden = tolerance_for(eps, np.zeros(1))
        return (
            f"Compared {how} The function rounds at {eps:.0e} of its value (float32 somewhere "
            f"inside?), so errors below {hidden:.0e} stay hidden: let it compute in the type of "
            "its inputs."
        )
    if any(array.dtype == np.float32 for array in given.values()):
        return f"Compared on float64 copies of the float32 inputs {how}"
    return f"Compared in float64 {how}"
