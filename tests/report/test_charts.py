"""Charts are valid Vega-Lite, and draw what the panels say: bands, divergence, what lies beyond the axis."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import altair as alt
import pytest

from normlab.findings import Findings, HeatPanel, LinePanel, Series
from normlab.report.axes import powers_between, x_channel, y_channel
from normlab.report.charts import heat_chart, line_chart, page_spec
from normlab.report.rows import heat_rows, line_rows
from normlab.report.themes import DARK, DASHES, LIGHT, SHAPES, on_page, themed


def series(
    name: str = "no norm", slot: int = 0, centre: tuple[float, ...] = (0.2, 0.4), diverged: int = 0
) -> Series:
    n = len(centre)
    low, high = tuple(y - 0.1 for y in centre), tuple(y + 0.1 for y in centre)
    return Series(
        name,
        slot,
        tuple(float(x) for x in range(1, n + 1)),
        centre,
        low,
        high,
        (3,) * n,
        (diverged,) * n,
    )


def panel(*lines: Series, **options: object) -> LinePanel:
    return LinePanel("Title", "Epoch", "Accuracy (%)", lines or (series(),), "summary", **options)


HEAT = HeatPanel(
    "Heat",
    "scale",
    "layer",
    ("1", "2"),
    ("a", "b"),
    ((0.0, -3.0), (None, 2.0)),
    "spread",
    "summary",
)


@pytest.mark.parametrize("interactive", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"percent": True, "chance": 0.1},
        {"x_log": True, "y_log": True},
        {"y_range": (0.0, 0.3)},
        {"marks": False},
        {"x_log": True, "ticks": (1.0, 2.0), "zero_x": 1.0},
    ],
    ids=str,
)
def test_line_charts_are_valid(options: dict[str, object], interactive: bool) -> None:
    lines = (series(), series("batch norm", 1, (0.5, math.inf), diverged=2))
    spec = line_chart(
        panel(*lines, **options), interactive=interactive, legend=not interactive
    ).to_dict()
    assert len(spec["layer"]) >= 3
    assert ("params" in spec) == interactive


@pytest.mark.parametrize("kind", ["decades", "share"])
def test_heat_charts_are_valid(kind: str) -> None:
    heat_chart(replace(HEAT, kind=kind), legend=True).to_dict()


def test_charts_of_the_page_are_valid(findings: Findings) -> None:
    for study in findings.studies:
        for kind in (LinePanel, HeatPanel):
            drawn = next((each for each in study.panels if isinstance(each, kind)), None)
            if drawn is not None:
                alt.Chart.from_dict(
                    themed({**page_spec(drawn), "datasets": {"rows": []}}, LIGHT), validate=True
                )


def test_rows_say_the_value_its_interval_and_its_runs() -> None:
    (first, _) = line_rows(panel(percent=True))
    assert (first["y"], first["low"], first["high"]) == (20.0, 10.0, 30.0)
    assert first["text"] == "20.0 % (95 %: 10.0 % to 30.0 %)"
    assert (first["runs"], first["beyond"]) == ("3", False)


def test_accuracies_near_100_per_cent_stand_on_a_logarithmic_axis_of_errors() -> None:
    high = panel(series(centre=(0.9, 0.99, 1.0)), percent=True)
    scale, axis = (y_channel(high).to_dict()[part] for part in ("scale", "axis"))
    assert scale["type"] == "log"
    assert scale["domain"][0] > scale["domain"][1]  # the larger error is below
    rows = line_rows(high)
    assert [row["y"] for row in rows[:2]] == [10.0, 1.0]
    assert rows[2]["y"] == scale["domain"][1]  # no error at all: at the top
    assert axis["values"][-1] == rows[2]["y"]
    assert rows[1]["text"].startswith("99.0 %")  # said as what it is
    assert rows[0]["low"] > rows[0]["y"] > rows[0]["high"]
    low = panel(series(centre=(0.2, 0.9)), percent=True)
    assert "type" not in y_channel(low).to_dict()["scale"]


def test_a_diverged_setting_is_marked_and_an_infinite_one_stands_at_the_top() -> None:
    rows = line_rows(panel(series(centre=(0.2, math.inf), diverged=2)))
    assert [row["diverged"] for row in rows] == [2, 2]
    assert rows[0]["runs"] == "3, 2 diverged"
    assert [row["beyond"] for row in rows] == [False, True]
    assert rows[1]["y"] is None
    assert "low" not in rows[1]
    chart = line_chart(panel(series(centre=(0.2, math.inf), diverged=2))).to_dict()
    shapes = [layer["mark"].get("shape") for layer in chart["layer"]]
    assert "cross" in shapes
    assert "triangle-up" in shapes


def test_without_divergence_nothing_is_crossed() -> None:
    chart = line_chart(panel()).to_dict()
    assert "cross" not in [layer["mark"].get("shape") for layer in chart["layer"]]


def test_a_line_leaves_the_picture_for_a_place_near_by() -> None:
    rows = line_rows(panel(series(centre=(1.0, 2e6)), y_range=(0.0, 3.0)))
    assert rows[1]["beyond"]
    assert rows[1]["y"] == 4.5
    assert rows[1]["text"].startswith("2e+06")


def test_cells_keep_what_was_not_measured() -> None:
    assert [row["value"] for row in heat_rows(HEAT)] == [0.0, -3.0, None, 2.0]
    assert [row["text"] for row in heat_rows(HEAT)] == ["1", "0.001", "not finite", "1e+02"]


def test_no_two_lines_share_colour_shape_and_dash() -> None:
    looks = [(LIGHT[f"@{slot}"], SHAPES[slot], DASHES[slot]) for slot in range(8)]
    assert len(set(looks)) == 8
    assert len({LIGHT[f"@{slot}"] for slot in range(8)}) == 8
    assert len(set(SHAPES)) == 8


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast_is_enough_to_read(theme: dict[str, str]) -> None:
    assert contrast(theme["@ink"], theme["@paper"]) > 12
    assert contrast(theme["@soft"], theme["@paper"]) > 4.5  # WCAG AA for small text
    for slot in range(4):  # the norms; further lines have shapes and dashes as well
        assert contrast(theme[f"@{slot}"], theme["@paper"]) > 3  # WCAG AA for graphics


def test_themes_fill_every_token() -> None:
    assert LIGHT.keys() == DARK.keys()
    for filled in (themed(page_spec(panel()), LIGHT), on_page(page_spec(HEAT))):
        assert '"@' not in json.dumps(filled)


def test_axes_hold_every_value() -> None:
    wide = panel(series(centre=(1e-12, 1e3)), y_log=True)
    low, high = y_channel(
        replace(wide, series=(replace(wide.series[0], low=(1e-12, 1e3), high=(1e-12, 1e3)),))
    ).to_dict()["scale"]["domain"]
    assert low < 1e-12
    assert high > 1e3
    assert powers_between(1e-4, 1.0) == [0.0001, 0.001, 0.01, 0.1, 1.0]
    assert x_channel(panel(x_log=True)).to_dict()["scale"]["type"] == "log"
