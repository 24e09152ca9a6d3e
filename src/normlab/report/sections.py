"""A study's findings in the form the page's template reads: charts as JSON, cells as text."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from normlab.findings import Column, HeatPanel, Panel, PicturePanel, StudyFindings, Table, ranges
from normlab.report.axes import crowded
from normlab.report.charts import COLOUR_RANGE, page_spec
from normlab.report.png import data_url
from normlab.report.strips import Scale, claim_scales, claim_strip, row_scale, row_strip
from normlab.report.themes import DASHES, SHAPES, on_page

View = dict[str, Any]


def section(study: StudyFindings, data_title: str = "") -> View:
    """Everything the template needs for one study."""
    groups = _groups(study)
    panels = [panel for group in groups for panel in group["panels"]]
    scales = claim_scales(study.claims)
    claims = _claim_views(study, scales)
    return {
        "study": study,
        "groups": groups,
        # what the note below the figure has to explain
        **{
            name: any(panel.get(name) for panel in panels)
            for name in ("lines", "crowded", "diverged", "beyond")
        },
        "claims": claims,
        "headlines": [view for view in claims if view["claim"].headline],
        "strips": len(scales),
        "comparison": comparison_view(study),
        "limits": limits(study, data_title),
        "seeds": ranges(study.seeds),
        "summary": table_view(study.summary),
        "runs": table_view(study.runs),
    }


def _claim_views(study: StudyFindings, scales: dict[str, Scale]) -> list[View]:
    views: list[View] = []
    taken: set[str] = set()
    for claim in study.claims:
        identifier = f"{study.name}-{slug(claim.name)}"
        while identifier in taken:
            identifier += "-"
        taken.add(identifier)
        found = claim.sentence
        if claim.verdict == "cannot tell":  # which repeats the claim's own words
            found = claim.sentence.removeprefix(claim.statement).strip()
        views.append(
            {"claim": claim, "id": identifier, "found": found, "strip": claim_strip(claim, scales)}
        )
    return views


def slug(text: str) -> str:
    """A text as part of an address.

    >>> slug("better at batch 5, in the end")
    'better-at-batch-5-in-the-end'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def limits(study: StudyFindings, data_title: str) -> list[str]:
    """What a study does not answer: claims left open, verdicts that chance may have made, other nets and data."""
    sentences = []
    if study.comparison is not None and study.leaves_out:
        sentences.append(study.leaves_out)
    open_claims = [claim.name for claim in study.claims if claim.verdict == "cannot tell"]
    if open_claims:
        sentences.append(f"These seeds leave open: {'; '.join(open_claims)}.")
    close = [claim.name for claim in study.claims if claim.close]
    if close:
        sentences.append(
            "With so many claims on the page, chance may have made the verdict on: "
            f"{'; '.join(close)}."
        )
    sentences.append(
        f"It was measured on {data_title or 'this data'}, with the nets, sizes and optimizer named "
        "under “What it was run on”. Larger nets, other data and longer training may answer "
        "otherwise."
    )
    return sentences


def comparison_view(study: StudyFindings) -> View | None:
    """The arms of a comparison as the table shows them, their intervals on one scale."""
    table = study.comparison
    if table is None:
        return None
    scale = row_scale(table.rows)
    rows = []
    before: str | None = None
    for row in table.rows:
        known = not math.isnan(row.low) and not math.isnan(row.high)
        low, high = max(row.low, 0.0), min(row.high, 1.0)
        rows.append(
            {
                "setting": row.setting,
                "norm": row.norm,
                "accuracy": f"{100 * row.accuracy:.1f} %",
                "interval": f"{100 * low:.1f} to {100 * high:.1f} %" if known else "",
                "strip": row_strip(row, scale),
                "learned": row.learned,
                "seeds": row.seeds,
                "rate": f"{row.rate:g}",
                "seconds": f"{row.seconds:.2g}",
                "first": row.setting != before,
            }
        )
        before = row.setting
    several = len({row.setting for row in table.rows}) > 1
    return {"rows": rows, "recommendations": table.recommendations, "several": several}


def _groups(study: StudyFindings) -> list[View]:
    """Consecutive panels of one kind with the same lines, or of the same quantity, share a legend and a row."""
    groups: list[View] = []
    for number, panel in enumerate(study.panels):
        view = _panel_view(f"{study.name}-{number}", panel)
        alike = {name: view.get(name, "") for name in ("kind", "legend", "quantity")}
        if groups and all(groups[-1][name] == value for name, value in alike.items()):
            groups[-1]["panels"].append(view)
        else:
            groups.append({**alike, "panels": [view]})
    for number, group in enumerate(groups):
        group["id"] = f"{study.name}-group-{number}"
    return groups


def _panel_view(identifier: str, panel: Panel) -> View:
    view: View = {
        "id": identifier,
        "title": panel.title,
        "alt": panel.summary,
        "legend": [],
        "note": panel.note,
    }
    if isinstance(panel, PicturePanel):
        rows = [
            (name, [(each.title, data_url(each)) for each in pictures])
            for name, pictures in panel.rows
        ]
        return {**view, "kind": "pictures", "rows": rows}
    if isinstance(panel, HeatPanel) and panel.kind == "share":
        return {
            **view,
            "kind": "matrix",
            "columns": panel.x,
            "rows": list(zip(panel.y, panel.values, strict=True)),
        }
    view["chart"] = json.dumps(on_page(page_spec(panel)), separators=(",", ":"), ensure_ascii=False)
    if isinstance(panel, HeatPanel):
        return {**view, "kind": "heat", "quantity": panel.value_title, "range": COLOUR_RANGE}
    slots = [line.slot % len(SHAPES) for line in panel.series]
    legend = [
        {
            "name": line.name,
            "slot": slot,
            "shape": SHAPES[slot],
            "dash": " ".join(map(str, DASHES[slot])),
        }
        for line, slot in zip(panel.series, slots, strict=True)
    ]
    top = math.inf if panel.y_range is None else panel.y_range[1]
    return {
        **view,
        "kind": "lines",
        "lines": True,
        "crowded": crowded(panel),
        "legend": legend,
        "diverged": any(any(line.diverged) for line in panel.series),
        "beyond": any(
            not math.isfinite(y) or y > top for line in panel.series for y in line.centre
        ),
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
    return {
        "columns": table.columns,
        "rows": rows,
        "json": json.dumps(csv_rows(table), ensure_ascii=False),
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
