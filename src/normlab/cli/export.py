"""`normlab export`: a net that was trained here, for PyTorch, Keras or ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    source: Annotated[
        Path,
        typer.Argument(
            help="A checkpoint; or a results folder with --key; or a run's spec, in a .json file."
        ),
    ],
    to: Annotated[str, typer.Option(help="torch, keras or onnx.")],
    out: Annotated[Path, typer.Option(help="The file: .safetensors, .weights.h5 or .onnx.")],
    take: Annotated[
        str, typer.Option(help="Of a Solver's checkpoint: the best parameters so far, or the last.")
    ] = "best",
    key: Annotated[
        str | None, typer.Option(help="The run of a results folder, or how its key begins.")
    ] = None,
    normalization: Annotated[
        str | None,
        typer.Option(help="What the net normalizes with, where an older checkpoint does not tell."),
    ] = None,
    num_groups: Annotated[
        int | None, typer.Option(min=1, help="Group norm's groups, likewise.")
    ] = None,
    unbiased_for: Annotated[
        int | None,
        typer.Option(
            min=2,
            metavar="N",
            help="Running variances by PyTorch's own convention, for training on with batches of N.",
        ),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where the data set lies, if not in the usual places.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="What trains a recorded run again: auto, reference or compiled.")
    ] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Write a net for another library, and print the Python that loads it there.

    The Python goes to standard output, what was done to standard error. Outputs in eval mode are
    the same there to rounding; docs/conversion.md has the conventions.
    """
    from typing import cast

    from normlab.cli.net_source import net_from
    from normlab.conversion.files import write_parts
    from normlab.conversion.net_parts import Take, remarks

    net = net_from(
        source,
        key=key,
        take=cast(Take, take),
        normalization=normalization,
        num_groups=num_groups,
        data_dir=data_dir,
        engine=engine,
    )
    snippet = write_parts(net.parts, out, to, unbiased_for=unbiased_for)
    if not quiet:
        for remark in remarks(net.parts):
            typer.echo(f"note: {remark}", err=True)
        typer.echo(
            f"{net.parts}\nfrom {net.origin}\nwritten to {out}; in Python, there:\n", err=True
        )
        typer.echo(snippet, nl=False)
