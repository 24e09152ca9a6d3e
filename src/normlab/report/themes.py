"""Colours and shapes of the figures, for light and for dark paper.

Eight colours that stay apart for colour-blind readers (Okabe and Ito, Color universal design,
2008), of which black becomes the paper's ink, and beside each a shape and a dash pattern of its
own: no line is told by colour alone.

A chart is drawn once, with tokens such as "@1" and "@ink" in place of colours. For a picture
`themed` puts colours there; for the page `on_page` puts CSS variables there, so that the reader's
choice of light or dark, and printing, need no redrawing.
"""

from __future__ import annotations

import json
from typing import Any

SHAPES = (
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "cross",
    "triangle-down",
    "triangle-right",
    "triangle-left",
)
DASHES = ((1, 0), (6, 2), (2, 2), (8, 2, 2, 2), (1, 0), (6, 2), (2, 2), (8, 2, 2, 2))
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif"

LIGHT = {
    "@ink": "#1d2330",
    "@soft": "#5a6373",
    "@rule": "#d9dde4",
    "@faint": "#eceff3",
    "@paper": "#ffffff",
    "@0": "#5f6673",
    "@1": "#0072b2",
    "@2": "#d55e00",
    "@3": "#009e73",
    "@4": "#cc79a7",
    "@5": "#e69f00",
    "@6": "#56b4e9",
    "@7": "#1d2330",
}

DARK = {
    "@ink": "#e8eaee",
    "@soft": "#a4acba",
    "@rule": "#3a414e",
    "@faint": "#262c37",
    "@paper": "#151920",
    "@0": "#b4bac4",
    "@1": "#4aa8e8",
    "@2": "#ff8a3d",
    "@3": "#2cc79a",
    "@4": "#e39cc4",
    "@5": "#f0c04a",
    "@6": "#8fd0f7",
    "@7": "#e8eaee",
}


def themed(chart: dict[str, Any], theme: dict[str, str]) -> dict[str, Any]:
    """The chart with this theme's colours in place of the tokens."""
    text = json.dumps(chart)
    for token, colour in theme.items():
        text = text.replace(json.dumps(token), json.dumps(colour))
    filled: dict[str, Any] = json.loads(text)
    return filled


def on_page(chart: dict[str, Any]) -> dict[str, Any]:
    """The chart with the page's CSS variables in place of the tokens."""
    return themed(chart, {token: f"var(--{token[1:]})" for token in LIGHT})


CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "@soft",
        "titleColor": "@soft",
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "gridColor": "@faint",
        "domainColor": "@rule",
        "tickColor": "@rule",
        "labelOverlap": True,
    },
    "axisX": {"grid": False, "labelSeparation": 6},
    "axisY": {
        "domain": False,
        "ticks": False,
        "titleAlign": "left",
        "titleAngle": 0,
        "titleAnchor": "start",
        "titleX": 0,
        "titleY": -12,
        "titleBaseline": "bottom",
    },
    "legend": {
        "labelColor": "@ink",
        "titleColor": "@soft",
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "symbolSize": 90,
        "gradientStrokeColor": "@rule",
    },
    "title": {"color": "@ink", "fontSize": 14, "fontWeight": 600, "anchor": "start", "offset": 12},
    "header": {"labelColor": "@ink", "titleColor": "@soft"},
}
