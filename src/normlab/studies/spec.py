"""What a study is made of: a question, a grid of nets, measures, a figure, claims, and the answer's reasons.

A study file holds values of these types and nothing else. It says what is asked and what would count as an
answer; `grid` turns it into runs, `claims` into verdicts, `figures` into what is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from normlab.layers.norms import title_of

Value = str | int | float
"""What a reader sees at a point of an axis: 'batch norm', 50, 0.01."""

Where = Mapping[str, Value | Sequence[Value]]
"""Points of a grid: for each axis named, the one value or the values that are meant."""


@dataclass(frozen=True)
class Axis:
    """A direction of a grid: what the reader sees, and the fields of the specs that each value sets."""

    name: str
    values: tuple[Value, ...]
    settings: tuple[Mapping[str, Any], ...]


def over(name: str, settings: Mapping[Any, Mapping[str, Any]]) -> Axis:
    """An axis from a table: each value with the fields it sets.

    >>> over("width", {2: {"hidden_dims": (2, 2)}, 4: {"hidden_dims": (4, 4)}}).values
    (2, 4)
    """
    return Axis(name, tuple(settings), tuple(settings.values()))


def over_field(name: str, field_name: str, values: Sequence[Value]) -> Axis:
    """An axis whose values are one field's."""
    return Axis(name, tuple(values), tuple({field_name: value} for value in values))


def over_norms(*normalizations: str | None) -> Axis:
    """The axis 'norm', under the names a reader knows."""
    return Axis(
        "norm",
        tuple(title_of(name) for name in normalizations),
        tuple({"normalization": name} for name in normalizations),
    )


@dataclass(frozen=True)
class Grid:
    """All combinations of its axes, on top of fixed fields of NetSpec and TrainingSpec.

    `tags` are axes with one value and no setting, such as how runs are compared. `probes` name what is
    measured on each of its nets beside the training history (see `studies.probes`). `seeds` is for grids that
    run on fewer seeds than their study, unless a number is asked for.
    """

    fixed: Mapping[str, Any]
    axes: tuple[Axis, ...]
    tags: Mapping[str, Value] = field(default_factory=dict)
    probes: tuple[str, ...] = ()
    seeds: int | None = None


@dataclass(frozen=True)
class Demonstration:
    """Something computed on the images themselves, without training a net: one value of `axis` at a time."""

    axis: Axis
    probe: str


@dataclass(frozen=True)
class Quantity:
    """A number a seed: a measure at the points `where`, reduced to one, less another quantity if there is one.

    `reduce` 'share above' is the share of those points whose measure is at least `level`. With `best_of`, an axis,
    points that differ only there count as one, with the highest of their values.
    """

    measure: str
    where: Where
    reduce: Literal["mean", "max", "min", "range", "share above"] = "mean"
    level: float = 0.0
    minus: Quantity | None = None
    best_of: str | None = None


@dataclass(frozen=True)
class Claim:
    """A statement that the runs may refute: `left` less `right` is above (or below) `margin`.

    `holds` and `fails` are the sentences for these verdicts; {left}, {right} and {effect} stand for the
    measured values with their units. `headline` claims open the page. `added_later` marks a claim that was
    formulated after a first look at results, to explain them: the page says so.
    """

    name: str
    statement: str
    left: Quantity
    right: Quantity | None
    holds: str
    fails: str
    expect: Literal["above", "below"] = "above"
    margin: float = 0.0
    unit: Literal["accuracy", "loss", "decades", "share", "correlation"] = "accuracy"
    headline: bool = False
    added_later: bool = False


@dataclass(frozen=True)
class Lines:
    """A panel of lines: `measure` over `x`, one line for each combination of the axes in `lines`.

    `x` is an axis of the grid, or 'step', 'epoch' or 'layer' where the measure is a curve. Several measures
    make a line each. With `best_of`, an axis, each seed's runs that differ only there count as one, the best.
    """

    title: str
    measure: str | tuple[str, ...]
    x: str
    lines: tuple[str, ...] = ("norm",)
    where: Where = field(default_factory=dict)
    x_log: bool = False
    y_log: bool = False
    y_range: tuple[float, float] | None = None
    best_of: str | None = None


@dataclass(frozen=True)
class Heat:
    """A panel of coloured cells: the median over seeds of `measure` over the axes `x` and `y`.

    `y` may be 'layer', where the measure is a curve over layers; `x` may be a tuple of measures, a column each.
    """

    title: str
    measure: str | tuple[str, ...]
    x: str
    y: str
    where: Where = field(default_factory=dict)
    kind: Literal["decades", "share"] = "decades"


@dataclass(frozen=True)
class Gallery:
    """A panel of pictures, one row for each value of `axis`: what a demonstration did to real images."""

    title: str
    axis: str


@dataclass(frozen=True)
class Reason:
    """A paragraph of the answer, printed only where all claims it rests on hold, those it speaks against fail, and
    those it leaves open cannot be told."""

    text: str
    rests_on: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Study:
    """One question. `seeds` is how many seeds are run unless another number is asked for."""

    name: str
    title: str
    question: str
    figure: tuple[Lines | Heat | Gallery, ...]
    claims: tuple[Claim, ...]
    answer: tuple[Reason, ...]
    measures: tuple[str, ...]
    grids: tuple[Grid, ...] = ()
    demonstrations: tuple[Demonstration, ...] = ()
    seeds: int = 5
