"""From a study's declared panels and its observations to what the report draws."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from normlab import findings
from normlab.findings import HeatPanel, LinePanel, Panel, Picture, PicturePanel, Series
from normlab.studies import alt_text
from normlab.studies.axes import Value, norm_titles
from normlab.studies.measures import OVER_TITLES, UNIT_TITLES
from normlab.studies.observations import Observation, best_of, select
from normlab.studies.spec import Gallery, Heat, Lines
from normlab.studies.statistics import bands
from normlab.studies.study import Study

SHOWN_AT_A_ZERO = (
    0.1  # a zero on a logarithmic axis stands one tenth of the way below the next value
)


def panels(
    study: Study, observations: Sequence[Observation], classes: int = 10
) -> tuple[Panel, ...]:
    """The study's figure, for data with so many classes; panels for which nothing is finished yet are left out."""
    drawn = (_panel(panel, study, observations, classes) for panel in study.figure)
    return tuple(panel for panel in drawn if panel is not None)


def _panel(
    panel: Lines | Heat | Gallery, study: Study, observations: Sequence[Observation], classes: int
) -> Panel | None:
    if isinstance(panel, Gallery):
        return _gallery(panel, observations)
    seen = select(observations, panel.where)
    if not seen:
        return None
    if isinstance(panel, Lines):
        return _lines(panel, study, seen, classes)
    return _heat(panel, study, seen)


# Lines


def _lines(
    panel: Lines, study: Study, observations: Sequence[Observation], classes: int
) -> LinePanel:
    measures = (panel.measure,) if isinstance(panel.measure, str) else panel.measure
    records = [study.known[measure] for measure in measures]
    several = len({record.title for record in records}) > 1
    unit = records[0].unit
    series: list[Series] = []
    for measure, record in zip(measures, records, strict=True):
        compared = observations
        if panel.best_of is not None:
            compared = best_of(observations, panel.best_of, panel.chosen_by or measure)
        for name, group in _grouped(compared, panel.lines, study):
            name = ", ".join(filter(None, (name, record.title if several else "")))
            series.append(_series(name, len(series), group, measure, panel))
    series.sort(key=lambda line: line.slot)
    if unit == "decades":  # back from logarithms, so that the axis shows the quantity itself
        series = [_exponentiated(line) for line in series]
    over_a_run = panel.x in OVER_TITLES
    ticks = () if over_a_run else tuple(sorted({x for line in series for x in line.x}))
    at_zero = panel.x_log and any(seen.place.get(panel.x) == 0 for seen in observations)
    drawn = LinePanel(
        title=panel.title,
        x_title=OVER_TITLES.get(panel.x) or study.axis_title(panel.x),
        y_title=(panel.y_title or records[0].title) + UNIT_TITLES[unit],
        series=tuple(series),
        summary="",
        x_log=panel.x_log,
        y_log=panel.y_log,
        percent=unit == "accuracy",
        marks=panel.x != "step",
        y_range=panel.y_range,
        ticks=ticks if len(ticks) <= 8 else (),
        chance=1 / classes if unit == "accuracy" else None,
        zero_x=min(ticks) if at_zero else None,
        note=panel.note,
    )
    return findings.replace(drawn, summary=alt_text.of_lines(drawn))


def _grouped(
    observations: Sequence[Observation], axes: tuple[str, ...], study: Study
) -> Iterable[tuple[str, list[Observation]]]:
    """The observations of each line, in the order of the grid, under the line's name."""
    lines: dict[tuple[Value, ...], list[Observation]] = {}
    for seen in observations:
        lines.setdefault(tuple(seen.place[axis] for axis in axes), []).append(seen)
    labels = [study.axis_label(axis) for axis in axes]
    for values, group in lines.items():
        named = (label.format(_said(value)) for label, value in zip(labels, values, strict=True))
        yield ", ".join(named), group


def _said(value: Value) -> Value | str:
    """A value in the name of a line, with no more digits than tell it from the others."""
    return f"{value:.3g}" if isinstance(value, float) else value


def _series(
    name: str, position: int, observations: Sequence[Observation], measure: str, panel: Lines
) -> Series:
    if panel.x in OVER_TITLES:
        xs, groups = _along_curves(observations, measure, panel.x)
    else:
        by_x: dict[float, list[Observation]] = {}
        for observation in observations:
            by_x.setdefault(float(observation.place[panel.x]), []).append(observation)
        xs = sorted(by_x)
        groups = [[(seen.numbers[measure], seen.diverged) for seen in by_x[x]] for x in xs]
    centre, low, high = bands([[value for value, _ in group] for group in groups])
    return Series(
        name=name,
        slot=_slot(name, position),
        x=tuple(x if x > 0 else _place_of_zero(xs) for x in xs) if panel.x_log else tuple(xs),
        centre=centre,
        low=low,
        high=high,
        runs=tuple(len(group) for group in groups),
        diverged=tuple(sum(diverged for _, diverged in group) for group in groups),
    )


