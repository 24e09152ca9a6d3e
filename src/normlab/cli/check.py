"""`normlab check`: somebody's own layers, judged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check(
    path: Annotated[Path, typer.Argument(help="A file (layers.py) or the assignment's folder.")],
    hint: Annotated[int, typer.Option(min=0, max=3, help="How many hints to show with each fault.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    html: Annotated[Path | None, typer.Option(help="Also write one HTML page to this file.")] = None,
    seed: Annotated[int | None, typer.Option(help="Repeat the random inputs of an earlier check.")] = None,
) -> None:
    """Name the term of the derivation that is wrong.

    The code runs in a process of its own, with limits on time and memory: a guard against accidents, no sandbox.
    Exit code: 0 all right, 1 something is wrong, 3 nothing is wrong but something is not written yet.
    """
    from normlab.checker import check as check_target
    from normlab.checker.show_html import page
    from normlab.errors import RecordsError
    from normlab.files import unwritten, write_atomically

    report = check_target(path, seed=seed)
    if html is not None:
        try:
            write_atomically(html, page(report).encode())
        except OSError as error:
            raise RecordsError(unwritten(html, error)) from error
    if json:
        typer.echo(report.to_json())
    else:
        _print(report, hint)
    raise typer.Exit(report.exit_code)


def _print(report: object, hint: int) -> None:
    from rich.console import Console
    from rich.text import Text

    from normlab.checker.findings import Report
    from normlab.checker.show_text import STYLES, as_lines

    assert isinstance(report, Report)
    console = Console(soft_wrap=True)
    for line in as_lines(report, hint, width=min(console.width, 110) if console.is_terminal else 100):
        console.print(Text(line.text, style=STYLES[line.kind]))
