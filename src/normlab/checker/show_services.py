"""A report in the words of other services: JUnit's XML, and GitHub's annotations at the line."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from normlab.checker.findings import Finding, Report, of_function
from normlab.checker.show_text import WORDS, of_findings, place, symptom_of

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report, hint: int = 0) -> str:
    """JUnit XML, a test case a function: GitLab, Codio, CodeGrade and Moodle read it.

    What is wrong is a failure, with so many hints; what waits, is not written or was not judged is
    skipped.
    """
    cases = []
    counts = {"failures": 0, "skipped": 0}
    for name, verdict in report.functions.items():
        findings = of_function(report.findings, name)
        told = of_findings((f for f in findings if f.verdict != "right"), hint)
        inside = ""
        if verdict == "wrong":
            counts["failures"] += 1
            inside = f"<failure message={_attribute(_first(findings))}>{_text(told)}</failure>"
        elif verdict != "right":
            counts["skipped"] += 1
            inside = f"<skipped message={_attribute(WORDS[verdict])}/>"
        cases.append(f'  <testcase classname="normlab" name={_attribute(name)}>{inside}</testcase>')
    for one in report.not_judged:
        counts["skipped"] += 1
        message = _attribute(one.reason)
        cases.append(
            f'  <testcase classname="normlab" name={_attribute(one.name)}><skipped message={message}/></testcase>'
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuite name={_attribute(report.subject)} tests="{len(cases)}" failures="{counts["failures"]}" '
        f'errors="0" skipped="{counts["skipped"]}" time="{report.seconds:.3f}">\n'
        + "\n".join(cases)
        + "\n</testsuite>\n"
    )


def github(report: Report) -> str:
    """Workflow commands that annotate the lines of a pull request: an error for each fault, a notice for the rest."""
    lines = []
    for finding in report.findings:
        if finding.verdict == "right" and not finding.fault:
            continue
        level = {"wrong": "error", "right": "notice"}.get(finding.verdict, "warning")
        where = (
            f" file={_escaped_property(finding.file)},line={finding.line}," if finding.line else " "
        )
        title = _escaped_property(f"{finding.function}: {WORDS[finding.verdict]}")
        lines.append(
            f"::{level}{where}title={title}::{_escaped(symptom_of(finding) or finding.sentence)}"
        )
    return "\n".join(lines)


def _first(findings: tuple[Finding, ...]) -> str:
    wrong = [finding for finding in findings if finding.verdict == "wrong"]
    where = place(wrong[0])
    return f"{where}: {symptom_of(wrong[0])}" if where else symptom_of(wrong[0])


def _text(text: str) -> str:
    return escape(_NOT_IN_XML.sub("�", text))


def _attribute(text: str) -> str:
    return quoteattr(_NOT_IN_XML.sub("�", text))


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
