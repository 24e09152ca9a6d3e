"""The rows of the self-test as a table for a terminal, for a document, and as a file with its provenance."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from normlab.errors import OptionError
from normlab.files import write_atomically
from normlab.selftest.measured import Measured

VERDICTS = {True: ("holds", "green"), False: ("BROKEN", "bold red"), None: ("not run", "dim")}
FORMATS = (".json", ".csv", ".md")
HEADINGS = ("promise", "bound", "measured", "PyTorch", "verdict")


def table(rows: Sequence[Measured]) -> Table:
    """Promise, bound, measured, PyTorch where it was measured, verdict; a section an area."""
    with_peer = any(row.peer for row in rows)
    headings = [heading for heading in HEADINGS if with_peer or heading != "PyTorch"]
    shown = Table(*headings, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for area, of_area in groupby(rows, key=lambda row: row.area):
        shown.add_section()
        shown.add_row(Text(area, style="bold"))
        for row in of_area:
            verdict, style = VERDICTS[row.holds]
            cells = (row.promise, row.bound, row.measured, *([row.peer] if with_peer else []))
            shown.add_row(*(Text(cell) for cell in cells), Text(verdict, style=style))
    return shown


def summary(rows: Sequence[Measured]) -> Text:
    """What needs a word, row by row, and how many promises hold."""
    text = Text()
    for row in rows:
        if row.holds is not True and row.note:
            verdict, style = VERDICTS[row.holds]
            text.append(f"{verdict}: ", style=style).append(f"{row.promise}: {row.note}\n")
    verdicts = [row.holds for row in rows]
    text.append(
        f"{verdicts.count(True)} promises hold, {verdicts.count(False)} are broken, "
        f"{verdicts.count(None)} could not be measured here; {sum(row.cases for row in rows):,} "
        "inputs, files and kills."
    )
    return text


def markdown(rows: Iterable[Measured]) -> str:
    """The same table for a document."""
    cells = (
        (row.promise, row.bound, row.measured, row.peer, VERDICTS[row.holds][0]) for row in rows
    )
    return markdown_table(HEADINGS, cells)


def markdown_table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], right: Collection[int] = ()
) -> str:
    """A table in Markdown, its bars escaped; the columns with the numbers in `right` are aligned there.

    >>> print(markdown_table(["what", "size"], [["|y|", 2]], right=[1]), end="")
    | what | size |
    | --- | ---: |
    | \\|y\\| | 2 |
    """
    rules = ["---:" if number in right else "---" for number in range(len(headings))]
    escaped = ([str(cell).replace("|", "\\|") for cell in row] for row in rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in (headings, rules, *escaped))


def check_path(path: Path) -> None:
    """Refuse a file that could not be written, before the work. Raises OptionError."""
    if path.suffix not in FORMATS:
        raise OptionError(
            f"out={str(path)!r} does not end in {', '.join(FORMATS)}: the ending tells the format "
            "to write"
        )
    if not path.absolute().parent.is_dir():
        raise OptionError(
            f"out={str(path)!r} lies in a folder that does not exist; make it first, or name "
            "another"
        )


def write(rows: Sequence[Measured], path: Path, provenance: dict[str, Any]) -> None:
    """The rows and what they were measured with, in the format that the path's ending names. Raises OSError."""
    if path.suffix == ".json":
        content = json.dumps(
            {"provenance": provenance, "rows": [asdict(row) for row in rows]},
            indent=1,
            ensure_ascii=False,
        )
    elif path.suffix == ".csv":
        content = _csv(rows, provenance)
    else:
        content = f"{markdown(rows)}\n`{provenance['command']}`, {provenance['date'][:10]}: {_versions(provenance)}.\n"
    write_atomically(path, (content.rstrip("\n") + "\n").encode())


def _csv(rows: Sequence[Measured], provenance: dict[str, Any]) -> str:
    """A row a promise, the provenance in the last columns of each: rows of several machines can be put together."""
    made_with = {
        "command": provenance["command"],
        "date": provenance["date"],
        "versions": _versions(provenance),
        "processor": provenance["machine"]["processor"],
    }
    text = io.StringIO()
    writer = csv.DictWriter(text, [*Measured.__dataclass_fields__, *made_with], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) | made_with for row in rows)
    return text.getvalue()


def _versions(provenance: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in provenance["versions"].items())
