"""The line of a person's own code that a finding is most likely about."""

from __future__ import annotations

import linecache
import re
from dataclasses import replace
from pathlib import Path

from normlab.checker.child import notebooks
from normlab.checker.findings import Finding

TOO_LONG = 2**20
CELL = re.compile(r"(.*\.ipynb), cell \d+$", re.DOTALL)


def quoted(finding: Finding, patterns: tuple[str, ...], root: Path | None) -> Finding:
    """The finding with the line of its function that matches, and that line's text.

    Files are read below `root` only: a path that somebody's process names is no reason to open any
    other.
    """
    lines = _lines(finding.file, root)
    if not 0 < finding.line <= len(lines):
        return finding
    start = finding.line
    while start < len(lines) and lines[start - 1].lstrip().startswith("@"):
        start += 1  # a decorator: the function is named below it
    matching = (_found(lines, start, pattern) for pattern in patterns)
    found = next((line for line in matching if line != start), start)
    return replace(finding, line=found, text=lines[found - 1].strip()[:200])


def _lines(file: str, root: Path | None) -> list[str]:
    if not file:
        return []
    if root is None:  # a notebook's own cells
        return linecache.getlines(file)
    cell = CELL.match(file)
    path = Path(cell.group(1) if cell else file)
    try:
        inside = path.resolve().is_relative_to(
            root.resolve() if root.is_dir() else root.resolve().parent
        )
        if (
            not inside
            or path.suffix.lower() not in (".py", ".ipynb")
            or path.stat().st_size > TOO_LONG
        ):
            return []
        text = path.read_text(encoding="utf-8", errors="replace")
        if cell:
            named = {each.name: each.source for each in notebooks.cells(text, cell.group(1))}
            text = named.get(file, "")
        return text.splitlines()
    except (OSError, ValueError):
        return []


def _found(lines: list[str], start: int, pattern: str) -> int:
    """The last line of the block that begins at `start` whose code matches; else where the block
    begins."""
    begins = len(lines[start - 1]) - len(lines[start - 1].lstrip())
    found, inside = start, ""
    for number in range(start + 1, len(lines) + 1):
        line = lines[number - 1]
        bare = line.strip()
        if (
            bare
            and not inside
            and len(line) - len(line.lstrip()) <= begins
            and bare[0] not in ")]}#@"
        ):
            break
        quotes = [q for q in ('"""', "'''") if bare.count(q) % 2]
        if inside or quotes:
            inside = "" if inside and inside in quotes else inside or quotes[0]
            continue
        if re.search(pattern, bare.partition("#")[0]):
            found = number
    return found
