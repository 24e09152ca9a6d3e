"""`normlab pack`: what an instructor uploads to Gradescope, or adds to a course's repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "Example: normlab pack --for gradescope --rubric rubric.toml --out autograder.zip"


def pack(
    service: Annotated[
        str, typer.Option("--for", help="gradescope, or github for a workflow file.")
    ],
    out: Annotated[Path, typer.Option(help="The file to write.")],
    rubric: Annotated[
        Path | None, typer.Option(help="Points and hints, as for `normlab grade`.")
    ] = None,
    wheel: Annotated[
        Path | None,
        typer.Option(
            help="normlab's wheel, to go inside; without it the service installs this version by name."
        ),
    ] = None,
) -> None:
    """Make what a course's service needs to grade with normlab."""
    from normlab.checker.grading.packs import pack as packed
    from normlab.errors import RecordsError
    from normlab.files import unwritten, write_atomically

    content = packed(service, rubric, wheel)
    try:
        write_atomically(out, content)
    except OSError as error:
        raise RecordsError(unwritten(out, error)) from error
    typer.echo(f"{out} is written ({len(content) / 1e6:.2g} MB).")
