"""The cell magic `%%check`: run the cell, then check what it defines."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

from normlab.checker.api import check
from normlab.checker.findings import Report
from normlab.checker.names import NAMES


def register(shell: Any) -> None:
    """Give an IPython shell the magic."""

    def check_cell(line: str, cell: str) -> Report | None:
        """%%check [names]: run the cell and check the functions it defines (or those named)."""
        ran = shell.run_cell(cell)
        if not ran.success:
            return None
        wanted = line.split() or defined(cell)
        return only(check(shell.user_ns), wanted)

    shell.register_magic_function(check_cell, "cell", "check")


def defined(cell: str) -> list[str]:
    """The assignment's functions and classes that a cell defines."""
    found = [node.name for node in ast.parse(cell).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    return [name for name in found if name in NAMES]


def only(report: Report, names: list[str]) -> Report:
    """The report on these functions alone."""
    return replace(report, findings=tuple(f for f in report.findings if f.function in names))
