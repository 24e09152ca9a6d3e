"""`normlab explain`: the derivation behind a function."""

from __future__ import annotations

from typing import Annotated

import typer


def explain(
    name: Annotated[str, typer.Argument(help="A function of the assignment, such as batchnorm_backward.")],
) -> None:
    """Show the derivation of a function, with its graph."""
    from normlab.checker import explain as explain_name

    typer.echo(explain_name(name))
