"""Panels as Vega-Lite charts, drawn with Altair. Colours are tokens, to be filled in by `themes`.

The rows a chart draws are named data, put beside it, so that Altair need not copy and check every
number.
"""

from __future__ import annotations

from typing import Any

import altair as alt

from normlab.findings import HeatPanel, LinePanel
from normlab.report.axes import crowded, error_range, heights, percent_range, x_channel, y_channel
from normlab.report.rows import heat_rows, line_rows
from normlab.report.themes import CONFIG, DASHES, SHAPES

VEGA_LITE = ".".join(
    alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2]
)  # what this Altair writes charts for
HEIGHT = 240
CELL_HEIGHT = 22
COLOUR_RANGE = (-12.0, 4.0)  # decades; what lies beyond has the outermost colour
# Zooming must not take the wheel from a reader who scrolls the page. Ctrl, because pinching on a
# touchpad arrives as a wheel with Ctrl; not Shift, which turns a wheel sideways.
HELD = "[event.ctrlKey || event.metaKey]"
DRAG = f"[pointerdown{HELD}, window:pointerup] > window:pointermove!"

Spec = dict[str, Any]
Chart = Any  # one of Altair's chart classes


def page_spec(panel: LinePanel | HeatPanel) -> Spec:
    """The panel as the page embeds it: as wide as its place; its legend are the page's own buttons."""
    height = HEIGHT if isinstance(panel, LinePanel) else CELL_HEIGHT * len(panel.y)
    chart = line_chart(panel) if isinstance(panel, LinePanel) else heat_chart(panel)
    spec: Spec = chart.properties(width="container", height=height).to_dict(validate=False)
    spec["config"] = CONFIG
    spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    spec["datasets"] = {"rows": rows_of(panel)}
    spec["usermeta"] = reading(panel)
    return spec


def reading(panel: LinePanel | HeatPanel) -> dict[str, Any]:
    """What the page says where a reader points: the axes' titles."""
    kind = "lines" if isinstance(panel, LinePanel) else "cells"
    value = panel.y_title if isinstance(panel, LinePanel) else panel.value_title
    return {"kind": kind, "x": panel.x_title, "value": value}


def rows_of(panel: LinePanel | HeatPanel) -> list[dict[str, Any]]:
    """What the panel's chart draws, a row a mark."""
    return line_rows(panel) if isinstance(panel, LinePanel) else heat_rows(panel)


def line_chart(
    panel: LinePanel, data: str = "rows", interactive: bool = True, legend: bool = False
) -> Chart:
    """Lines with bands and a mark a value, drawn from the named data.

    What is infinite or beyond the axis is a hollow triangle at its top; a value at which runs
    diverged carries a cross. An interactive chart zooms, and has the parameter `shown`: the name of
    the one line to show, or '' for all.
    """
    rows = line_rows(panel)
    look = _look(panel, legend)
    strong, faint = (_opacity(value, interactive) for value in (1.0, 0.16))
    place = {"x": x_channel(panel), "y": y_channel(panel)}
    tooltip = [
        alt.Tooltip("series:N", title="line"),
        alt.Tooltip("x_text:N", title=panel.x_title),
        alt.Tooltip("text:N", title=panel.y_title),
        alt.Tooltip("runs:N", title="runs"),
    ]

    def rows_where(condition: str) -> Chart:
        return alt.Chart(alt.NamedData(data)).transform_filter(condition)

    lines = rows_where("isValid(datum.y)").mark_line(
        clip=True, strokeWidth=2 if panel.marks else 1.5
    )
    lines = lines.encode(**place, color=look["color"], strokeDash=look["dash"], opacity=strong)
    if interactive:
        zoom = alt.selection_interval(
            name="zoom",
            bind="scales",
            zoom=f"wheel!{HELD}",
            translate=DRAG,
            on=DRAG,
            clear="dblclick",
        )
        # named, because Altair would count its charts and so make every page another file
        lines = lines.add_params(zoom).properties(name="lines")
    bands = rows_where("isValid(datum.y) && isValid(datum.low) && isValid(datum.high)").mark_area(
        clip=True
    )
    band_place = {"x": place["x"], "y": y_channel(panel, "low"), "y2": "high:Q"}
    # where lines are dense their points are there to be hovered over, not to be seen
    points = rows_where("isValid(datum.y)").mark_point(
        clip=True, filled=True, size=50 if panel.marks else 30
    )
    points = points.encode(**place, color=look["color"], shape=look["shape"], tooltip=tooltip)
    layers = [
        *_chance(panel),
        bands.encode(**band_place, color=look["color"], opacity=faint),
        lines,
        points.encode(opacity=strong if panel.marks else alt.value(0.0)),
    ]
    if any(row["beyond"] for row in rows):
        hollow = rows_where("datum.beyond").mark_point(
            shape="triangle-up", filled=False, size=60, strokeWidth=1.5, yOffset=6
        )
        above = {"x": place["x"], "y": alt.value(0)}
        layers.append(hollow.encode(**above, color=look["color"], opacity=strong, tooltip=tooltip))
    if any(row["diverged"] for row in rows) and panel.marks:
        crossed = rows_where("datum.diverged > 0 && isValid(datum.y)").mark_point(
            shape="cross", angle=45, size=150, filled=False, strokeWidth=1.2, clip=True
        )
        layers.append(crossed.encode(**place, color=look["color"], opacity=strong, tooltip=tooltip))
    chart = alt.layer(*layers)
    return chart.add_params(alt.param(name="shown", value="")) if interactive else chart


