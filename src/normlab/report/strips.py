"""Intervals as bars on one labelled scale: where effect, interval, margin and ticks lie, in per cent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from normlab.findings import ClaimFinding, ComparisonRow

SHARES = ("accuracy", "share")
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
TICKS = 5


@dataclass(frozen=True)
class Scale:
    """A line from `low` to `high`, its ticks, and what they count."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    title: str

    def place(self, value: float) -> float:
        """Where a value lies, from 0 to 100; values beyond an end lie at that end."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)


def claim_scales(claims: Iterable[ClaimFinding]) -> dict[str, Scale]:
    """For each unit of these claims the scale that holds all their intervals, margins and zero."""
    values: dict[str, list[float]] = {}
    for claim in claims:
        if not math.isnan(claim.effect):
            bounds = (claim.low, claim.high, claim.effect, claim.margin, 0.0)
            values.setdefault(kind(claim), []).extend(filter(math.isfinite, bounds))
    return {name: _scale(found, name) for name, found in values.items() if max(found) > min(found)}


def claim_strip(claim: ClaimFinding, scales: dict[str, Scale]) -> dict[str, Any] | None:
    """The bar of a claim; None where there is no interval, or nothing to measure it on."""
    scale = scales.get(kind(claim))
    if scale is None or math.isnan(claim.low) or math.isnan(claim.high):
        return None
    margin = scale.place(claim.margin)
    side = (margin, round(100 - margin, 2)) if claim.expect == "above" else (0, margin)
    centre = scale.place(claim.effect) if math.isfinite(claim.effect) else None
    return _bar(scale, claim.low, claim.high, centre) | {"margin": margin, "side": side}


def row_scale(rows: Sequence[ComparisonRow]) -> Scale | None:
    """The scale that holds the accuracies of a comparison."""
    bounds = [bound for row in rows for bound in (row.accuracy, row.low, row.high)]
    found = [min(max(bound, 0.0), 1.0) for bound in bounds if math.isfinite(bound)]
    return _scale(found, "%") if found and max(found) > min(found) else None


def row_strip(row: ComparisonRow, scale: Scale | None) -> dict[str, Any] | None:
    """The bar of a row of a comparison."""
    if scale is None or math.isnan(row.low) or math.isnan(row.high):
        return None
    bar = _bar(scale, row.low, row.high, scale.place(row.accuracy))
    return bar | {"margin": None, "side": None, "title": ""}


def kind(claim: ClaimFinding) -> str:
    """What the scale of a claim counts: points, shares in per cent, factors, or the numbers themselves."""
    if claim.unit in SHARES:
        return "points" if "points" in claim.effect_text else "%"
    return "times" if claim.unit == "decades" else claim.unit


def _bar(scale: Scale, low: float, high: float, centre: float | None) -> dict[str, Any]:
    left, right = scale.place(low), scale.place(high)
    ticks = [
        {"at": scale.place(value), "label": label, "zero": value == 0}
        for value, label in scale.ticks
    ]
    return {
        "low": left,
        "width": max(round(right - left, 2), 0.6),
        "effect": centre,
        "ticks": ticks,
        "title": scale.title,
    }


def _scale(values: Sequence[float], name: str) -> Scale:
    low, high = min(values), max(values)
    room = 0.04 * (high - low)
    low, high = low - room, high + room
    factor = 100.0 if name in ("points", "%") else 1.0
    ticks = tuple((tick / factor, _label(tick, name)) for tick in _round(low, high, factor))
    titles = {"points": "percentage points", "%": "%", "times": "times"}
    return Scale(low, high, ticks, titles.get(name, name))


def _round(low: float, high: float, factor: float) -> list[float]:
    """Round numbers between the bounds, about five of them."""
    low, high = low * factor, high * factor
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(each * power for each in STEPS if each * power >= rough)
    first = math.ceil(low / step)
    return [number * step for number in range(first, math.floor(high / step) + 1)]


def _label(value: float, name: str) -> str:
    if name == "times":
        return f"{10**value:.2g}" if -3 < value < 4 else f"1e{value:g}"
    text = f"{abs(value):.3g}"
    return f"−{text}" if value < 0 else f"+{text}" if value > 0 and name == "points" else text
