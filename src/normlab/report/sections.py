"""A study's findings in the form the page's template reads: charts as JSON, cells as text."""

from __future__ import annotations

import json
import math
from typing import Any

import altair as alt

from normlab.findings import Column, HeatPanel, LinePanel, Panel, PicturePanel, StudyFindings, Table
from normlab.report import charts
from normlab.report.png import data_url
from normlab.report.themes import DASHES, SHAPES


def section(study: StudyFindings) -> dict[str, Any]:
    """Everything the template needs for one study."""
    return {
        "study": study,
        "groups": _groups(study),
        "summary": table_view(study.summary),
        "runs": table_view(study.runs),
        "runs_json": json.dumps(csv_rows(study.runs)),
        "summary_json": json.dumps(csv_rows(study.summary)),
    }


def chart_of(panel: LinePanel | HeatPanel) -> charts.Chart:
    """The panel as the page embeds it: as wide as its place, colours still tokens."""
    if isinstance(panel, LinePanel):
        return charts.to_spec(charts.zoomable(charts.line_chart(panel)), charts.HEIGHT, "container")
    return charts.to_spec(charts.heat_chart(panel), alt.Step(charts.CELL), "container")


def _groups(study: StudyFindings) -> list[dict[str, Any]]:
    """Consecutive panels of one kind with the same lines share a legend and a row of the figure."""
    groups: list[dict[str, Any]] = []
    for number, panel in enumerate(study.panels):
        view = _panel_view(f"{study.name}-{number}", panel)
        if groups and groups[-1]["kind"] == view["kind"] and groups[-1]["legend"] == view["legend"]:
            groups[-1]["panels"].append(view)
        else:
            groups.append({"kind": view["kind"], "legend": view["legend"], "panels": [view]})
    for number, group in enumerate(groups):
        group["id"] = f"{study.name}-group-{number}"
    return groups


def _panel_view(identifier: str, panel: Panel) -> dict[str, Any]:
    view: dict[str, Any] = {"id": identifier, "title": panel.title, "alt": panel.summary, "legend": []}
    if isinstance(panel, PicturePanel):
        rows = [(name, [(each.title, data_url(each)) for each in pictures]) for name, pictures in panel.rows]
        return {**view, "kind": "pictures", "rows": rows}
    view["chart"] = json.dumps(chart_of(panel), separators=(",", ":"))
    if isinstance(panel, HeatPanel):
        return {**view, "kind": "table" if panel.kind == "share" else "heat"}
    legend = [
        {
            "name": line.name,
            "slot": line.slot % len(SHAPES),
            "dash": " ".join(map(str, DASHES[line.slot % len(DASHES)])),
        }
        for line in panel.series
    ]
    diverged = sum(sum(line.diverged) for line in panel.series) if panel.marks else 0
    return {**view, "kind": "lines", "legend": legend, "diverged": diverged}


def table_view(table: Table) -> dict[str, Any]:
    """Columns and rows as text, each cell with the number it sorts by."""
    return {
        "columns": table.columns,
        "rows": [
            [
                (cell_text(cell, column), "" if cell is None else cell)
                for cell, column in zip(row, table.columns, strict=True)
            ]
            for row in table.rows
        ],
    }


def cell_text(cell: str | float | int | None, column: Column) -> str:
    """A cell as it is read."""
    if cell is None:
        return "–"
    if isinstance(cell, str) or column.kind == "text":
        return str(cell)
    if column.kind == "count":
        return f"{cell:d}"
    if column.kind == "percent":
        return f"{100 * cell:.1f} %"
    if math.isclose(cell, round(cell)) and abs(cell) < 1e6:
        return f"{round(cell):d}"
    return f"{cell:.3g}"


def csv_rows(table: Table) -> list[list[str | float | int | None]]:
    """The titles, then the rows, numbers with the digits they have."""
    return [[column.title for column in table.columns], *(list(row) for row in table.rows)]
