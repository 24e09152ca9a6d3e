"""Panels as Vega-Lite charts, drawn with Altair. Colours are tokens, to be filled in by `themes.themed`.

The rows a chart draws are put beside it as named data, so that Altair need not copy and check every number.
"""

from __future__ import annotations

from typing import Any

import altair as alt

from normlab.findings import HeatPanel, LinePanel
from normlab.report.axes import x_channel, y_channel
from normlab.report.rows import heat_rows, line_rows
from normlab.report.themes import CONFIG, DASHES, SHAPES

HEIGHT = 240
CELL_HEIGHT = 22
COLOUR_RANGE = (-12.0, 4.0)  # decades; what lies beyond has the outermost colour
ZOOM = "[pointerdown[event.shiftKey], window:pointerup] > window:pointermove!"

Spec = dict[str, Any]
Chart = Any  # Altair's chart classes: Chart, LayerChart, ConcatChart


def line_chart(panel: LinePanel, legend: bool = False) -> Chart:
    """Lines with bands, a mark a value, and a hollow triangle at the top for what is infinite or beyond the axis.

    A value at which runs diverged carries a cross. The chart has the parameter `shown`: the name of the one line
    to show, or '' for all.
    """
    rows = line_rows(panel)
    look = _look(panel, legend)
    x, y = x_channel(panel), y_channel(panel)
    seen = alt.condition("shown == '' || shown == datum.series", alt.value(1), alt.value(0.08))
    faint = alt.condition("shown == '' || shown == datum.series", alt.value(0.16), alt.value(0.02))
    tooltip = [
        alt.Tooltip("series:N", title="line"),
        alt.Tooltip("x_text:N", title=panel.x_title),
        alt.Tooltip("text:N", title=panel.y_title),
        alt.Tooltip("runs:N", title="runs"),
    ]

    def base(condition: str) -> Chart:
        return alt.Chart(alt.NamedData("rows")).transform_filter(condition)

    drawn = base("isValid(datum.y)").encode(x=x, y=y)
    points = drawn.mark_point(clip=True, filled=True, size=50, opacity=1 if panel.marks else 0)
    layers = [
        *_chance(panel),
        base("isValid(datum.y) && isValid(datum.low) && isValid(datum.high)")
        .mark_area(clip=True)
        .encode(x=x, y=y_channel(panel, "low"), y2="high:Q", color=look["color"], opacity=faint),
        drawn.mark_line(clip=True, strokeWidth=2 if panel.marks else 1.5).encode(
            color=look["color"], strokeDash=look["dash"], opacity=seen
        ),
        # where lines are dense, the points are there to be hovered over, not to be seen
        points.encode(color=look["color"], shape=look["shape"], tooltip=tooltip)
        if not panel.marks
        else points.encode(color=look["color"], shape=look["shape"], opacity=seen, tooltip=tooltip),
    ]
    if any(row["beyond"] for row in rows):
        hollow = base("datum.beyond").mark_point(shape="triangle-up", filled=False, size=60, strokeWidth=1.5, yOffset=6)
        layers.append(hollow.encode(x=x, y=alt.value(0), color=look["color"], opacity=seen, tooltip=tooltip))
    if any(row["diverged"] for row in rows):
        crossed = base("datum.diverged > 0 && isValid(datum.y)").encode(x=x, y=y)
        crossed = crossed.mark_point(shape="cross", angle=45, size=150, filled=False, strokeWidth=1.2, clip=True)
        layers.append(crossed.encode(color=look["color"], opacity=seen, tooltip=tooltip))
    # the last layer in which every row has x and y carries the zoom
    layers[len(_chance(panel)) + 1] = layers[len(_chance(panel)) + 1].add_params(
        alt.selection_interval(
            name="zoom", bind="scales", zoom="wheel![event.shiftKey]", translate=ZOOM, on=ZOOM, clear="dblclick"
        )
    )
    return alt.layer(*layers).add_params(alt.param(name="shown", value=""))


