"""The page: one HTML file that needs nothing else, made from findings alone."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any

import jinja2
import vl_convert

from normlab.findings import VERDICTS, Findings
from normlab.report.charts import VEGA_LITE
from normlab.report.sections import section
from normlab.report.themes import DARK, LIGHT


def page(findings: Findings) -> str:
    """The page as HTML, all styles, scripts, charts and tables inside it."""
    verdicts = [claim.verdict for study in findings.studies for claim in study.claims]
    sections = [section(study, findings.data_title) for study in findings.studies]
    context: dict[str, Any] = {
        "findings": findings,
        "sections": sections,
        "compared": [part for part in sections if part["comparison"]],
        "tally": {verdict: verdicts.count(verdict) for verdict in VERDICTS},
        "names": [study.name for study in findings.studies],
        "looks": max(
            (claim.looks for study in findings.studies for claim in study.claims), default=()
        ),
        "close": sum(claim.close for study in findings.studies for claim in study.claims),
        "counted": _in_words(len(findings.studies)),
        "style": _template_text("page.css") + _template_text("print.css"),
        "script": _template_text("charts.js") + _template_text("page.js"),
        "bundle": bundle(),
        "light": LIGHT,
        "dark": DARK,
    }
    return _environment().get_template("page.html.j2").render(context)


@cache
def bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that asks for nothing from outside."""
    text: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    return text.replace(
        "</script", "<\\/script"
    )  # none today; the HTML parser would end the script there


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("normlab.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["tight"] = tight
    return environment


def tight(text: str) -> str:
    """The text with its numbers tied to their units, so that no line breaks between them."""
    return re.sub(r"(?<=[0-9.]) (?=%|points|×|seeds?\b)", "\N{NO-BREAK SPACE}", text)


def _in_words(number: int) -> str:
    """Small numbers as a text says them."""
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return words[number] if number < len(words) else str(number)


def _template_text(name: str) -> str:
    return (resources.files("normlab.report") / "templates" / name).read_text(encoding="utf-8")
