"""What a study is made of: grids of nets, quantities, claims, panels of a figure, and the answer's reasons.

A study file holds values of these types and nothing else. It says what is asked and what would
count as an answer; `study.Study` holds them together and refuses what cannot work, `grid` turns
them into runs, `claims` into verdicts, `figures` into what is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from normlab.studies.axes import Axis, Value, over, over_field, over_norms
from normlab.studies.probes.record import Probe

__all__ = [
    "Axis",
    "Claim",
    "Demonstration",
    "Gallery",
    "Grid",
    "Heat",
    "Lines",
    "Quantity",
    "Reason",
    "Value",
    "Where",
    "over",
    "over_field",
    "over_norms",
]

Where = Mapping[str, Value | Sequence[Value]]
"""Points of a grid: for each axis named, the one value or the values that are meant."""


@dataclass(frozen=True)
class Grid:
    """All combinations of its axes, on top of fixed fields of NetSpec and TrainingSpec.

    `tags` are axes with one value and no setting, such as how runs are compared. `probes` are what
    is measured on each of its nets beside the training history. `seeds` is for grids that run on
    fewer seeds than their study, unless a number is asked for.
    """

    fixed: Mapping[str, Any]
    axes: tuple[Axis, ...]
    tags: Mapping[str, Value] = field(default_factory=dict)
    probes: tuple[Probe, ...] = ()
    seeds: int | None = None


@dataclass(frozen=True)
class Demonstration:
    """Something computed on the images themselves, without training a net: one value of `axis` at a time."""

    axis: Axis
    probe: Probe


@dataclass(frozen=True)
class Quantity:
    """A number a seed: a measure at the points `where`, reduced to one, less another quantity if there is one.

    `reduce` 'share above' is the share of those points whose measure is at least `level`, 'within'
    the share whose measure is at most `level` below the highest.

    With `best_of`, axes, points that differ only there count as one: the one with the highest
    `chosen_by`, a measure on validation examples (by default `measure` itself). The choice is made
    for each seed anew.
    """

    measure: str
    where: Where
    reduce: Literal["mean", "max", "min", "range", "share above", "within"] = "mean"
    level: float = 0.0
    minus: Quantity | None = None
    best_of: str | tuple[str, ...] | None = None
    chosen_by: str | None = None


@dataclass(frozen=True)
class Claim:
    """A statement that the runs may refute: `left` less `right` is above (or below) `margin`.

    `holds` and `fails` are the sentences for these verdicts; {left}, {right} and {effect} stand for
    the measured values with their units. `why` argues for a margin other than zero: the smallest
    effect that matters, and to whom. `headline` claims open the page. `after_a_look` says what was
    changed, in a claim or its design, after results had been seen: the page prints it beside the
    claim.
    """

    name: str
    statement: str
    left: Quantity
    right: Quantity | None
    holds: str
    fails: str
    expect: Literal["above", "below"] = "above"
    margin: float = 0.0
    why: str = ""
    unit: Literal["accuracy", "loss", "decades", "share", "correlation", "angle"] = "accuracy"
    headline: bool = False
    after_a_look: str = ""


@dataclass(frozen=True)
class Lines:
    """A panel of lines: `measure` over `x`, one line for each combination of the axes in `lines`.

    `x` is an axis of the grid, or 'step', 'epoch' or 'layer' where the measure is a curve over it.
    Several measures make a line each, and then `y_title` names what they have in common. With
    `best_of`, axes, each seed's runs that differ only there count as one: the one with the highest
    `chosen_by`, by default the measure itself. `note` stands below the panel.
    """

    title: str
    measure: str | tuple[str, ...]
    x: str
    lines: tuple[str, ...] = ("norm",)
    where: Where = field(default_factory=dict)
    x_log: bool = False
    y_log: bool = False
    y_range: tuple[float, float] | None = None
    y_title: str = ""
    best_of: str | tuple[str, ...] | None = None
    chosen_by: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Heat:
    """A panel of coloured cells: the median over seeds of `measure` over the axes `x` and `y`.

    `y` may be 'layer', where the measure is a curve over layers; `measure` may be a tuple of
    measures, a column each, and then `x` is 'measure'.
    """

    title: str
    measure: str | tuple[str, ...]
    x: str
    y: str
    where: Where = field(default_factory=dict)
    kind: Literal["decades", "share"] = "decades"
    note: str = ""


@dataclass(frozen=True)
class Gallery:
    """A panel of pictures, one row for each value of `axis`: what a demonstration did to real images."""

    title: str
    axis: str
    note: str = ""


@dataclass(frozen=True)
class Reason:
    """A paragraph of the answer, printed only where all claims it rests on hold, those it speaks against fail, and
    those it leaves open cannot be told."""

    text: str
    rests_on: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
