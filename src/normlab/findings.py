"""What a study found, as plain values: made by the studies, drawn by the report, known to both.

Nothing here computes; `ranges` are its words for seeds. A `StudyFindings` holds every number,
sentence and label that its section of the page shows, so that a page, a picture or a CSV file needs
no training code and no statistics.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

__all__ = [
    "VERDICTS",
    "ClaimFinding",
    "Column",
    "ComparisonRow",
    "ComparisonTable",
    "Datasheet",
    "DatasheetCell",
    "DatasheetColumn",
    "Findings",
    "HeatPanel",
    "LinePanel",
    "Panel",
    "Picture",
    "PicturePanel",
    "Series",
    "StudyFindings",
    "Table",
    "Verdict",
    "ranges",
    "replace",
]

Verdict = Literal["holds", "fails", "cannot tell"]

CLOSE = 0.05
"""An adjusted p-value above this marks a verdict as close."""

VERDICTS: tuple[Verdict, ...] = ("holds", "fails", "cannot tell")


@dataclass(frozen=True)
class Series:
    """One line of a figure: at each x the centre over seeds and its interval.

    `centre`, `low` and `high` may hold infinities, where most runs diverged. `runs` and `diverged`
    count the runs behind each point. `slot` is the line's place in the palette, the same for a name
    on the whole page.
    """

    name: str
    slot: int
    x: tuple[float, ...]
    centre: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    runs: tuple[int, ...]
    diverged: tuple[int, ...]


@dataclass(frozen=True)
class LinePanel:
    """Series over a numeric axis; axis titles carry their units.

    `percent` says that y is a share of 1, to be written as a percentage. `ticks` are the only
    values x takes, where those are few. `chance` is the y of guessing, where there is one. `zero_x`
    is where a logarithmic axis shows the value 0.
    """

    title: str
    x_title: str
    y_title: str
    series: tuple[Series, ...]
    summary: str
    x_log: bool = False
    y_log: bool = False
    percent: bool = False
    marks: bool = True
    y_range: tuple[float, float] | None = None
    ticks: tuple[float, ...] = ()
    chance: float | None = None
    zero_x: float | None = None
    note: str = ""


@dataclass(frozen=True)
class HeatPanel:
    """A value for each cell of a table, drawn as colour: `values[i][j]` at `y[i]`, `x[j]`.

    `kind` 'decades' is a quantity over orders of magnitude, of which the values are log10; 'share'
    runs from 0 to 1 and is written into its cell. None is a cell nothing was measured for.
    """

    title: str
    x_title: str
    y_title: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    value_title: str
    summary: str
    kind: Literal["decades", "share"] = "decades"
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A small image: rows of grey levels, or of (red, green, blue), from 0 to 255."""

    title: str
    pixels: tuple[tuple[int | tuple[int, int, int], ...], ...]


@dataclass(frozen=True)
class PicturePanel:
    """Rows of pictures, each row under its own name."""

    title: str
    rows: tuple[tuple[str, tuple[Picture, ...]], ...]
    summary: str
    note: str = ""


Panel = LinePanel | HeatPanel | PicturePanel


@dataclass(frozen=True)
class ClaimFinding:
    """A claim after its test: the effect, its 95 % interval over seeds, and the verdict.

    `effect_text` and `interval_text` are ready to print, with unit. `beyond` says what the effect
    had to exceed or stay below, `margin` as a number. `after_a_look` says what was changed after
    results had been seen.
    """

    name: str
    statement: str
    verdict: Verdict
    sentence: str
    effect: float
    low: float
    high: float
    effect_text: str
    interval_text: str
    beyond: str
    margin: float
    seeds: int
    diverged: int
    headline: bool = False
    after_a_look: str = ""
    why: str = ""
    first_seed: int = 0
    """Where the design changed after a look: the first fresh seed on which it is judged."""
    p: float = math.nan
    """That the effect is the margin: two-sided, times the number of looks planned."""
    adjusted: float = math.nan
    """The same, adjusted for the number of claims on the page (Holm)."""
    learned: str = ""
    """Where runs fail outright: how many of each side learned."""
    effects: tuple[float, ...] = ()
    """The effect of each seed that was compared."""
    expect: Literal["above", "below"] = "above"
    step: float = 0.0
    looks: tuple[int, ...] = ()
    unit: str = ""
    """Of the effect: 'accuracy' and 'share' are shares of 1, 'decades' powers of ten, others plain numbers."""

    @property
    def close(self) -> bool:
        """Decided, but by less than so many claims call for."""
        return self.verdict != "cannot tell" and not self.adjusted <= CLOSE