def heat_chart(panel: HeatPanel, legend: bool = False) -> Chart:
    """Cells in colour; shares have their value written into them."""
    base = alt.Chart(alt.NamedData("rows")).encode(
        x=alt.X("x:O", sort=list(panel.x), title=panel.x_title or None, axis=alt.Axis(labelAngle=0, labelLimit=150)),
        y=alt.Y("y:O", sort=list(panel.y), title=panel.y_title or None, axis=alt.Axis(labelLimit=220)),
        tooltip=[
            alt.Tooltip("x:N", title=panel.x_title or "question"),
            alt.Tooltip("y:N", title=panel.y_title or "operation"),
            alt.Tooltip("text:N", title=panel.value_title),
        ],
    )
    if panel.kind == "share":
        scale = alt.Scale(domain=[0, 1], range=["@paper", "@1"], interpolate="rgb")
        cells = base.mark_rect(stroke="@rule").encode(color=alt.Color("value:Q", scale=scale, legend=None))
        ink = alt.condition("datum.value > 0.55", alt.value("@paper"), alt.value("@ink"))
        return alt.layer(cells, base.mark_text(fontSize=12).encode(text="text:N", color=ink))
    bar = alt.Legend(title="power of ten", gradientLength=130, format="d", tickCount=5) if legend else None
    scale = alt.Scale(domain=list(COLOUR_RANGE), scheme="viridis", clamp=True)
    return base.mark_rect().encode(color=alt.Color("value:Q", scale=scale, legend=bar))


def panel_chart(panel: LinePanel | HeatPanel, legend: bool = False) -> Chart:
    """The panel's chart."""
    return line_chart(panel, legend) if isinstance(panel, LinePanel) else heat_chart(panel, legend)


def page_spec(panel: LinePanel | HeatPanel) -> Spec:
    """The panel as the page embeds it: as wide as its place, without a legend, which the page has as buttons."""
    height = HEIGHT if isinstance(panel, LinePanel) else CELL_HEIGHT * len(panel.y)
    # checked by the tests; checking again each time takes seconds
    spec: Spec = panel_chart(panel).properties(width="container", height=height).to_dict(validate=False)
    spec["config"] = CONFIG
    spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    spec["datasets"] = {"rows": rows_of(panel)}
    return spec


def rows_of(panel: LinePanel | HeatPanel) -> list[dict[str, Any]]:
    """What the panel's chart draws, a row a mark."""
    return line_rows(panel) if isinstance(panel, LinePanel) else heat_rows(panel)


def _chance(panel: LinePanel) -> list[Chart]:
    """A dotted line where guessing would be."""
    if panel.chance is None:
        return []
    level = alt.Chart(alt.Data(values=[{"level": 100 * panel.chance}])).encode(  # type: ignore[no-untyped-call]
        y=y_channel(panel, "level")
    )
    note = level.mark_text(align="right", baseline="bottom", dy=-3, fontSize=11, color="@soft", text="guessing")
    return [level.mark_rule(color="@soft", strokeDash=[2, 3], opacity=0.8), note.encode(x=alt.value("width"))]


def _look(panel: LinePanel, legend: bool) -> dict[str, Any]:
    """Colour, shape and dash of each line, by its slot."""
    names = [line.name for line in panel.series]
    slots = [line.slot % len(SHAPES) for line in panel.series]
    where = alt.Legend(title=None, orient="top", symbolStrokeWidth=2, columns=4) if legend else None

    def scale(values: list[Any]) -> alt.Scale:
        return alt.Scale(domain=names, range=values)

    return {
        "color": alt.Color("series:N", scale=scale([f"@{slot}" for slot in slots]), legend=where),
        "shape": alt.Shape("series:N", scale=scale([SHAPES[slot] for slot in slots]), legend=where),
        "dash": alt.StrokeDash("series:N", scale=scale([list(DASHES[slot]) for slot in slots]), legend=where),
    }
