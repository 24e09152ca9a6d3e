"""The page: one HTML file that needs nothing else, made from findings alone."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import jinja2
import vl_convert

from normlab.findings import VERDICTS, Findings
from normlab.report.sections import section
from normlab.report.themes import DARK, LIGHT, VEGA_LITE


def page(findings: Findings) -> str:
    """The page as HTML, all styles, scripts, charts and tables inside it."""
    verdicts = [claim.verdict for study in findings.studies for claim in study.claims]
    context: dict[str, Any] = {
        "findings": findings,
        "sections": [section(study) for study in findings.studies],
        "tally": {verdict: verdicts.count(verdict) for verdict in VERDICTS},
        "style": _template_text("page.css"),
        "script": _template_text("page.js"),
        "bundle": bundle(),
        "light": LIGHT,
        "dark": DARK,
    }
    return _environment().get_template("page.html.j2").render(context)


@cache
def bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that asks for nothing from outside."""
    text: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    return text.replace("</script", "<\\/script")  # none today; the HTML parser would end the script there


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("normlab.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def _template_text(name: str) -> str:
    return (resources.files("normlab.report") / "templates" / name).read_text(encoding="utf-8")
