"""A report that prints itself, and draws itself in a notebook."""

from __future__ import annotations

from typing import Any

from normlab.checker.findings import Report
from normlab.checker.show_html import fragment
from normlab.checker.show_text import as_text


class PrintedReport(Report):
    """What `check` returns: the report, with its text and its page."""

    def __str__(self) -> str:
        return as_text(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("…" if cycle else str(self))

    def _repr_html_(self) -> str:
        return fragment(self)
