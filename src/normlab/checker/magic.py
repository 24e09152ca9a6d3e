"""The cell magic `%%check`: run the cell, then check what it defines."""

from __future__ import annotations

import argparse
import ast
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NoReturn

from normlab.checker.api import check
from normlab.checker.child import notebooks
from normlab.checker.findings import NotJudged, Report
from normlab.checker.names import NAMES, not_known
from normlab.checker.printed import PrintedReport
from normlab.checker.show_html import fragment
from normlab.checker.show_text import as_text
from normlab.errors import OptionError


def register(shell: Any) -> None:
    """Give an IPython shell the magic."""

    def check_cell(line: str, cell: str) -> Hinted | None:
        """%%check [names] [--hint 0..3] [--seed N].

        Run the cell and check what it defines (or those named).
        """
        names, hint, seed = arguments(line)
        ran = shell.run_cell(cell)
        if not ran.success:
            return None
        report = check(shell.user_ns, seed=seed)
        return Hinted.of(only(report, names or defined(cell), names), hint)

    shell.register_magic_function(check_cell, "cell", "check")


class _Words(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise OptionError(f"%%check: {message}; write  %%check [names] [--hint 0..3] [--seed N]")


def arguments(line: str) -> tuple[list[str], int, int | None]:
    """The names, the number of hints and the seed on the magic's line."""
    words = _Words(prog="%%check", add_help=False)
    words.add_argument("names", nargs="*")
    words.add_argument("--hint", type=int, choices=range(4), default=0)
    words.add_argument("--seed", type=int)
    try:
        given = words.parse_intermixed_args(shlex.split(line))
    except OptionError:
        raise
    except ValueError as error:  # a quotation mark that is not closed
        raise OptionError(f"%%check: {error}") from None
    return given.names, given.hint, given.seed


def defined(cell: str) -> list[str]:
    """The functions and classes that a cell defines, but those that begin with an underscore."""
    source = notebooks.without_magics(cell)
    found = [
        node.name
        for node in ast.parse(source).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    ]
    return [name for name in found if not name.startswith("_")]


def only(report: Report, names: list[str], named: Sequence[str] = ()) -> Report:
    """The report on these alone.

    Those that nobody knows are listed, with the reason and a near name.
    """
    missing = [NotJudged(name, not_known(name)) for name in names if name not in NAMES]
    missing += [NotJudged(name, "there is no such function") for name in named
                if name in NAMES and name not in report.functions]  # fmt: skip
    kept = tuple(f for f in report.findings if f.function in names)
    return replace(report, findings=kept, not_judged=tuple(missing))


@dataclass(frozen=True, repr=False)
class Hinted(PrintedReport):
    """A report that shows itself with so many hints."""

    hint: int = 0

    @classmethod
    def of(cls, report: Report, hint: int) -> Hinted:
        """The same report."""
        return cls(**{each.name: getattr(report, each.name) for each in fields(report)}, hint=hint)

    def __str__(self) -> str:
        return as_text(self, self.hint)

    def _repr_html_(self) -> str:
        return fragment(self, self.hint)
