"""`normlab import`: a net that `normlab export` wrote for PyTorch, Keras or ONNX, as a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def import_net(
    file: Annotated[
        Path, typer.Argument(help="A .safetensors, .weights.h5 or .onnx file of `normlab export`.")
    ],
    source: Annotated[str, typer.Option("--from", help="torch, keras or onnx.")],
    out: Annotated[Path, typer.Option(help="The checkpoint to write.")],
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Read an exported net back into a checkpoint, also after training in the other library.

    The file carries a label that says what the net is; a file without it is refused. Nothing in the
    file is executed.
    """
    from normlab.conversion import save_net
    from normlab.conversion.files import read_parts
    from normlab.conversion.net_parts import put_together, remarks

    parts = read_parts(file, source)
    save_net(out, put_together(parts))
    if not quiet:
        typer.echo(str(parts), err=True)
        for remark in remarks(parts):
            typer.echo(f"note: {remark}", err=True)
        typer.echo(f"written to {out}; in Python, here:\n", err=True)
        typer.echo(f"from normlab.conversion import load_net\n\nnet = load_net({str(out)!r})")