def _along_curves(
    observations: Sequence[Observation], measure: str, x: str
) -> tuple[list[float], list[list[tuple[float, bool]]]]:
    """The x values of a curve, and at each the values of all its runs."""
    curves = [(seen.curves[measure], seen.diverged) for seen in observations]
    length = min(len(curve) for curve, _ in curves)
    # accuracies are measured after the first step and at each epoch's end: 0, 1, 2, …; steps and
    # layers count from 1
    start = 0 if x == "epoch" else 1
    groups = [[(curve[index], diverged) for curve, diverged in curves] for index in range(length)]
    return [float(index + start) for index in range(length)], groups


def _slot(name: str, position: int) -> int:
    """The same colour and shape for a norm on the whole page; other lines take them in turn."""
    titles = norm_titles()
    return titles.index(name) if name in titles else position


def _place_of_zero(xs: Sequence[float]) -> float:
    """Where a logarithmic axis shows a zero: left of the smallest other value."""
    return min((x for x in xs if x > 0), default=1.0) * SHOWN_AT_A_ZERO


def _exponentiated(series: Series) -> Series:
    def raised(values: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(10**value for value in values)

    return findings.replace(
        series, centre=raised(series.centre), low=raised(series.low), high=raised(series.high)
    )


# Cells


def _heat(panel: Heat, study: Study, observations: Sequence[Observation]) -> HeatPanel:
    if isinstance(panel.measure, tuple):
        columns: list[Any] = list(panel.measure)
        rows: list[Any] = _values_of(panel.y, observations)
        cells = {
            (row, measure): [
                seen.numbers[measure] for seen in observations if seen.place[panel.y] == row
            ]
            for row, measure in itertools.product(rows, columns)
        }
        value_title = "Share"
    else:
        columns = _values_of(panel.x, observations)
        layers = min(len(seen.curves[panel.measure]) for seen in observations)
        rows = list(range(1, layers + 1))
        cells = {
            (row, column): [
                seen.curves[panel.measure][row - 1]
                for seen in observations
                if seen.place[panel.x] == column
            ]
            for row, column in itertools.product(rows, columns)
        }
        value_title = study.known[panel.measure].title
    drawn = HeatPanel(
        title=panel.title,
        x_title=study.axis_title(panel.x),
        y_title="Layer" if panel.y == "layer" else "",
        x=tuple(_column_title(column, study, panel) for column in columns),
        y=tuple(_cell_title(row) for row in rows),
        values=tuple(tuple(_median(cells[row, column]) for column in columns) for row in rows),
        value_title=value_title,
        summary="",
        kind=panel.kind,
        note=panel.note,
    )
    return findings.replace(drawn, summary=alt_text.of_heat(drawn))


def _column_title(column: Value, study: Study, panel: Heat) -> str:
    record = study.known.get(str(column)) if isinstance(panel.measure, tuple) else None
    return getattr(record, "column", "") or _cell_title(column)


def _values_of(axis: str, observations: Sequence[Observation]) -> list[Value]:
    return list(dict.fromkeys(observation.place[axis] for observation in observations))


def _cell_title(value: Value) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)


def _median(values: Sequence[float]) -> float | None:
    """The median with NaN counted as infinite; None where it is not finite or there is nothing."""
    if not values:
        return None
    middle = float(np.median(np.where(np.isnan(values), np.inf, values)))
    return middle if math.isfinite(middle) else None


# Pictures


def _gallery(panel: Gallery, observations: Sequence[Observation]) -> PicturePanel | None:
    rows: dict[str, tuple[Picture, ...]] = {}
    for observation in observations:
        if panel.axis in observation.place and observation.pictures.get("pictures"):
            name = str(observation.place[panel.axis])
            pictures = (
                Picture(each["title"], _frozen(each["pixels"]))
                for each in observation.pictures["pictures"]
            )
            rows.setdefault(name, tuple(pictures))
    if not rows:
        return None
    summary = alt_text.of_gallery(tuple(rows))
    return PicturePanel(panel.title, tuple(rows.items()), summary, panel.note)


def _frozen(pixels: Any) -> Any:
    return tuple(map(_frozen, pixels)) if isinstance(pixels, list) else pixels
