"""PyTorch: a `state_dict` in a safetensors file, under the names of a plain `torch.nn.Sequential`.

Exported are exactly the tensors that `net.state_dict()` has for

    Linear, [BatchNorm1d | LayerNorm | RMSNorm | GroupNorm], ReLU, [Dropout], …, Linear

with their names, shapes and types; `snippet` is the code that builds this net. Read back are files
with the label that `to_bytes` writes into their metadata.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import safetensors.numpy

from normlab import checkpoints
from normlab.conversion.bounded import check_floats, read_safetensors
from normlab.conversion.conventions import complement
from normlab.conversion.errors import ForeignNetError
from normlab.conversion.held_arrays import HeldArrays
from normlab.conversion.label import KEY, label_of, read_label, written_var
from normlab.conversion.net_parts import Affine, Dropout, NormLayer, Parts, Relu, foreign_name
from normlab.errors import OptionError
from normlab.layers.norm_record import Norm
from normlab.typing import Array

LIBRARY, TITLE, SUFFIX = "pytorch", "PyTorch", ".safetensors"
LEAVES = {"gamma": "weight", "beta": "bias"}
PICKLE_STARTS = (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
KEEPING = (
    "In PyTorch the label stays with safetensors.torch.save_file(net.state_dict(), path, "
    "metadata=safetensors.safe_open(exported, 'pt').metadata())"
)


# ---------------------------------------------------------------------- to PyTorch


def state_dict(parts: Parts, unbiased_for: int | None = None) -> dict[str, Array]:
    """The tensors by PyTorch's names. Running statistics take the parameters' type, as PyTorch has them.

    With `unbiased_for`, a batch size N, running variances are multiplied by N / (N - 1), as PyTorch
    collects them: for training on there. Without it they are those that eval mode uses here, and
    outputs stay what they are. Raises OptionError for a norm that PyTorch does not have.
    """
    if parts.normalization is not None:
        foreign_name(parts, LIBRARY, TITLE)
    tensors: dict[str, Array] = {}
    for place, layer in enumerate(parts.layers()):
        if isinstance(layer, Affine):
            tensors |= {
                f"{place}.weight": np.ascontiguousarray(layer.W.T),
                f"{place}.bias": layer.b,
            }
        elif isinstance(layer, NormLayer):
            leaves = _leaves(parts.norm)
            tensors |= {
                f"{place}.{leaf}": value
                for leaf, value in zip(leaves, layer.parameters, strict=True)
            }
            if layer.running_mean is not None and layer.running_var is not None:
                running_var = written_var(layer.running_var, unbiased_for)
                tensors[f"{place}.running_mean"] = narrowed(
                    f"{place}.running_mean", layer.running_mean, parts.dtype
                )
                tensors[f"{place}.running_var"] = narrowed(
                    f"{place}.running_var", running_var, parts.dtype
                )
                tensors[f"{place}.num_batches_tracked"] = np.array(layer.batches, np.int64)
    return tensors


def narrowed(name: str, values: Array, dtype: np.dtype[Any]) -> Array:
    """Float64 values in the net's own type. Raises OptionError where they overflow it."""
    with np.errstate(over="ignore"):
        narrow = values.astype(dtype)
    if (np.isinf(narrow) & np.isfinite(values)).any():
        raise OptionError(
            f"{name} holds {np.abs(values).max():.3g}, more than {dtype} can; convert the net's "
            "parameters to float64 first"
        )
    return narrow


def to_bytes(parts: Parts, unbiased_for: int | None = None) -> bytes:
    """The content of the file."""
    content: bytes = safetensors.numpy.save(
        state_dict(parts, unbiased_for), metadata={KEY: label_of(parts, unbiased_for)}
    )
    return content


