"""A report as HTML: a fragment for a notebook, or one page that needs nothing else."""

from __future__ import annotations

from html import escape

from normlab.checker.findings import Finding, Report
from normlab.checker.show_text import MARKS, WORDS, place

STYLE = """
.normlab-check { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; color: #1b1b1f; }
.normlab-check .f { border-left: 4px solid; padding: .1rem 0 .1rem .8rem; margin: .8rem 0; }
.normlab-check .wrong { border-color: #c62828; } .normlab-check .waiting { border-color: #b7791f; }
.normlab-check .unjudged { border-color: #b7791f; }
.normlab-check .unimplemented { border-color: #2b6cb0; } .normlab-check .right { border-color: #2e7d32; }
.normlab-check .remark { border-color: #7b5ea7; }
.normlab-check code { font-family: ui-monospace, monospace; background: #8881; padding: 0 .2em; }
.normlab-check .math { font-family: "STIX Two Math", "Cambria Math", Georgia, serif; font-size: 1.05em; }
.normlab-check dt { float: left; clear: left; width: 7rem; opacity: .7; } .normlab-check dd { margin-left: 7.5rem; }
.normlab-check dl { margin: .3rem 0; } .normlab-check h2 { font-size: 1.15rem; } .normlab-check small { opacity: .75; }
@media (prefers-color-scheme: dark) {
  .normlab-page { background: #16161a; } .normlab-page .normlab-check { color: #e8e8ea; }
}
"""


def fragment(report: Report, hint: int = 3) -> str:
    """The report for a notebook's output cell, with at most so many hints to unfold."""
    verdicts = report.functions
    counts = ", ".join(f"{list(verdicts.values()).count(v)} {WORDS[v]}" for v in MARKS if v in verdicts.values())
    parts = [
        f"<style>{STYLE}</style><div class='normlab-check'>",
        f"<h2>{escape(report.subject)}: {counts or 'nothing to check'}</h2>",
    ]
    if report.read:
        parts.append(f"<p><small>read: {escape(', '.join(report.read))}</small></p>")
    if report.passed_over:
        told = escape(", ".join(report.passed_over))
        parts.append(f"<p>not read: {told} (another copy; check its own folder to judge it)</p>")
    for verdict in ("wrong", "waiting", "unimplemented", "unjudged"):
        parts += [_finding(f, hint) for f in report.findings if f.verdict == verdict]
    right = [f"<code>{escape(name)}</code>" for name, verdict in verdicts.items() if verdict == "right"]
    if right:
        parts.append(f"<div class='f right'>✓ right: {', '.join(right)}</div>")
    for f in report.findings:
        if f.verdict == "right" and f.fault:
            kind = "convention" if f.severity == "convention" else "remark"
            parts.append(f"<div class='f remark'>{kind}: <code>{escape(f.function)}</code>: {escape(f.sentence)}</div>")
    if report.not_judged:
        told = "; ".join(f"<code>{escape(one.name)}</code> ({escape(one.reason)})" for one in report.not_judged)
        parts.append(f"<div class='f unjudged'>? not judged: {told}</div>")
    parts += [f"<p><small>note: {escape(note)}</small></p>" for note in report.notes]
    parts.append(f"<p><small>seed {report.seed}: it asks the same questions again</small></p>")
    return "\n".join([*parts, "</div>"])


def page(report: Report, hint: int = 3) -> str:
    """The report as one HTML page, with at most so many hints to unfold."""
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>Check of {escape(report.subject)}</title></head>"
        f"<body class='normlab-page'>\n{fragment(report, hint)}\n</body></html>\n"
    )


def _finding(finding: Finding, hint: int) -> str:
    where = f" <small>({escape(place(finding))})</small>" if place(finding) else ""
    sentence = escape(finding.headline)
    rows = [("derivation", f"<span class='math'>{escape(finding.derivation)}</span>" if finding.derivation else "")]
    rows += [("measured", escape(finding.evidence)), ("notebook", escape(finding.cell))]
    table = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in rows if text)
    hints = "".join(
        f"<details><summary>hint {level}</summary>{escape(text)}</details>"
        for level, text in enumerate(finding.hints[:hint] if finding.verdict == "wrong" else (), start=1)
    )
    head = f"{MARKS[finding.verdict]} <b><code>{escape(finding.function)}</code></b>: {WORDS[finding.verdict]}{where}"
    return f"<div class='f {finding.verdict}'>{head}<br>{sentence}.<dl>{table}</dl>{hints}</div>"
