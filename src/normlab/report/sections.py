"""A study's findings in the form the page's template reads: charts as JSON, cells as text."""

from __future__ import annotations

import json
import math
from typing import Any

from normlab.findings import ClaimFinding, Column, HeatPanel, Panel, PicturePanel, StudyFindings, Table
from normlab.report.charts import COLOUR_RANGE, page_spec
from normlab.report.png import data_url
from normlab.report.themes import DASHES, SHAPES, on_page

View = dict[str, Any]


def section(study: StudyFindings) -> View:
    """Everything the template needs for one study."""
    groups = _groups(study)
    panels = [panel for group in groups for panel in group["panels"]]
    return {
        "study": study,
        "groups": groups,
        # what the note below the figure has to explain
        **{name: any(panel.get(name) for panel in panels) for name in ("lines", "diverged", "beyond")},
        "claims": [{"claim": claim, "bar": interval_bar(claim)} for claim in study.claims],
        "summary": table_view(study.summary),
        "runs": table_view(study.runs),
    }


def _groups(study: StudyFindings) -> list[View]:
    """Consecutive panels of one kind with the same lines share a legend and a row of the figure."""
    groups: list[View] = []
    for number, panel in enumerate(study.panels):
        view = _panel_view(f"{study.name}-{number}", panel)
        if groups and groups[-1]["kind"] == view["kind"] and groups[-1]["legend"] == view["legend"]:
            groups[-1]["panels"].append(view)
        else:
            groups.append({"kind": view["kind"], "legend": view["legend"], "panels": [view]})
    for number, group in enumerate(groups):
        group["id"] = f"{study.name}-group-{number}"
    return groups


def _panel_view(identifier: str, panel: Panel) -> View:
    view: View = {"id": identifier, "title": panel.title, "alt": panel.summary, "legend": [], "note": panel.note}
    if isinstance(panel, PicturePanel):
        rows = [(name, [(each.title, data_url(each)) for each in pictures]) for name, pictures in panel.rows]
        return {**view, "kind": "pictures", "rows": rows}
    if isinstance(panel, HeatPanel) and panel.kind == "share":
        return {**view, "kind": "matrix", "columns": panel.x, "rows": list(zip(panel.y, panel.values, strict=True))}
    view["chart"] = json.dumps(on_page(page_spec(panel)), separators=(",", ":"), ensure_ascii=False)
    if isinstance(panel, HeatPanel):
        return {**view, "kind": "heat", "quantity": panel.value_title, "range": COLOUR_RANGE}
    slots = [line.slot % len(SHAPES) for line in panel.series]
    legend = [
        {"name": line.name, "slot": slot, "shape": SHAPES[slot], "dash": " ".join(map(str, DASHES[slot]))}
        for line, slot in zip(panel.series, slots, strict=True)
    ]
    top = math.inf if panel.y_range is None else panel.y_range[1]
    return {
        **view,
        "kind": "lines",
        "lines": True,
        "legend": legend,
        "diverged": any(any(line.diverged) for line in panel.series),
        "beyond": any(not math.isfinite(y) or y > top for line in panel.series for y in line.centre),
    }


def interval_bar(claim: ClaimFinding) -> View | None:
    """Where effect, interval and margin lie on a bar from 0 to 100; None where there is no finite interval."""
    if not all(map(math.isfinite, (claim.effect, claim.low, claim.high))):
        return None
    left, right = min(claim.low, claim.margin, 0.0), max(claim.high, claim.margin, 0.0)
    room = 0.08 * (right - left) or 1.0
    left, right = left - room, right + room

    def place(value: float) -> float:
        return round(100 * (value - left) / (right - left), 2)

    return {
        "low": place(claim.low),
        "width": max(place(claim.high) - place(claim.low), 0.6),
        "effect": place(claim.effect),
        "margin": place(claim.margin),
    }


def table_view(table: Table) -> View:
    """Columns and rows as text, each cell with the number it sorts by, and all of it for a CSV file."""
    rows = [
        [
            (cell_text(cell, column), "" if cell is None else cell)
            for cell, column in zip(row, table.columns, strict=True)
        ]
        for row in table.rows
    ]
    return {"columns": table.columns, "rows": rows, "json": json.dumps(csv_rows(table), ensure_ascii=False)}


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
