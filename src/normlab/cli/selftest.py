"""`normlab selftest`: numerics and determinism, measured on this machine."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from normlab.cli.exit_codes import BROKEN, stoppable

if TYPE_CHECKING:
    from normlab.selftest import Measured

PEERS = ("torch", "onnx", "jax", "keras")  # measured beside, where they are installed

Full = Annotated[
    bool, typer.Option("--full", help="All inputs and settings, not the quick part of each.")
]
Only = Annotated[
    list[str] | None, typer.Option(metavar="AREA", help="One area. May be given again.")
]
Out = Annotated[
    Path | None, typer.Option(help="Also write the table to this file: .json, .csv or .md.")
]


def selftest(full: Full = False, only: Only = None, out: Out = None) -> None:
    """Measure on this machine how exact the norms are, and what gives the same bits.

    Areas: numerics, determinism. PyTorch is measured on the same inputs where it is installed.
    Exit code: 0 every promise that was measured holds, 1 one is broken.
    """
    from normlab.selftest.run import PARTS

    measure(PARTS, "normlab selftest", full, only or (), out)


def measure(
    parts: Mapping[str, str],
    program: str,
    full: bool,
    only: list[str] | tuple[()],
    out: Path | None,
) -> None:
    """Measure these parts, show the table, write it, and leave with the exit code."""
    from rich.console import Console

    from normlab.cli.progress import shown
    from normlab.machine import provenance
    from normlab.selftest.run import areas, run
    from normlab.selftest.tables import check_path, summary, table, write

    asked = areas(only, parts)
    if out is not None:
        check_path(out)
    console = Console()
    found: list[Measured] = []

    def say() -> None:
        typer.echo("Stopped. This is what had been measured:", err=True)
        console.print(table(found))

    with stoppable(say), shown(Console(stderr=True)) as show:
        for row in run(full, asked, parts):
            found.append(row)
            show("measuring", f"{len(found)} promises, the last of {row.area}", None)
    console.print(table(found))
    console.print(summary(found), highlight=False, soft_wrap=True)
    if out is not None:
        words = ["--full"] * full + [word for area in only for word in ("--only", area)]
        write(found, out, provenance(f"{program} {shlex.join(words)}".strip(), *PEERS))
        console.print(f"Written: {out}", highlight=False, soft_wrap=True)
    raise typer.Exit(BROKEN if any(row.holds is False for row in found) else 0)