def heat_chart(panel: HeatPanel, data: str = "rows", legend: bool = False) -> Chart:
    """Cells in colour, drawn from the named data; shares have their value written into them."""
    base = alt.Chart(alt.NamedData(data)).encode(
        x=alt.X(
            "x:O",
            sort=list(panel.x),
            title=panel.x_title or None,
            axis=alt.Axis(labelAngle=0, labelLimit=230),
        ),
        y=alt.Y(
            "y:O", sort=list(panel.y), title=panel.y_title or None, axis=alt.Axis(labelLimit=230)
        ),
        tooltip=[
            alt.Tooltip("x:N", title=panel.x_title or "question"),
            alt.Tooltip("y:N", title=panel.y_title or "operation"),
            alt.Tooltip("text:N", title=panel.value_title),
        ],
    )
    if panel.kind == "share":
        scale = alt.Scale(domain=[0, 1], range=["@paper", "@1"], interpolate="rgb")
        cells = base.mark_rect(stroke="@rule").encode(
            color=alt.Color("value:Q", scale=scale, legend=None)
        )
        ink = alt.condition("datum.value > 0.55", alt.value("@paper"), alt.value("@ink"))
        return alt.layer(cells, base.mark_text(fontSize=12).encode(text="text:N", color=ink))
    title = f"{panel.value_title}, power of ten"
    bar = alt.Legend(title=title, gradientLength=130, format="d", tickCount=5) if legend else None
    scale = alt.Scale(domain=list(COLOUR_RANGE), scheme="viridis", clamp=True)
    return base.mark_rect().encode(color=alt.Color("value:Q", scale=scale, legend=bar))


def _opacity(value: float, interactive: bool) -> Any:
    """The opacity of a line, which fades while another is shown alone."""
    if not interactive:
        return alt.value(value)
    return alt.condition(
        "shown == '' || shown == datum.series", alt.value(value), alt.value(value * 0.1)
    )


def _chance(panel: LinePanel) -> list[Chart]:
    """A dotted line where guessing would be."""
    if panel.chance is None:
        return []
    place = heights(panel)(panel.chance)
    if crowded(panel):
        outside = 100 * (1 - panel.chance) > error_range(panel)[0]
    else:
        outside = panel.percent and percent_range(panel)[0] > place
    if outside:
        return []
    rows = [{"level": place}]
    level = alt.Chart(alt.InlineData(values=rows)).encode(y=y_channel(panel, "level"))
    note = level.mark_text(
        align="right", baseline="bottom", dy=-3, fontSize=11, color="@soft", text="guessing"
    )
    return [
        level.mark_rule(color="@soft", strokeDash=[2, 3], opacity=0.8),
        note.encode(x=alt.value("width")),
    ]


def _look(panel: LinePanel, legend: bool) -> dict[str, Any]:
    """Colour, shape and dash of each line, by its slot."""
    names = [line.name for line in panel.series]
    slots = [line.slot % len(SHAPES) for line in panel.series]
    where = (
        alt.Legend(
            title=None,
            orient="bottom",
            symbolStrokeWidth=2,
            symbolOpacity=1,
            columns=2,
            labelLimit=0,
        )
        if legend
        else None
    )

    def scale(values: list[Any]) -> alt.Scale:
        return alt.Scale(domain=names, range=values)

    return {
        "color": alt.Color("series:N", scale=scale([f"@{slot}" for slot in slots]), legend=where),
        "shape": alt.Shape("series:N", scale=scale([SHAPES[slot] for slot in slots]), legend=where),
        # its legend would dash the outlines of the other two's symbols
        "dash": alt.StrokeDash(
            "series:N", scale=scale([list(DASHES[slot]) for slot in slots]), legend=None
        ),
    }
