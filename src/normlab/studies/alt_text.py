"""What a figure shows, in words, for those who hear the page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from normlab.findings import HeatPanel, LinePanel, Series
from normlab.studies.wording import factor, plain


def of_lines(panel: LinePanel) -> str:
    """One sentence a line: where it starts, where it ends, and its extreme between, in the panel's unit."""
    sentences = [f"{panel.title}. {panel.y_title} against {_lower_first(panel.x_title)}."]
    sentences += [_line(series, panel.percent) for series in panel.series]
    return " ".join(sentences)


def of_heat(panel: HeatPanel) -> str:
    """The range of the cells, and for written tables each row."""
    if panel.kind == "share":
        rows = (
            f"{name}: "
            + ", ".join(
                f"{column} {_share(value)}" for column, value in zip(panel.x, row, strict=True)
            )
            for name, row in zip(panel.y, panel.values, strict=True)
        )
        return f"{panel.title}. " + "; ".join(rows) + "."
    first, last = panel.values[0], panel.values[-1]
    return (
        f"{panel.title}. From {panel.x[0]} to {panel.x[-1]} on the horizontal axis, the value goes "
        f"in layer {panel.y[0]} from {_decades(first[0])} to {_decades(first[-1])}, "
        f"and in layer {panel.y[-1]} from {_decades(last[0])} to {_decades(last[-1])}."
    )


def of_gallery(rows: Sequence[str]) -> str:
    """What the pictures are of."""
    return "The same images in each row: " + "; ".join(rows) + "."


def _line(series: Series, percent: bool) -> str:
    points = [(x, y) for x, y in zip(series.x, series.centre, strict=True) if math.isfinite(y)]
    diverged = sum(series.diverged)
    missing = (
        f" {diverged} of {sum(series.runs)} runs diverged." if diverged and len(points) < 30 else ""
    )
    if not points:
        return f"{series.name}: no finite value.{missing}"
    (x_first, first), (x_last, last) = points[0], points[-1]
    text = f"{series.name}: {_y(first, percent)} at {plain(x_first)}, {_y(last, percent)} at {plain(x_last)}"
    x_top, top = max(points, key=lambda point: point[1])
    if len(points) > 2 and top > max(first, last):
        text += f", highest at {plain(x_top)} with {_y(top, percent)}"
    return f"{text}.{missing}"


def _y(value: float, percent: bool) -> str:
    return f"{100 * value:.1f} %" if percent else plain(value)


def _decades(value: float | None) -> str:
    return "no finite value" if value is None else factor(value)


def _share(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.2f}"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
