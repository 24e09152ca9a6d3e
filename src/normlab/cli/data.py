"""`normlab data`: which data sets there are, where they lie, and their download."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

data = typer.Typer(
    help="List the data sets, or fetch one.", no_args_is_help=True, rich_markup_mode=None
)

Folder = Annotated[
    Path | None, typer.Option("--data-dir", help="The folder, if not the usual one.")
]


@data.command("list")
def list_data(data_dir: Folder = None) -> None:
    """The data sets, and where each was found."""
    from normlab.data import find
    from normlab.data.data_sets import BY_NAME
    from normlab.errors import DataError

    if data_dir is not None and not data_dir.exists():
        raise DataError(f"the data folder {str(data_dir)!r} does not exist")
    width = max(map(len, BY_NAME))
    for name, known in BY_NAME.items():
        try:
            place = "inside the package" if known.in_package else str(find(name, data_dir))
        except DataError:
            place = f"not here; `normlab data fetch {name}` downloads it"
        typer.echo(f"{name:{width}}  {place}")


@data.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Its name, as `normlab data list` shows it.")],
    data_dir: Folder = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Download a data set from its publisher, and verify it."""
    from normlab.data import fetch as fetch_data

    place = fetch_data(name, data_dir)
    if not quiet:
        typer.echo(f"{name} is in {place}")
