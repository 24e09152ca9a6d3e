"""A report for a person at a terminal: lines of text, each with the kind of thing it says."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import PurePath
from typing import NamedTuple

from normlab.checker.findings import Finding, Report

MARKS = {"right": "✓", "wrong": "✗", "waiting": "…", "unimplemented": "○", "unjudged": "?"}
WORDS = {"right": "right", "wrong": "wrong", "waiting": "waits", "unimplemented": "not written yet",
         "unjudged": "not judged"}  # fmt: skip
STYLES = {"wrong": "bold red", "waiting": "yellow", "unimplemented": "cyan",
          "unjudged": "yellow", "right": "green", "remark": "magenta",
          "label": "dim", "head": "bold", "text": ""}  # fmt: skip
WIDTH = 100
MORE = "    (--hint 1 says on which path, 2 which term, 3 the formula)"


class Line(NamedTuple):
    """A line of the report: what kind of thing it says, and its text."""

    kind: str
    text: str


def as_lines(report: Report, hint: int = 0, width: int = WIDTH) -> list[Line]:
    """The whole report; `hint` (0 to 3) is the number of hints shown with each fault."""
    verdicts = report.functions
    lines = [
        Line(
            "head", f"{report.subject}: {counts_of(report) or 'nothing of the assignment is in it'}"
        ),
        *_files(report, width),
        Line("text", ""),
    ]
    for verdict in ("wrong", "waiting", "unimplemented", "unjudged"):
        for finding in report.findings:
            if finding.verdict == verdict:
                lines += _finding(finding, hint if verdict != "waiting" else 0, width)
    right = [name for name, verdict in verdicts.items() if verdict == "right"]
    if right:
        lines += _wrapped("right", f"{MARKS['right']} right: ", ", ".join(right), width)
    for one in report.not_judged:
        told = (
            f"{one.name} (line {one.line}): {one.reason}"
            if one.line
            else f"{one.name}: {one.reason}"
        )
        lines += _wrapped("unjudged", f"{MARKS['unjudged']} not judged: ", told, width)
    for finding in report.findings:
        if finding.verdict == "right" and finding.fault:
            kind = "convention" if finding.severity == "convention" else "remark"
            lines += _wrapped(
                "remark", f"  {kind}: ", f"{finding.function}: {finding.sentence}", width
            )
    if report.notes:
        lines.append(Line("text", ""))
        for note in report.notes:
            lines += _wrapped("label", "  note: ", note, width)
    return [*lines, Line("label", f"  (--seed {report.seed} asks the same questions again)")]


def counts_of(report: Report) -> str:
    """How many functions have which verdict."""
    verdicts = list(report.functions.values())
    counts = [f"{verdicts.count(v)} {WORDS[v]}" for v in MARKS if v in verdicts]
    return ", ".join(
        [*counts, *([f"{len(report.not_judged)} not known"] if report.not_judged else [])]
    )


def _files(report: Report, width: int) -> list[Line]:
    """What was read, where that is more than the file that was named, and what was not."""
    lines = []
    if report.read and not (len(report.read) == 1 and report.subject.endswith(report.read[0])):
        lines += _wrapped("label", "  read:     ", ", ".join(report.read), width)
    if not report.findings and not report.not_judged:
        told = "no function has one of the names that are known; `normlab explain` lists them"
        files = ", ".join(report.read) or "nothing that is Python"
        lines += _wrapped("label", "  looked at: ", f"{files}; {told}", width)
    if report.passed_over:
        told = ", ".join(report.passed_over)
        lines += _wrapped(
            "unjudged",
            "  not read: ",
            f"{told} (another copy; check its own folder to judge it)",
            width,
        )
    return lines


def as_text(report: Report, hint: int = 0) -> str:
    """The report as plain text."""
    return "\n".join(line.text for line in as_lines(report, hint))


def place(finding: Finding) -> str:
    """`layers.py:12`, as editors and terminals know it; or nothing."""
    if not finding.line or not finding.file or finding.file.startswith("<"):
        return f"line {finding.line}" if finding.line else ""
    name = PurePath(finding.file).name
    return f"{name}, line {finding.line}" if ", cell " in name else f"{name}:{finding.line}"


def symptom_of(finding: Finding) -> str:
    """How it fails, without naming the term that is wrong; for what is not wrong, the sentence
    itself."""
    return finding.symptom if finding.verdict == "wrong" and finding.symptom else finding.headline


def of_findings(findings: Iterable[Finding], hint: int = 0) -> str:
    """Some findings as plain text, with so many hints and no word of more."""
    lines = [line for finding in findings for line in _finding(finding, hint, WIDTH)]
    return "\n".join(line.text for line in lines if line.text != MORE).strip()


def _finding(finding: Finding, hint: int, width: int) -> list[Line]:
    where = place(finding)
    head = f"{MARKS[finding.verdict]} {finding.function}: {WORDS[finding.verdict]}"
    lines = [Line(finding.verdict, head + (f"   ({where})" if where else ""))]
    lines += _wrapped("text", "    ", symptom_of(finding) + ".", width)
    follows = f"{', '.join(finding.follows)}, which is wrong itself" if finding.follows else ""
    quote = f"{finding.line} | {finding.text}" if finding.text else ""
    wrong = finding.verdict == "wrong"
    seen = hint >= 3 or not wrong or finding.symptom == finding.headline
    evidence = finding.evidence if seen and finding.evidence != finding.symptom else ""
    for label, text in (
        ("your line", quote),
        ("measured", evidence),
        ("notebook", finding.cell),
        ("stands on", follows),
        ("how sure", finding.sure),
    ):
        if text:
            lines += _wrapped("label", f"    {label + ':':12} ", text, width)
    for level, text in enumerate(finding.hints[:hint], start=1):
        lines += _wrapped("text", f"    hint {level}:      "[:17], text, width)
    if wrong and hint == 0 and finding.hints:
        lines.append(Line("label", MORE))
    return [*lines, Line("text", "")]


def _wrapped(kind: str, first: str, text: str, width: int) -> list[Line]:
    wrapped = textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
    )
    return [Line(kind, line) for line in wrapped or [first.rstrip()]]