@dataclass(frozen=True)
class Column:
    """A column of the table behind a study."""

    title: str
    kind: Literal["text", "number", "percent", "count"] = "number"


@dataclass(frozen=True)
class Table:
    """Rows of cells, a cell being text, a number, or None where nothing was measured."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str | float | int | None, ...], ...]


@dataclass(frozen=True)
class ComparisonRow:
    """A norm in one setting, as it is read: its test accuracy with interval, and how it was reached.

    `accuracy`, `low` and `high` are shares of 1; NaN where nothing is finished.
    """

    setting: str
    norm: str
    accuracy: float
    low: float
    high: float
    learned: int
    seeds: int
    rate: float
    seconds: float


@dataclass(frozen=True)
class ComparisonTable:
    """The arms of a comparison, and for each setting a sentence that recommends one or says why none can be."""

    rows: tuple[ComparisonRow, ...]
    recommendations: tuple[str, ...]


@dataclass(frozen=True)
class StudyFindings:
    """A study's section of the page."""

    name: str
    title: str
    question: str
    panels: tuple[Panel, ...]
    claims: tuple[ClaimFinding, ...]
    answer: tuple[str, ...]
    settings: tuple[tuple[str, str], ...]
    summary: Table
    runs: Table
    seeds: tuple[int, ...]
    finished: int
    expected: int
    diverged: int
    seconds: float
    leaves_out: str = ""
    literature: tuple[str, ...] = ()
    design: str = ""
    """What the records say about when its claims were written down."""
    command: str = ""
    """What anyone can type to run this study again."""
    comparison: ComparisonTable | None = None
    """Of a comparison: its arms, and what it recommends."""


@dataclass(frozen=True)
class DatasheetColumn:
    """A column of the datasheet: its title, the study that it reads, and how it was measured."""

    title: str
    study: str
    note: str = ""


@dataclass(frozen=True)
class DatasheetCell:
    """A cell as it is read, the number with its 95 % interval over seeds, and a note."""

    text: str
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    seeds: int = 0
    note: str = ""


@dataclass(frozen=True)
class Datasheet:
    """A row a norm: its title and a cell a column. `limits` says what none of it can tell."""

    columns: tuple[DatasheetColumn, ...]
    rows: tuple[tuple[str, tuple[DatasheetCell, ...]], ...]
    limits: str


@dataclass(frozen=True)
class Findings:
    """Everything one page shows. `provenance` is titles and texts in the order they are printed.

    `warnings` are sentences for whoever draws the page, such as how many recorded runs could not be
    read.
    """

    data: str
    data_title: str
    command: str
    studies: tuple[StudyFindings, ...]
    provenance: tuple[tuple[str, str], ...] = field(default=())
    datasheet: Datasheet | None = None
    warnings: tuple[str, ...] = ()


def ranges(seeds: Sequence[int]) -> str:
    """Seeds in order, consecutive ones as a range.

    >>> ranges((231, 232, 233, 251))
    '231 to 233, 251'
    """
    parts: list[list[int]] = []
    for seed in seeds:
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ", ".join(
        str(part[0]) if len(part) == 1 else f"{part[0]} to {part[-1]}" for part in parts
    )
