"""`normlab doctor`: a whole PyTorch model and its batch norm layers."""

from __future__ import annotations

from typing import Annotated

import typer


def doctor(
    target: Annotated[
        str,
        typer.Argument(
            help="model.py:build, a model or a function that makes one (or model, batch)."
        ),
    ],
    shape: Annotated[
        str, typer.Option("--input", help="The shape of one example, such as 3x32x32.")
    ] = "",
    examples: Annotated[
        int | None, typer.Option(min=1, help="How many training examples there are.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="How many of them a batch has.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    seed: Annotated[int, typer.Option(help="The seed of random inputs.")] = 0,
) -> None:
    """Look for what batch norm layers of a PyTorch model do unexpectedly, with the evidence.

    The file runs in a process of its own: a guard against accidents, no sandbox.
    Exit code: 0 nothing found, 1 something found, 2 the model cannot be examined.
    """
    from normlab.checker.doctor import doctor as examine
    from normlab.errors import OptionError

    sizes = shape.lower().split("x") if shape else []
    if not all(size.isdigit() and int(size) > 0 for size in sizes):
        raise OptionError(f"--input {shape!r} is no shape; write it as 3x32x32")
    found = examine(
        target,
        examples=examples,
        batch_size=batch_size,
        shape=[int(size) for size in sizes],
        seed=seed,
    )
    print(found.to_json() if json else found)
    raise typer.Exit(1 if found.harmful else 0)
