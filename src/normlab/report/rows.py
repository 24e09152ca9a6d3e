"""What a chart draws, as rows: numbers for the marks, and texts for those who hover over them."""

from __future__ import annotations

import math
from typing import Any

from normlab.findings import HeatPanel, LinePanel, Series
from normlab.report.axes import heights

Row = dict[str, Any]


def line_rows(panel: LinePanel) -> list[Row]:
    """A row a value of a line; percentages where the panel is of shares."""
    return [row for series in panel.series for row in _series_rows(series, panel)]


def heat_rows(panel: HeatPanel) -> list[Row]:
    """A row a cell."""
    return [
        {"x": column, "y": row, "value": value, "text": cell_text(panel, value)}
        for row, values in zip(panel.y, panel.values, strict=True)
        for column, value in zip(panel.x, values, strict=True)
    ]


def cell_text(panel: HeatPanel, value: float | None) -> str:
    """A cell's value in words."""
    if value is None:
        return "not finite"
    return f"{value:.2f}" if panel.kind == "share" else f"{10**value:.2g}"


def _series_rows(series: Series, panel: LinePanel) -> list[Row]:
    height = heights(panel)
    top = math.inf if panel.y_range is None else panel.y_range[1]
    ceiling = top if panel.y_range is None else top + 0.5 * (top - panel.y_range[0])
    columns = (series.x, series.centre, series.low, series.high, series.runs, series.diverged)
    rows = []
    for x, centre, low, high, runs, diverged in zip(*columns, strict=True):
        row: Row = {
            "series": series.name,
            "x": _rounded(x),
            # a line that leaves the picture leaves it for a place near by: far ones are lost in
            # some programs
            "y": _rounded(height(min(centre, ceiling)) if math.isfinite(centre) else centre),
            "text": _value_text(centre, low, high, panel.percent),
            "x_text": "0" if x == panel.zero_x else f"{x:.4g}",
            "runs": f"{runs}, {diverged} diverged" if diverged else f"{runs}",
            "diverged": diverged,
            "beyond": not math.isfinite(centre) or centre > top,
        }
        if math.isfinite(low) and math.isfinite(high):
            row |= {
                "low": _rounded(height(min(low, ceiling))),
                "high": _rounded(height(min(high, ceiling))),
            }
        rows.append(row)
    return rows


def _value_text(centre: float, low: float, high: float, percent: bool) -> str:
    def said(value: float) -> str:
        if not math.isfinite(value):
            return "not finite"
        return f"{100 * value:.1f} %" if percent else f"{value:.3g}"

    if math.isnan(low) or math.isnan(high):
        return said(centre)
    return f"{said(centre)} (95 %: {said(low)} to {said(high)})"


def _rounded(value: float) -> float | None:
    """Four significant digits are more than a pixel shows, and make a smaller page."""
    return float(f"{value:.4g}") if math.isfinite(value) else None
