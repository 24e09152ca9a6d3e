"""Panels as Vega-Lite charts, drawn with Altair."""

from __future__ import annotations

import math
from typing import Any

import altair as alt

from normlab.findings import HeatPanel, LinePanel, Series
from normlab.report.themes import CONFIG, DASHES, SHAPES

HEIGHT = 250
WIDTH = 380  # of a picture file; on the page a chart is as wide as its place
CELL = 30
COLOUR_RANGE = (-12.0, 4.0)  # decades; what lies beyond has the outermost colour

Chart = dict[str, Any]


def line_chart(panel: LinePanel, legend: bool = False) -> alt.LayerChart:
    """Lines with bands, a point a value, and a mark at the top for what is not finite or beyond the axis.

    Without a legend the chart has the parameter `shown`: the name of the one line to show, or '' for all.
    """
    rows = [row for series in panel.series for row in _rows(series, panel)]
    base = alt.Chart(alt.Data(values=rows))
    x, y = _x(panel), _y(panel)
    styles = _styles(panel.series, legend)
    seen = alt.condition("shown == '' || shown == datum.series", alt.value(1), alt.value(0.08))
    faint = alt.condition("shown == '' || shown == datum.series", alt.value(0.16), alt.value(0.02))

    layers: list[alt.Chart] = []
    if panel.chance is not None and panel.y_range is None:
        level = 100 * panel.chance if panel.percent else panel.chance
        rule = alt.Chart(alt.Data(values=[{"y": level}]))
        layers.append(rule.mark_rule(color="@soft", strokeDash=[2, 3], opacity=0.7).encode(y="y:Q"))
        note = rule.mark_text(align="right", baseline="bottom", dy=-3, fontSize=11, color="@soft", text="guessing")
        layers.append(note.encode(y="y:Q", x=alt.value("width")))
    drawn = base.transform_filter("isValid(datum.y)")
    layers.append(
        drawn.transform_filter("isValid(datum.low) && isValid(datum.high)")
        .mark_area(clip=True, interpolate="linear")
        .encode(x=x, y=_y(panel, "low"), y2="high:Q", color=styles["color"], opacity=faint)
    )
    layers.append(
        drawn.mark_line(clip=True, strokeWidth=2 if panel.marks else 1.6).encode(
            x=x, y=y, color=styles["color"], strokeDash=styles["dash"], opacity=seen, detail="series:N"
        )
    )
    tooltip = [
        alt.Tooltip("series:N", title="line"),
        alt.Tooltip("x_text:N", title=panel.x_title),
        alt.Tooltip("text:N", title=panel.y_title),
        alt.Tooltip("runs:N", title="runs"),
    ]
    points = drawn.mark_point(clip=True, filled=True, size=55 if panel.marks else 40)
    if not panel.marks:  # nothing to see but on hovering: the line is dense enough
        points = drawn.mark_point(clip=True, filled=True, size=40, opacity=0)
        layers.append(points.encode(x=x, y=y, tooltip=tooltip))
    else:
        layers.append(
            points.encode(x=x, y=y, color=styles["color"], shape=styles["shape"], opacity=seen, tooltip=tooltip)
        )
    if any(row["beyond"] for row in rows):
        beyond = base.transform_filter("datum.beyond").mark_point(
            shape="triangle-up", filled=False, size=60, strokeWidth=1.5, yOffset=5
        )
        layers.append(beyond.encode(x=x, y=alt.value(0), color=styles["color"], opacity=seen, tooltip=tooltip))
    if any(row["diverged"] for row in rows):
        crossed = base.transform_filter("datum.diverged > 0 && isValid(datum.y)").mark_point(
            shape="cross", angle=45, size=130, filled=False, strokeWidth=1.2, clip=True
        )
        layers.append(crossed.encode(x=x, y=y, color=styles["color"], opacity=seen, tooltip=tooltip))
    return alt.layer(*layers).add_params(alt.param(name="shown", value=""))


def zoomable(chart: alt.LayerChart) -> alt.LayerChart:
    """The chart with zoom on Shift and wheel and a move on Shift and drag, so that a page still scrolls over it."""
    zoom = alt.selection_interval(
        bind="scales",
        zoom="wheel![event.shiftKey]",
        translate="[pointerdown[event.shiftKey], window:pointerup] > window:pointermove!",
        on="[pointerdown[event.shiftKey], window:pointerup] > window:pointermove!",
        clear="dblclick",
    )
    return chart.add_params(zoom)


def heat_chart(panel: HeatPanel) -> alt.LayerChart | alt.Chart:
    """Cells in colour; shares have their value written into them."""
    cells = [
        {
            "x": column,
            "y": row,
            "value": value,
            "clamped": None if value is None else min(max(value, COLOUR_RANGE[0]), COLOUR_RANGE[1]),
            "text": _cell_text(panel.kind, value),
        }
        for row, values in zip(panel.y, panel.values, strict=True)
        for column, value in zip(panel.x, values, strict=True)
    ]
    base = alt.Chart(alt.Data(values=cells)).encode(
        x=alt.X("x:O", sort=list(panel.x), title=panel.x_title or None, axis=alt.Axis(labelAngle=0, labelLimit=120)),
        y=alt.Y("y:O", sort=list(panel.y), title=panel.y_title or None, axis=alt.Axis(labelLimit=220)),
        tooltip=[
            alt.Tooltip("y:N", title=panel.y_title or "operation"),
            alt.Tooltip("x:N", title=panel.x_title or "question"),
            alt.Tooltip("text:N", title=panel.value_title),
        ],
    )
    if panel.kind == "share":
        colour = alt.Color("value:Q", scale=alt.Scale(domain=[0, 1], range=["@paper", "@1"]), legend=None)
        ink = alt.condition("datum.value > 0.55", alt.value("@paper"), alt.value("@ink"))
        cells_chart = base.mark_rect(stroke="@rule", strokeWidth=1).encode(color=colour)
        return alt.layer(cells_chart, base.mark_text(fontSize=12).encode(text="text:N", color=ink))
    colour = alt.Color(
        "clamped:Q",
        scale=alt.Scale(domain=list(COLOUR_RANGE), scheme="viridis"),
        legend=alt.Legend(title="power of ten", orient="right", gradientLength=130, format="d", tickCount=5),
    )
    return base.mark_rect().encode(color=colour)


