"""`normlab notebook`: run a notebook of the assignment as it is, whatever it calls the assignment's package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

STOPPED = 130  # what a shell says of a program that Ctrl-C ended

notebook = typer.Typer(help="Run notebooks of the assignment.", no_args_is_help=True, rich_markup_mode=None)


@notebook.callback()
def verbs() -> None:
    """Run notebooks of the assignment."""  # a callback keeps `run` a word of its own


@notebook.command()
def run(
    file: Annotated[Path, typer.Argument(help="The notebook; it is not changed.")],
    package: Annotated[
        str | None, typer.Option("--as", help="What the notebook calls the assignment's package, like cs231n.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the notebook with its outputs goes; FILE.run.ipynb if not given.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where the data set lies, if not in the usual places.")] = None,
    shadow: Annotated[bool, typer.Option("--shadow", help="Hide a package of that name beside the notebook.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Execute every cell, save the outputs, and say which cell failed if one does."""
    from rich.console import Console

    from normlab.cli.progress import duration
    from normlab.notebooks import run_notebook

    console = Console(quiet=quiet)
    out = out or file.with_suffix(".run.ipynb")
    try:
        with console.status(f"starting a kernel for {file.name}") as status:
            done = run_notebook(
                file,
                package=package,
                out=out,
                data_dir=data_dir,
                shadow=shadow,
                progress=lambda done, cells: status.update(f"{file.name}: {done} of {cells} code cells done"),
            )
    except KeyboardInterrupt:
        if not quiet:
            typer.echo(f"\nStopped. What ran until then is in {out}.", err=True)
        raise typer.Exit(STOPPED) from None
    numbers = ", ".join(map(str, done.left_out))
    left_out = f", all but {numbers}, which set up Google Colab," if done.left_out else ""
    console.print(
        f"{file.name}: {done.cells} code cells ran{left_out} in {duration(done.seconds)}. The outputs are in {out}",
        highlight=False,
        soft_wrap=True,
    )
