"""`normlab check`: somebody's own layers, judged."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from normlab.cli.exit_codes import stoppable

if TYPE_CHECKING:
    from normlab.checker import Report


def check(
    path: Annotated[
        Path | None,
        typer.Argument(
            help="A file (layers.py, work.ipynb), the assignment's folder, or model.py:MyLayerNorm."
        ),
    ] = None,
    hint: Annotated[
        int, typer.Option(min=0, max=3, help="How many hints to show with each fault.")
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    html: Annotated[
        Path | None, typer.Option(help="Also write one HTML page to this file.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(help="Also write JUnit XML to this file, for GitLab and its kin.")
    ] = None,
    github: Annotated[
        bool, typer.Option("--github", help="Also print GitHub's annotations, at the lines.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(help="Repeat the random inputs of an earlier check.")
    ] = None,
    list_faults: Annotated[
        bool, typer.Option("--list-faults", help="Print the name of every mistake that is known.")
    ] = False,
) -> None:
    """Name the term of the derivation that is wrong.

    The code runs in a process of its own, with limits on time and memory: a guard against
    accidents, no sandbox. Exit code: 0 all right, 1 something is wrong, 3 nothing is wrong but
    something is not written or not judged.
    """
    if list_faults:
        _print_faults()
        return
    if path is None:
        raise typer.BadParameter("give a file, a notebook or a folder", param_hint="PATH")
    from normlab.checker import check as check_target
    from normlab.checker.show_html import page
    from normlab.checker.show_services import github as as_github
    from normlab.checker.show_services import junit as as_junit
    from normlab.cli.output import is_utf8
    from normlab.errors import RecordsError
    from normlab.files import unwritten, write_atomically

    with stoppable(lambda: print("interrupted: no verdict", file=sys.stderr)):
        report = check_target(path, seed=seed)
    made: list[tuple[Path | None, Callable[[Report], str]]] = [
        (html, page),
        (junit, partial(as_junit, hint=hint)),
    ]
    for file, rendered in made:
        if file is not None:
            try:
                write_atomically(file, rendered(report).encode())
            except OSError as error:
                raise RecordsError(unwritten(file, error)) from error
    if github:
        print(as_github(report))
    if json:
        print(report.to_json(ascii_only=not is_utf8(sys.stdout)))
    else:
        _print(report, hint)
    raise typer.Exit(report.exit_code)


def _print(report: Report, hint: int) -> None:
    from rich.console import Console
    from rich.text import Text

    from normlab.checker.show_text import STYLES, as_lines

    console = Console(soft_wrap=True)
    width = min(console.width, 110) if console.is_terminal else 100
    for line in as_lines(report, hint, width=width):
        console.print(Text(line.text, style=STYLES[line.kind]))


def _print_faults() -> None:
    from normlab.checker.grading.rubric import known_faults

    for topic, faults in known_faults().items():
        print(f"{topic}")
        for key, sentence in faults.items():
            print(f"  {key:32} {sentence}")
