"""The tables of a class.

CSV, one HTML page, the misconceptions counted, and Gradescope's results.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from html import escape
from pathlib import Path

from normlab.checker.findings import Finding
from normlab.checker.grading.autograders import gradescope
from normlab.checker.grading.records import Graded
from normlab.checker.grading.rubric import Rubric
from normlab.checker.names import NAMES
from normlab.checker.show_html import STYLE, page
from normlab.checker.show_text import MARKS, WORDS
from normlab.files import write_atomically


def write_all(graded: Sequence[Graded], rubric: Rubric, out: Path) -> None:
    """Write the tables and index.html, and pages/ and gradescope/ with a file a submission."""
    write_atomically(out / "table.csv", as_csv(graded, rubric).encode("utf-8-sig"))
    write_atomically(out / "misconceptions.csv", misconceptions_csv(graded).encode("utf-8-sig"))
    for folder in ("pages", "gradescope"):
        (out / folder).mkdir(exist_ok=True)
    for one in graded:
        write_atomically(out / "pages" / f"{one.name}.html", page(one.report, rubric.hint).encode())
        write_atomically(out / "gradescope" / f"{one.name}.json", gradescope(one, rubric).encode())
    write_atomically(out / "index.html", as_page(graded, rubric).encode())


def as_csv(graded: Sequence[Graded], rubric: Rubric) -> str:
    """A row a submission: points by function, in all, the faults, and the protections."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["submission", *rubric.points, "points", "of", "faults", "protections"])
    for one in graded:
        faults = " ".join(f.fault for f in one.report.wrong) or _reasons(one)
        row = [
            one.name,
            *(f"{one.scores.get(name, 0):g}" for name in rubric.points),
            f"{one.score:g}",
            f"{one.total:g}",
        ]
        writer.writerow([_plain(cell) for cell in (*row, faults, "; ".join(one.protections))])
    return text.getvalue()


def misconceptions(graded: Sequence[Graded]) -> list[tuple[Finding, list[str]]]:
    """Each fault with the submissions that have it, the commonest first.

    What was not read has none.
    """
    who: dict[str, list[str]] = defaultdict(list)
    example: dict[str, Finding] = {}
    for one in graded:
        for finding in one.report.wrong:
            if finding.function not in NAMES:
                continue
            example.setdefault(finding.fault, finding)
            if one.name not in who[finding.fault]:
                who[finding.fault].append(one.name)
    return sorted(
        ((example[fault], names) for fault, names in who.items()),
        key=lambda pair: (-len(pair[1]), pair[0].fault),
    )


def misconceptions_csv(graded: Sequence[Graded]) -> str:
    """The same as CSV: fault, how many, in one sentence, who."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["fault", "submissions", "sentence", "who"])
    for finding, names in misconceptions(graded):
        writer.writerow(
            [
                _plain(cell)
                for cell in (finding.fault, str(len(names)), finding.sentence, " ".join(names))
            ]
        )
    return text.getvalue()


def as_page(graded: Sequence[Graded], rubric: Rubric) -> str:
    """The class on one page.

    The misconceptions with who has them, then a table that can be sorted.
    """
    common = "".join(_misconception(finding, names) for finding, names in misconceptions(graded))
    head = "".join(f"<th><span>{escape(name)}</span></th>" for name in rubric.points)
    legend = ", ".join(f"{MARKS[verdict]} {WORDS[verdict]}" for verdict in MARKS)
    rows = "".join(_row(one, rubric) for one in graded)
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Grades</title>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<style>{STYLE}{TABLE}</style></head>"
        f"<body class='normlab-page'><main class='normlab-check'><h1>{len(graded)} submissions</h1>"
        f"<h2>Misconceptions</h2>{common or '<p>none</p>'}<h2>Functions</h2>"
        f"<p><small>{legend}, – not there. A click on a head sorts by it.</small></p>"
        f"<div class='wide'><table id='class'><thead><tr><th>submission</th>{head}<th>points</th>"
        "<th>remark</th>"
        f"</tr></thead><tbody>{rows}</tbody></table></div></main><script>{SORT}</script></body></html>"
    )


def _misconception(finding: Finding, names: Sequence[str]) -> str:
    who = ", ".join(f"<a href='pages/{escape(name)}.html'>{escape(name)}</a>" for name in names)
    return (
        f"<details><summary><b>{len(names)}</b> <code>{escape(finding.fault)}</code> "
        f"{escape(finding.sentence)}</summary>{who}</details>"
    )


def _row(one: Graded, rubric: Rubric) -> str:
    verdicts = one.report.functions
    cells = "".join(
        f"<td class='{verdicts.get(name, 'absent')}' title='{escape(name)}: "
        f"{escape(WORDS.get(verdicts.get(name, ''), 'not there'))}'>"
        f"{MARKS.get(verdicts.get(name, ''), '–')}</td>"
        for name in rubric.points
    )
    remark = next((f.sentence for f in one.report.findings if f.function == "(loading)"), "")
    remark = remark or next((note for note in one.report.notes if note.startswith("left out:")), "")
    link = f"<a href='pages/{escape(one.name)}.html'>{escape(one.name)}</a>"
    points = f"<td data-by='{one.score:g}'>{one.score:g}/{one.total:g}</td>"
    return f"<tr><th>{link}</th>{cells}{points}<td>{escape(remark[:200])}</td></tr>"


TABLE = """
table { border-collapse: collapse; }
td, th { border-bottom: 1px solid #8884; padding: .2rem .5rem; text-align: left; }
thead th { cursor: pointer; vertical-align: bottom; } .wide { overflow-x: auto; }
th span { writing-mode: vertical-rl; font-weight: normal; }
td.right { color: #2e7d32; } td.wrong { color: #c62828; }
.normlab-check { max-width: none; margin: 1rem; } .normlab-check details { margin: .3rem 0; }
"""
SORT = """
const heads = document.querySelectorAll('#class thead th');
heads.forEach((head, column) => head.addEventListener('click', () => {
  const body = document.querySelector('#class tbody'), down = head.dataset.down !== '1';
  head.dataset.down = down ? '1' : '0';
  const by = row => row.cells[column].dataset.by || row.cells[column].textContent;
  const sign = down ? 1 : -1;
  const compare = (a, b) => by(a).localeCompare(by(b), undefined, {numeric: true}) * sign;
  [...body.rows].sort(compare).forEach(row => body.append(row));
}));
"""


def _reasons(one: Graded) -> str:
    """Why points are missing where no fault says it: `adam.unimplemented`, `adam.not_there`.

    Otherwise `none`.
    """
    verdicts = one.report.functions
    missing = [
        f"{name}.{verdicts.get(name, 'not_there')}"
        for name in one.scores
        if verdicts.get(name) != "right"
    ]
    return " ".join(missing) or "none"


def _plain(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
