"""`normlab selftest`: the promises, measured on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from normlab.cli.reproduce import terminated_like_interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from normlab.selftest import Measured

STOPPED = 130  # what a shell says of a program that Ctrl-C ended
AREAS = "numerics, identities, conformance, conversion, files, crashes or determinism"


def selftest(
    full: Annotated[
        bool, typer.Option("--full", help="All inputs, files and kills, not the quick part of each.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(metavar="AREA", help=f"One area: {AREAS}. May be given again.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Also write the table to this file: .json, .csv or .md.")] = None,
) -> None:
    """Measure every promise on this machine: what is promised, what was found, and PyTorch on the same inputs.

    Exit code: 0 every promise that was measured holds, 1 one is broken.
    """
    from rich.console import Console

    from normlab.selftest.run import areas, provenance, run
    from normlab.selftest.tables import check_path, summary, table, write

    wanted = areas(only or ())
    if out is not None:
        check_path(out)
    console = Console()
    found: list[Measured] = []
    try:
        with terminated_like_interrupted():
            found.extend(_shown(run(full, wanted), console))
    except KeyboardInterrupt:
        typer.echo("Stopped. This is what had been measured:", err=True)
        console.print(table(found))
        raise typer.Exit(STOPPED) from None
    console.print(table(found))
    console.print(summary(found), highlight=False, soft_wrap=True)
    if out is not None:
        write(found, out, provenance(full, only or ()))
        console.print(f"Written: {out}", highlight=False, soft_wrap=True)
    raise typer.Exit(int(any(row.holds is False for row in found)))


def _shown(rows: Iterator[Measured], console: Console) -> Iterator[Measured]:
    """The rows, while a terminal shows how far it is."""
    with console.status("measuring") as status:
        for count, row in enumerate(rows, start=1):
            status.update(f"measured {count} promises, the last of {row.area}")
            yield row
