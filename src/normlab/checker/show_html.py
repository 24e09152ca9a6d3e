"""A report as HTML: a fragment for a notebook, or one page that needs nothing else.

The templates are Jinja2's. It comes with normlab's extra `studies`; without it the page is the
report's text.
"""

from __future__ import annotations

from functools import cache
from html import escape
from typing import Any

from normlab.checker.findings import Report
from normlab.checker.show_text import MARKS, WORDS, as_text, counts_of, place, symptom_of

STYLE = """
.normlab-check { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; color: #1b1b1f; }
.normlab-check .f { border-left: 4px solid; padding: .1rem 0 .1rem .8rem; margin: .8rem 0; }
.normlab-check .wrong { border-color: #c62828; } .normlab-check .waiting { border-color: #b7791f; }
.normlab-check .unjudged { border-color: #b7791f; }
.normlab-check .unimplemented { border-color: #2b6cb0; } .normlab-check .right { border-color:
#2e7d32; }
.normlab-check .remark { border-color: #7b5ea7; }
.normlab-check code { font-family: ui-monospace, monospace; background: #8881; padding: 0 .2em; }
.normlab-check .math { font-family: "STIX Two Math", "Cambria Math", Georgia, serif; font-size:
1.05em; }
.normlab-check dt { float: left; clear: left; width: 7rem; opacity: .7; } .normlab-check dd {
margin-left: 7.5rem; }
.normlab-check dl { margin: .3rem 0; } .normlab-check h2 { font-size: 1.15rem; } .normlab-check
small { opacity: .75; }
@media (prefers-color-scheme: dark) {
  .normlab-page { background: #16161a; } .normlab-page .normlab-check { color: #e8e8ea; }
}
"""


def fragment(report: Report, hint: int = 3) -> str:
    """The report for a notebook's output cell, with at most so many hints to unfold."""
    return _filled("report.html.j2", report, hint)


def page(report: Report, hint: int = 3) -> str:
    """The report as one HTML page, with at most so many hints to unfold."""
    return _filled("page.html.j2", report, hint)


def _filled(template: str, report: Report, hint: int) -> str:
    templates = _templates()
    if templates is None:
        return f"<!doctype html><meta charset='utf-8'><pre>{escape(as_text(report, hint))}</pre>\n"
    text: str = templates.get_template(template).render(
        report=report,
        hint=hint,
        style=STYLE,
        marks=MARKS,
        words=WORDS,
        counts=counts_of(report),
        right_functions=[name for name, verdict in report.functions.items() if verdict == "right"],
    )
    return text


@cache
def _templates() -> Any:
    """Jinja2's environment, or None where it is not installed."""
    try:
        import jinja2
    except ImportError:
        return None
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("normlab.checker", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"place": place, "symptom": symptom_of}
    return environment
