"""One argument's verdict: random directions decide, coordinates say where."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from normlab.gradcheck.directions import Arrays, Comparison, Probe, compare, typical_move
from normlab.gradcheck.reports import CORNER, RIGHT, UNCLEAR, WRONG, ZERO, ArgumentCheck
from normlab.typing import Array

Looked = list[tuple[tuple[int, ...], Comparison]]


def judge_argument(
    name: str,
    arrays: Arrays,
    probes: list[Probe],
    rng: np.random.Generator,
    *,
    coordinates: int,
    tolerance: float | None,
) -> ArgumentCheck:
    """The finding for `arrays[name]`: one random direction a probe, then at most `coordinates` coordinates."""
    array = arrays[name]
    refusal = _unusable(name, array, probes)
    if refusal:
        return ArgumentCheck(name, WRONG, math.inf, 0.0, note=refusal)
    free = np.ones(array.shape)

    def draws() -> list[Comparison]:
        return [
            compare(probe, name, arrays, free * rng.standard_normal(array.shape), tolerance)
            for probe in probes
        ]

    def look(probe: Probe) -> Iterator[tuple[tuple[int, ...], Comparison]]:
        for index in _some_indices(array.shape, coordinates, rng):
            if free[index]:
                direction = np.zeros(array.shape)
                direction[index] = 1.0
                yield index, compare(probe, name, arrays, direction, tolerance)

    compared, held = draws(), ""
    if any(comparison.slope.corner for comparison in compared):
        # hold still what sits on a corner, and ask again about the rest
        corners = [index for index, at in look(probes[0]) if at.slope.corner]
        if len(corners) == array.size:
            return _finding(name, UNCLEAR, compared, _ALL_CORNERS)
        for index in corners:
            free[index] = 0.0
        held = _held_still(corners, array.size)
        compared = draws()

    verdict = _gravest(compared)
    if verdict == WRONG:
        guilty = next(
            probe for probe, at in zip(probes, compared, strict=True) if at.verdict == WRONG
        )
        return _located(name, array, compared, list(look(guilty)), held)
    if held and verdict in (RIGHT, ZERO):
        verdict = CORNER
    return _finding(name, verdict, compared, held or _doubts(verdict, compared))


def _unusable(name: str, array: Array, probes: list[Probe]) -> str:
    """What makes a claimed gradient impossible to compare: nothing there, wrong shape, NaN."""
    for probe in probes:
        if name not in probe.gradients:
            return "There is no gradient of this name."
        gradient = probe.gradients[name]
        if gradient.shape != array.shape:
            return f"The gradient has shape {gradient.shape}; the argument has shape {array.shape}."
        if not np.issubdtype(gradient.dtype, np.floating):
            return f"The gradient is an array of {gradient.dtype}; it should hold floating-point numbers."
        if not np.isfinite(gradient).all():
            return f"{int((~np.isfinite(gradient)).sum())} entries of the gradient are NaN or infinite."
    return ""


def _gravest(compared: list[Comparison]) -> str:
    given = {comparison.verdict for comparison in compared}
    return next(verdict for verdict in (WRONG, UNCLEAR, CORNER, RIGHT, ZERO) if verdict in given)


def _finding(name: str, verdict: str, compared: list[Comparison], note: str = "") -> ArgumentCheck:
    """The finding whose numbers come from the draw that exceeds what is allowed the most."""
    at = max(compared, key=lambda at: at.error / (at.allowed or 1.0))
    size = at.reference or 1.0
    return ArgumentCheck(name, verdict, at.error / size, at.allowed / size, note=note)


def _located(
    name: str, array: Array, compared: list[Comparison], looked: Looked, held: str
) -> ArgumentCheck:
    """The finding with the coordinate where formula and function differ most, and how many do."""
    finding = _finding(name, WRONG, compared)
    off = [(index, at) for index, at in looked if at.verdict == WRONG]
    among = f"{len(looked)} coordinates" + (
        "" if len(looked) == array.size else f" looked at of {array.size}"
    )
    notes = [held] if held else []
    if not off:
        notes.append(f"None of the {among} is off by itself.")
        return ArgumentCheck(
            name, WRONG, finding.direction_error, finding.allowed_error, note=" ".join(notes)
        )
    notes.append(
        f"{'All' if len(off) == len(looked) else f'{len(off)} of the'} {among} are "
        f"off{_factor(off)}."
    )
    worst, at = max(off, key=lambda pair: pair[1].error)
    relative = at.error / (abs(at.analytic) + abs(at.slope.value))
    if relative > 0.99:
        notes.append(
            "A relative error of 1 says that sign or size are far off; it cannot say how far."
        )
    scale = typical_move(array)
    return ArgumentCheck(
        name,
        WRONG,
        finding.direction_error,
        finding.allowed_error,
        relative,
        worst,
        at.analytic / scale,
        at.slope.value / scale,
        " ".join(notes),
    )


def _factor(off: Looked) -> str:
    """`, each by the same factor 0.25` where one number explains every error."""
    ratios = np.array([at.analytic / at.slope.value for _, at in off if at.slope.value])
    if not 2 <= len(ratios) == len(off):
        return ""
    if not ratios.any():
        return ": the formula gives 0"
    factor = float(np.median(ratios))
    same = np.ptp(ratios) <= 1e-2 * min(abs(factor - 1), 1e-2 * abs(factor))
    return f", each by the same factor {factor:.6g}" if same else ""


_ALL_CORNERS = (
    "Every coordinate sits on a corner of the function, where there is no gradient to compare "
    "with: add small random numbers to the input and check again."
)


def _held_still(corners: list[tuple[int, ...]], size: int) -> str:
    if not corners:
        return ""
    return (
        f"{len(corners)} of {size} coordinates sit on a corner, for instance {corners[0]}, where "
        "any slope between left and right is a convention; they were held still."
    )


def _doubts(verdict: str, compared: list[Comparison]) -> str:
    """What kept the comparison from being sharp, and what to do about it."""
    at = max(compared, key=lambda at: at.vagueness)
    if not math.isfinite(at.vagueness):
        return "The function is NaN or infinite beside this point: start from a tamer input."
    if verdict == ZERO:
        return f"Neither exceeds the noise of {at.slope.floor:.0e}; a relative error means nothing there."
    if at.slope.corner:
        return (
            f"Corners lie within the smallest step, so errors below {3 * at.vagueness:.0e} would "
            "not show: add small random numbers to the input, or use fewer units."
        )
    if 3 * at.vagueness > 1e-5:
        return (
            f"The gradient is small beside the function's value, so rounding hides errors below "
            f"{3 * at.vagueness:.0e}: scale the input up for a sharper check."
        )
    return ""


def _some_indices(
    shape: tuple[int, ...], at_most: int, rng: np.random.Generator
) -> list[tuple[int, ...]]:
    size = math.prod(shape)
    chosen = range(size) if size <= at_most else np.sort(rng.choice(size, at_most, replace=False))
    return [tuple(int(i) for i in np.unravel_index(flat, shape)) for flat in chosen]
