"""A study's figure as one picture, SVG and PNG, without a browser."""

from __future__ import annotations

from typing import Any

import altair as alt
import vl_convert

from normlab.findings import HeatPanel, LinePanel, Panel, PicturePanel, StudyFindings
from normlab.report.charts import (
    CELL_HEIGHT,
    HEIGHT,
    VEGA_LITE,
    Spec,
    heat_chart,
    line_chart,
    rows_of,
)
from normlab.report.png import data_url
from normlab.report.themes import CONFIG, LIGHT, themed

LINE_SIZE = {"width": 330, "height": HEIGHT}
COLUMNS = {"lines": 3, "decades": 4, "share": 1, "pictures": 1}
DOTS = 1.5  # of a PNG to a unit of an SVG: sharp on a slide; twice as many take twice the time


def svg(spec: Spec) -> str:
    """The figure of `figure_spec` as SVG."""
    text: str = vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE)
    return text


def png(picture: str) -> bytes:
    """An SVG picture as PNG: half the time of drawing the figure again."""
    content: bytes = vl_convert.svg_to_png(picture, scale=DOTS)
    return content


def figure_spec(study: StudyFindings) -> Spec:
    """All panels of the study under its title, as one Vega-Lite chart in the colours of white paper."""
    rows: list[list[Spec]] = []
    datasets: dict[str, Any] = {}
    before: object = None
    for number, panel in enumerate(study.panels):
        alike = (
            _kind(panel),
            [line.name for line in panel.series] if isinstance(panel, LinePanel) else [],
        )
        if alike != before or len(rows[-1]) == COLUMNS[_kind(panel)]:
            rows.append([])
        spec = _panel_spec(panel, f"rows{number}", legend=alike != before)
        datasets |= spec.pop("datasets", {})
        rows[-1].append({**spec, "title": panel.title})
        before = alike
    separate = {
        "scale": {"color": "independent", "shape": "independent", "strokeDash": "independent"}
    }
    seeds = f"{len(study.seeds)} seed{'' if len(study.seeds) == 1 else 's'}"
    figure = {
        "title": {"text": study.title, "subtitle": seeds, "fontSize": 18, "offset": 20},
        "vconcat": [{"hconcat": row, "spacing": 36, "resolve": separate} for row in rows],
        "spacing": 32,
        "padding": 24,
        "resolve": separate,
        "datasets": datasets,
        "config": {**CONFIG, "background": "@paper"},
    }
    return themed(figure, LIGHT)


def _kind(panel: Panel) -> str:
    if isinstance(panel, LinePanel):
        return "lines"
    return panel.kind if isinstance(panel, HeatPanel) else "pictures"


def _panel_spec(panel: Panel, data: str, legend: bool) -> Spec:
    """One panel, with the data that it names."""
    if isinstance(panel, PicturePanel):
        return _gallery(panel)
    if isinstance(panel, LinePanel):
        chart = line_chart(panel, data, interactive=False, legend=legend).properties(**LINE_SIZE)
    else:
        width = 235 * len(panel.x) if panel.kind == "share" else 230
        chart = heat_chart(panel, data, legend).properties(
            width=width, height=CELL_HEIGHT * len(panel.y)
        )
    spec: Spec = chart.to_dict(validate=False)
    for name in ("$schema", "config"):
        spec.pop(name, None)
    return {**spec, "datasets": {data: rows_of(panel)}}


def _gallery(panel: PicturePanel) -> Spec:
    """Pictures in rows, each row under its name."""
    size = 52
    rows = [
        {"name": name, "number": number, "url": data_url(picture)}
        for name, pictures in panel.rows
        for number, picture in enumerate(pictures)
    ]
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_image(width=size, height=size)
        .encode(
            x=alt.X("number:O", axis=None),
            y=alt.Y(
                "name:N",
                sort=[name for name, _ in panel.rows],
                title=None,
                axis=alt.Axis(labelLimit=230),
            ),
            url="url:N",
        )
        .properties(width=alt.Step(size + 6), height=alt.Step(size + 6))
    )
    spec: Spec = chart.to_dict(validate=False)
    for name in ("$schema", "config"):
        spec.pop(name, None)
    return spec
