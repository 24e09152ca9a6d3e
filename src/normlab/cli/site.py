"""`normlab site`: the checker as a page that runs in the reader's own browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "Example: normlab site public && python3 -m http.server --directory public"


def site(
    out: Annotated[
        Path, typer.Argument(help="The folder to write, which any web server can serve.")
    ],
    pyodide: Annotated[
        str | None,
        typer.Option(
            help="A folder with Pyodide and its NumPy to copy, or an address; its makers' if not given."
        ),
    ] = None,
) -> None:
    """Write the checker as static pages: code is checked in the reader's browser and never leaves it."""
    from normlab.site import build

    page = build(out, pyodide)
    typer.echo(
        f"The page: {page}\nServe the folder, for example:  python3 -m http.server --directory "
        f"{out}"
    )
