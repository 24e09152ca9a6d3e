"""`normlab explain`: the derivation behind a function."""

from __future__ import annotations

import shutil
from typing import Annotated

import typer


def explain(
    name: Annotated[
        str | None,
        typer.Argument(help="A function of the assignment, such as batchnorm_backward."),
    ] = None,
) -> None:
    """Show the derivation of a function, with its graph.

    Without a name, list those that there are.
    """
    from normlab.checker.derivations import explain as explain_name
    from normlab.checker.derivations import titles

    if name is None:
        for known, title in titles().items():
            print(f"{known:28} {title}")
        return
    print(explain_name(name, width=shutil.get_terminal_size().columns))
