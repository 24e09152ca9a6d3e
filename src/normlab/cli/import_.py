"""`normlab import`: a net of PyTorch, Keras or ONNX, as a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def import_net(
    file: Annotated[Path, typer.Argument(help="A .safetensors, .weights.h5, .keras or .onnx file.")],
    source: Annotated[str, typer.Option("--from", help="torch, keras or onnx.")],
    out: Annotated[Path, typer.Option(help="The checkpoint to write.")],
    normalization: Annotated[
        str | None, typer.Option(help="What the norms are, where their tensors do not tell: layernorm, rmsnorm, …")
    ] = None,
    num_groups: Annotated[int | None, typer.Option(min=1, help="Group norm's groups.")] = None,
    eps: Annotated[float | None, typer.Option(help="The norms' eps; the library's default, if not given.")] = None,
    momentum: Annotated[
        float | None, typer.Option(help="Batch norm's momentum, as the library's code has it; likewise.")
    ] = None,
    dropout: Annotated[
        float | None, typer.Option(help="The probability of dropping a unit; none, if not given.")
    ] = None,
    unbiased_for: Annotated[
        int | None,
        typer.Option(min=2, metavar="N", help="Take running variances for PyTorch's, collected from batches of N."),
    ] = None,
    layers: Annotated[
        str | None, typer.Option(help="The affine layers' names, first to last, with commas, where names do not tell.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Read a net of another library into a checkpoint. Nothing in the file is executed.

    What the file does not say is taken from the options, then from the library's defaults, and named; what cannot be
    known is asked for.
    """
    from normlab.conversion import Told, save_net
    from normlab.conversion.files import read_parts
    from normlab.conversion.parts import put_together

    names = () if layers is None else tuple(name.strip() for name in layers.split(","))
    told = Told(normalization, num_groups, eps, momentum, dropout, unbiased_for, names)
    parts, notes = read_parts(file, source, told)
    save_net(out, put_together(parts))
    if not quiet:
        typer.echo(str(parts), err=True)
        for note in notes:
            typer.echo(f"taken for granted: {note}", err=True)
        typer.echo(f"written to {out}; in Python, here:\n", err=True)
        typer.echo(f"from normlab.conversion import load_net\n\nnet = load_net({str(out)!r})")