def snippet(parts: Parts, name: str) -> str:
    """Python that builds the net in PyTorch and loads the file `name`."""
    lines = []
    for layer, width in zip(parts.layers(), widths(parts), strict=True):
        match layer:
            case Affine(W=W):
                lines.append(f"Linear({W.shape[0]}, {W.shape[1]})")
            case NormLayer():
                lines.append(_norm_call(parts, layer, width))
            case Relu():
                lines.append("ReLU()")
            case Dropout():
                lines.append(f"Dropout(p={complement(layer.keep)!r})")
    body = "\n".join(f"    torch.nn.{line}," for line in lines)
    wide = ".double()" if parts.dtype == np.float64 else ""
    return (
        f"import torch\nfrom safetensors.torch import load_file\n\n"
        f"net = torch.nn.Sequential(\n{body}\n){wide}\n"
        f"net.load_state_dict(load_file({quoted_path(name)}))\n"
        f"net.eval()  # net(x) are the scores of x, {parts.dtype} (N, {parts.dims[0]})\n"
    )


def quoted_path(name: str) -> str:
    """A path as Python source, in double quotes: C:\\nets and a name with a quote come out whole."""
    return json.dumps(name, ensure_ascii=False)


def widths(parts: Parts) -> list[int]:
    """For each layer, how many values it gives."""
    found: list[int] = []
    for layer in parts.layers():
        found.append(layer.W.shape[1] if isinstance(layer, Affine) else found[-1])
    return found


def _norm_call(parts: Parts, layer: NormLayer, width: int) -> str:
    words = [str(width), f"eps={layer.eps!r}"]
    if parts.num_groups is not None:
        words.insert(0, str(parts.num_groups))
    if layer.running_mean is not None:
        words.append(f"momentum={complement(layer.momentum)!r}")
    return f"{foreign_name(parts, LIBRARY, TITLE)}({', '.join(words)})"


def _leaves(norm: Norm | None) -> tuple[str, ...]:
    """What PyTorch calls a norm's parameters."""
    return tuple(LEAVES[name] for name in norm.parameter_names) if norm is not None else ()


# ---------------------------------------------------------------------- from PyTorch


def from_bytes(content: bytes, name: str) -> Parts:
    """The net in the content of a file with our label. Raises ForeignNetError, naming the tensor."""
    # a safetensors file begins with its header's length, which may look like a pickle
    if content[8:9] != b"{" and (name.lower().endswith(PICKLES) or content[:2] in PICKLE_STARTS):
        raise ForeignNetError(
            f"{name} is a pickle, which can run any code when it is opened, so normlab does not "
            "open it. normlab reads the .safetensors files that `normlab export --to torch` "
            f"wrote. {KEEPING}"
        )
    tensors, metadata = read_safetensors(content, name)
    if checkpoints.FORMAT in metadata:
        raise ForeignNetError(
            f"{name} is a checkpoint of normlab already: normlab.conversion.load_net loads its "
            "net, and `normlab export` writes it for others"
        )
    label = read_label(metadata.get(KEY), name, KEEPING)
    check_floats(tensors, counts=("num_batches_tracked",))
    held = HeldArrays(tensors, name)
    affines: list[Affine] = []
    norms: list[NormLayer] = []
    place, step = 0, 2 + (label.normalization is not None) + (label.keep != 1)
    while not affines or f"{place}.weight" in held:
        W = np.ascontiguousarray(held.matrix(f"{place}.weight").T)
        affines.append(Affine(W, held.vector(f"{place}.bias", W.shape[1])))
        if label.norm is not None and f"{place + step}.weight" in held:
            norms.append(_norm(held, label.norm, place + 1, W.shape[1]))
        place += step
    held.finish()
    return label.parts(affines, norms)


def _norm(held: HeldArrays, norm: Norm, place: int, width: int) -> NormLayer:
    layer = NormLayer(tuple(held.vector(f"{place}.{leaf}", width) for leaf in _leaves(norm)))
    if not norm.running:
        return layer
    return layer._replace(
        running_mean=held.vector(f"{place}.running_mean", width).astype(np.float64),
        running_var=held.vector(f"{place}.running_var", width).astype(np.float64),
        batches=held.count(f"{place}.num_batches_tracked"),
    )
