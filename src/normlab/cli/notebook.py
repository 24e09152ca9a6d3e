"""`normlab notebook`: run notebooks of the assignment as they are, whatever they call the assignment's package."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from normlab.cli.exit_codes import BROKEN, stoppable
from normlab.errors import OptionError

if TYPE_CHECKING:
    from normlab.cli.progress import Show
    from normlab.notebooks import NotebookRun

notebook = typer.Typer(
    help="Run notebooks of the assignment.", no_args_is_help=True, rich_markup_mode=None
)


@notebook.callback()
def verbs() -> None:
    """Run notebooks of the assignment."""  # a callback keeps `run` a word of its own


@notebook.command(
    epilog="Example: normlab notebook run ConvolutionalNetworks.ipynb --data-dir ~/data"
)
def run(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Notebooks, or folders of them; they are not changed.", metavar="FILE..."
        ),
    ],
    package: Annotated[
        str | None,
        typer.Option(
            "--as", help="What they call the assignment's package, if not what their imports say."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where the notebook with its outputs goes; a folder for several. FILE.run.ipynb if not given."
        ),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where the data set lies, if not in the usual places.")
    ] = None,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Hide a package of that name beside the notebook.")
    ] = False,
    go_on: Annotated[
        bool, typer.Option("--go-on", help="Run the cells after one that fails, too.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Execute every cell, save the outputs, and say which cells failed and whose code ran."""
    from rich.console import Console

    from normlab.cli.progress import shown
    from normlab.errors import UserError
    from normlab.notebooks import run_notebook

    console = Console(stderr=True)
    notebooks = _notebooks(files)
    several = len(notebooks) > 1
    if several and out is not None and not out.is_dir():
        raise OptionError(
            f"--out {out} is no folder; for {len(notebooks)} notebooks name one that exists"
        )
    failed = False
    for file in notebooks:
        written = (
            file.with_suffix(".run.ipynb") if out is None else out / file.name if several else out
        )
        try:
            with stoppable(partial(_say_stopped, written, quiet)), shown(console, quiet) as show:
                done = run_notebook(
                    file,
                    package=package,
                    out=written,
                    data_dir=data_dir,
                    shadow=shadow,
                    go_on=go_on,
                    progress=partial(_show, show, file.name),
                )
        except UserError as error:
            if not several:
                raise
            failed = True
            typer.echo(str(error), err=True)
            continue
        failed = failed or bool(done.failed)
        if not quiet:
            _report(file.name, done)
    if failed:
        raise typer.Exit(BROKEN)


def _notebooks(files: list[Path]) -> list[Path]:
    """The files, and the notebooks of the folders; not those that this command wrote."""
    found: list[Path] = []
    for file in files:
        if not file.is_dir():
            found.append(file)
            continue
        inside = sorted(
            path for path in file.glob("*.ipynb") if not path.name.endswith(".run.ipynb")
        )
        if not inside:
            raise OptionError(
                f"the folder {file} has no notebook (.ipynb) in it; name one that has"
            )
        found += inside
    return found


def _report(name: str, done: NotebookRun) -> None:
    from normlab.cli.progress import duration

    for sentence in done.failed:
        typer.echo(sentence, err=True)
    numbers = ", ".join(map(str, done.left_out))
    left_out = f", all but {numbers}, which set up Google Colab," if done.left_out else ""
    failures = f", {len(done.failed)} failed" if done.failed else ""
    typer.echo(
        f"{name}: {done.cells} code cells ran{left_out} in {duration(done.seconds)}{failures}. "
        f"The outputs are in {done.out}"
    )
    if done.ran_in:
        typer.echo(
            f"The code that ran is that of {done.package} in {done.ran_in}, not normlab's; "
            "--shadow hides it."
        )
    elif done.package not in (None, "cs682"):
        typer.echo(f"{done.package} was normlab's own code.")


def _show(show: Show, name: str, done: int, cells: int) -> None:
    show(name, f"{done} of {cells} code cells done", done / cells if cells else None)


def _say_stopped(written: Path, quiet: bool) -> None:
    if not quiet:
        typer.echo(f"\nStopped. What ran until then is in {written}.", err=True)
