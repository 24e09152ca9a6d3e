"""Axes: domains that hold every finite value, ticks at round numbers, and powers of ten on logarithmic ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import altair as alt

from normlab.findings import LinePanel

PLAIN_POWERS = range(-3, 4)  # 0.001 to 1000 are written out, others as powers

CROWDED = 0.95
"""From this accuracy on, an axis is logarithmic in the error."""
ERRORS = (10, 1, 0.1, 50, 0.01, 5, 0.5, 0.05, 20, 2, 0.2, 0.02, 90, 70)
"""Errors in per cent at which an axis may have a tick, those that are wanted most first."""
APART = 0.08
"""The least distance of two ticks, as a share of the axis."""
SMALLEST_ERROR = 1e-6


def x_channel(panel: LinePanel) -> Any:
    """The horizontal channel of a panel."""
    xs = [x for series in panel.series for x in series.x]
    low, high = min(xs), max(xs)
    if panel.x_log:
        low, high = (low / 1.15, high * 1.15) if high > low else (low / 2, high * 2)
        scale = alt.Scale(type="log", domain=[low, high], nice=False)
        axis = alt.Axis(format="~r", values=list(panel.ticks) or powers_between(low, high))
    else:
        scale = alt.Scale(domain=[low, high], nice=False, padding=6)
        axis = alt.Axis(format="d", tickMinStep=1)
    if panel.zero_x is not None:
        axis.labelExpr = f"datum.value == {panel.zero_x!r} ? '0' : datum.label"
    return alt.X("x:Q", title=panel.x_title, scale=scale, axis=axis)


def y_channel(panel: LinePanel, name: str = "y") -> Any:
    """The vertical channel of a panel, for the field of this name."""
    title: str | list[str] = panel.y_title
    if crowded(panel):
        low, high = error_range(panel)
        values = _apart(low, high, [high] if _reaches_all(panel) else [])
        scale = alt.Scale(type="log", domain=[low, high], nice=False)
        label = f"datum.value == {high!r} ? '100' : format(100 - datum.value, '.4~g')"
        axis = alt.Axis(values=values, labelExpr=label, labelOverlap=False)
        title = [panel.y_title, "log scale of the error"]
    elif panel.percent:
        low, high = percent_range(panel)
        headroom = high + 0.03 * (high - low)  # so that marks at the top stay whole
        scale, axis = alt.Scale(domain=[low, headroom], nice=False), alt.Axis(tickCount=6)
    elif panel.y_range is not None:
        scale, axis = alt.Scale(domain=list(panel.y_range), nice=False), alt.Axis(tickCount=6)
    elif panel.y_log:
        low, high = _extent(panel, lambda value: value > 0)
        powers = powers_between(low, high)
        if len(powers) < 2:  # less than a decade: its round steps
            powers = [step * 10.0 ** math.floor(math.log10(low)) for step in (1, 2, 5, 10, 20, 50)]
        scale = alt.Scale(type="log", domain=[low / 1.2, high * 1.2], nice=False)
        axis = alt.Axis(values=_thinned(powers), labelExpr=_power_label())
    else:
        low, high = _extent(panel, lambda _: True)
        room = 0.05 * (high - low) or abs(high) or 1.0
        scale, axis = (
            alt.Scale(domain=[low - room, high + room], nice=True, zero=False),
            alt.Axis(tickCount=6),
        )
    return alt.Y(f"{name}:Q", title=title, scale=scale, axis=axis)


def crowded(panel: LinePanel) -> bool:
    """Whether accuracies come so near to 100 % that their errors are shown, on a logarithmic axis."""
    centres = [y for series in panel.series for y in series.centre if math.isfinite(y)]
    return panel.percent and panel.y_range is None and max(centres, default=0.0) >= CROWDED


def error_range(panel: LinePanel) -> tuple[float, float]:
    """The largest and the smallest error in per cent that a crowded panel shows; smaller ones lie at its top."""
    low, _ = _extent(panel, lambda _: True)
    errors = [1 - y for series in panel.series for y in series.centre if 1 - y > SMALLEST_ERROR]
    return round(100 * min(1 - low, 1.0) * 1.05, 4), round(100 * min(errors, default=0.01) / 2, 4)


def heights(panel: LinePanel) -> Callable[[float], float]:
    """Where values stand on the vertical axis, in the axis's own numbers."""
    if not panel.percent:
        return lambda value: value
    if not crowded(panel):
        return lambda value: 100 * value
    largest, smallest = error_range(panel)
    return lambda value: min(max(100 * (1 - value), smallest), largest)


def _apart(largest: float, smallest: float, values: list[float]) -> list[float]:
    """These errors, and as many round ones as have room beside them on a logarithmic axis."""
    least = APART * math.log(largest / smallest)
    for error in ERRORS:
        near = any(abs(math.log(error / other)) < least for other in values)
        if smallest <= error <= largest and not near:
            values.append(error)
    return sorted(values, reverse=True)


def _reaches_all(panel: LinePanel) -> bool:
    return any(1 - y <= SMALLEST_ERROR for series in panel.series for y in series.centre)


def percent_range(panel: LinePanel) -> tuple[float, float]:
    """Where an axis of percentages starts and ends: at the tens around all values and intervals."""
    low, high = _extent(panel, lambda _: True)
    return max(10.0 * math.floor((100 * low - 1) / 10), 0.0), min(
        10.0 * math.ceil((100 * high + 1) / 10), 100.0
    )


def powers_between(low: float, high: float) -> list[float]:
    """The powers of ten from low to high.

    >>> powers_between(0.02, 300)
    [0.1, 1.0, 10.0, 100.0]
    """
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    return [10.0**power if power >= 0 else 1 / 10.0**-power for power in range(first, last + 1)]


def _extent(panel: LinePanel, wanted: Any) -> tuple[float, float]:
    values = [value for value in _values(panel) if math.isfinite(value) and wanted(value)]
    return (min(values), max(values)) if values else (1.0, 10.0)


def _values(panel: LinePanel) -> Iterable[float]:
    for series in panel.series:
        yield from series.centre
        yield from series.low
        yield from series.high


def _thinned(powers: list[float]) -> list[float]:
    """Every so many powers, so that no more than eight are labelled."""
    return powers[:: max(1, math.ceil(len(powers) / 8))]


def _power_label() -> str:
    """A Vega expression: powers far from 1 with a superscript, the others written out."""
    digits = "'⁰','¹','²','³','⁴','⁵','⁶','⁷','⁸','⁹'"
    power = "round(log(datum.value) / LN10)"
    size = f"abs({power})"
    tens = f"({size} >= 10 ? [{digits}][floor({size} / 10)] : '')"
    raised = f"'10' + ({power} < 0 ? '⁻' : '') + {tens} + [{digits}][{size} % 10]"
    return f"{power} < {PLAIN_POWERS[0]} || {power} > {PLAIN_POWERS[-1]} ? {raised} : format(datum.value, '~r')"