def to_spec(chart: alt.LayerChart | alt.Chart, height: int | alt.Step, width: int | str | alt.Step) -> Chart:
    """The chart as Vega-Lite with the house's look, colours still tokens."""
    spec: Chart = chart.properties(width=width, height=height).configure(**{}).to_dict()
    spec["config"] = CONFIG
    return spec


def _rows(series: Series, panel: LinePanel) -> list[dict[str, Any]]:
    factor = 100.0 if panel.percent else 1.0
    top = math.inf if panel.y_range is None else panel.y_range[1]
    rows = []
    for x, centre, low, high, runs, diverged in zip(
        series.x, series.centre, series.low, series.high, series.runs, series.diverged, strict=True
    ):
        rows.append(
            {
                "series": series.name,
                "x": _rounded(x),
                "y": _rounded(centre * factor),
                "low": _rounded(low * factor),
                "high": _rounded(high * factor),
                "text": _value_text(centre, low, high, panel.percent),
                "x_text": "0" if panel.zero_x is not None and x == panel.zero_x else f"{x:.4g}",
                "runs": f"{runs}" + (f", {diverged} diverged" if diverged else ""),
                "diverged": diverged,
                "beyond": bool(not math.isfinite(centre) or centre > top),
            }
        )
    return rows


def _x(panel: LinePanel) -> alt.X:
    scale = (
        alt.Scale(type="log", nice=False, padding=12) if panel.x_log else alt.Scale(nice=False, zero=False, padding=8)
    )
    axis = alt.Axis(format="~g", tickMinStep=1) if not panel.x_log else alt.Axis(format="~g", tickCount=5)
    if panel.ticks:
        axis = alt.Axis(format="~g", values=list(panel.ticks))
    elif panel.x_log:
        axis = alt.Axis(format="~g", values=_decades_between(panel))
    if panel.zero_x is not None:
        axis.labelExpr = f"datum.value == {panel.zero_x!r} ? '0' : datum.label"
    return alt.X("x:Q", title=panel.x_title, scale=scale, axis=axis)


def _y(panel: LinePanel, name: str = "y") -> alt.Y:
    if panel.y_log:
        scale = alt.Scale(type="log", nice=True)
        axis = alt.Axis(tickCount=5, format="~g" if _moderate(panel) else ".0e")
    else:
        domain = list(panel.y_range) if panel.y_range else alt.Undefined
        scale, axis = alt.Scale(zero=False, nice=True, domain=domain), alt.Axis(tickCount=6)
    return alt.Y(f"{name}:Q", title=panel.y_title, scale=scale, axis=axis)


def _styles(series: tuple[Series, ...], legend: bool) -> dict[str, Any]:
    names = [line.name for line in series]
    slots = [line.slot % len(SHAPES) for line in series]
    where = alt.Legend(title=None, orient="top", columns=0, symbolStrokeWidth=2) if legend else None
    return {
        "color": alt.Color(
            "series:N", scale=alt.Scale(domain=names, range=[f"@{slot}" for slot in slots]), legend=where
        ),
        "shape": alt.Shape(
            "series:N", scale=alt.Scale(domain=names, range=[SHAPES[slot] for slot in slots]), legend=where
        ),
        "dash": alt.StrokeDash(
            "series:N", scale=alt.Scale(domain=names, range=[list(DASHES[slot]) for slot in slots]), legend=where
        ),
    }


def _decades_between(panel: LinePanel) -> list[float]:
    xs = [x for series in panel.series for x in series.x]
    low, high = math.floor(math.log10(min(xs))), math.ceil(math.log10(max(xs)))
    return [10.0**power for power in range(low, high + 1)]


def _moderate(panel: LinePanel) -> bool:
    values = [y for series in panel.series for y in series.centre if math.isfinite(y) and y > 0]
    return bool(values) and min(values) >= 1e-3 and max(values) < 1e5


def _value_text(centre: float, low: float, high: float, percent: bool) -> str:
    def said(value: float) -> str:
        if not math.isfinite(value):
            return "not finite"
        return f"{100 * value:.1f} %" if percent else f"{value:.3g}"

    if math.isnan(low) or math.isnan(high):
        return said(centre)
    return f"{said(centre)} ({said(low)} to {said(high)})"


def _cell_text(kind: str, value: float | None) -> str:
    if value is None:
        return "not finite"
    return f"{value:.2f}" if kind == "share" else f"10^{value:.1f}"


def _rounded(value: float) -> float | None:
    """Four significant digits are more than a pixel shows, and make a smaller page."""
    return float(f"{value:.4g}") if math.isfinite(value) else None
