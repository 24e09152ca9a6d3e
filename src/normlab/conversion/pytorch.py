"""PyTorch: a `state_dict` in a safetensors file, under the names of a plain `torch.nn.Sequential`.

Exported are exactly the tensors that `net.state_dict()` has for

    Linear, [BatchNorm1d | LayerNorm | RMSNorm | GroupNorm], ReLU, [Dropout], …, Linear

with their names, shapes and types; `snippet` is the code that builds this net. Imported are these, and other names: a
module is known by its tensors (a matrix is a Linear, a vector with running statistics a BatchNorm1d), and the order by
`ordering`.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import safetensors.numpy

from normlab import checkpoints
from normlab.conversion.bounded import check_floats, read_safetensors
from normlab.conversion.completing import Defaults, Found, Told, complete, dropped
from normlab.conversion.conventions import complement
from normlab.conversion.errors import ForeignNetError
from normlab.conversion.label import KEY, label_of, written_var
from normlab.conversion.ordering import the_only_order
from normlab.conversion.parts import Affine, Dropout, Norm, Parts, Relu
from normlab.errors import OptionError, quoted
from normlab.typing import Array

TITLE, SUFFIX = "PyTorch", ".safetensors"
LEAVES = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
PICKLE_STARTS = (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")


def defaults(dtype: np.dtype[Any]) -> Defaults:
    """What PyTorch's layers do if not told otherwise; RMSNorm's eps is the type's own."""
    eps = {"batchnorm": 1e-5, "layernorm": 1e-5, "groupnorm": 1e-5, "rmsnorm": float(np.finfo(dtype).eps)}
    return Defaults(TITLE, eps, momentum=0.9, weighs_the_new=True)


# ---------------------------------------------------------------------- to PyTorch


def state_dict(parts: Parts, unbiased_for: int | None = None) -> dict[str, Array]:
    """The tensors by PyTorch's names. Running statistics take the parameters' type, as PyTorch has them.

    With `unbiased_for`, a batch size N, running variances are multiplied by N / (N - 1), as PyTorch collects them: for
    training on there. Without it they are those that eval mode uses here, and outputs stay what they are.
    """
    tensors: dict[str, Array] = {}
    for place, layer in enumerate(parts.layers()):
        if isinstance(layer, Affine):
            tensors |= {f"{place}.weight": np.ascontiguousarray(layer.W.T), f"{place}.bias": layer.b}
        elif isinstance(layer, Norm):
            tensors[f"{place}.weight"] = layer.gamma
            if layer.beta is not None:
                tensors[f"{place}.bias"] = layer.beta
            if layer.running_mean is not None and layer.running_var is not None:
                running_var = written_var(layer.running_var, unbiased_for)
                tensors[f"{place}.running_mean"] = narrowed(f"{place}.running_mean", layer.running_mean, parts.dtype)
                tensors[f"{place}.running_var"] = narrowed(f"{place}.running_var", running_var, parts.dtype)
                tensors[f"{place}.num_batches_tracked"] = np.array(layer.batches, np.int64)
    return tensors


def narrowed(name: str, values: Array, dtype: np.dtype[Any]) -> Array:
    """Float64 values in the net's own type. Raises OptionError where they overflow it."""
    with np.errstate(over="ignore"):
        narrow = values.astype(dtype)
    if (np.isinf(narrow) & np.isfinite(values)).any():
        raise OptionError(
            f"{name} holds {np.abs(values).max():.3g}, more than {dtype} can; convert the net's parameters to float64 "
            f"first"
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
            case Norm():
                lines.append(_norm_call(parts, layer, width))
            case Relu():
                lines.append("ReLU()")
            case Dropout():
                lines.append(f"Dropout(p={dropped(layer.keep)!r})")
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


def _norm_call(parts: Parts, norm: Norm, width: int) -> str:
    match parts.normalization:
        case "batchnorm":
            return f"BatchNorm1d({width}, eps={norm.eps!r}, momentum={complement(norm.momentum)!r})"
        case "layernorm":
            return f"LayerNorm({width}, eps={norm.eps!r})"
        case "rmsnorm":
            return f"RMSNorm({width}, eps={norm.eps!r})"
        case _:
            return f"GroupNorm({parts.num_groups}, {width}, eps={norm.eps!r})"


# ---------------------------------------------------------------------- from PyTorch


def from_bytes(content: bytes, name: str, told: Told) -> tuple[Parts, list[str]]:
    """The net in a file's content, and what was taken for granted. Raises ForeignNetError, naming the tensor."""
    # a safetensors file begins with its header's length, which may look like a pickle, and then the header
    if content[8:9] != b"{" and (name.lower().endswith(PICKLES) or content[:2] in PICKLE_STARTS):
        raise ForeignNetError(
            f"{name} is a pickle, which can run any code when it is opened, so normlab does not open it. Where PyTorch "
            f'is, convert it:  python -c "import torch, safetensors.torch; safetensors.torch.save_file('
            f"torch.load({name!r}, weights_only=True), 'net.safetensors')\"  (of a whole model saved as one object, "
            f"load it with the code that saved it, and save its .state_dict())"
        )
    tensors, metadata = read_safetensors(content, name)
    if checkpoints.FORMAT in metadata:
        raise ForeignNetError(
            f"{name} is a checkpoint of normlab already: normlab.conversion.load_net loads its net, and "
            f"`normlab export` writes it for others"
        )
    return from_state_dict(tensors, told, metadata.get(KEY))


def from_state_dict(tensors: dict[str, Array], told: Told, label: str | None = None) -> tuple[Parts, list[str]]:
    """The net of a `state_dict` as NumPy arrays, and what was taken for granted."""
    check_floats(tensors, counts=("num_batches_tracked",))
    modules = _modules(tensors)
    notes: list[str] = []
    matrices = {name: held["weight"] for name, held in modules.items() if held["weight"].ndim == 2}
    if not matrices:
        raise ForeignNetError(f"no tensor is a Linear's weight, (out, in); there are {quoted(list(tensors)[:20])}")
    linears = _ordered(matrices, told)
    norms = _norms({name: held for name, held in modules.items() if name not in matrices}, linears, matrices)
    affines = [Affine(np.ascontiguousarray(matrices[name].T), _bias(name, modules, linears, notes)) for name in linears]
    layers = [_norm(name, modules[name], notes) for name in norms]
    if label is None and len(linears) > 1:
        notes.append("ReLU after each hidden layer: a state_dict does not say what stands between its modules")
    found = Found(affines, layers, _candidates(norms, modules), label, notes=notes)
    dtype = affines[0].W.dtype
    return complete(found, told, defaults(dtype))


def _modules(tensors: dict[str, Array]) -> dict[str, dict[str, Array]]:
    modules: dict[str, dict[str, Array]] = {}
    for name, value in tensors.items():
        module, _, leaf = name.rpartition(".")
        if leaf not in LEAVES:
            raise ForeignNetError(
                f"the tensor {name!r}, of shape {value.shape}, is of no layer that normlab has; expected names that "
                f"end in {quoted(LEAVES)}"
            )
        modules.setdefault(module, {})[leaf] = value
    for module, held in modules.items():
        if "weight" not in held and {"running_mean", "running_var"} <= held.keys():
            held["weight"] = np.ones_like(held["running_mean"])  # BatchNorm1d(affine=False)
        if "weight" not in held:
            raise ForeignNetError(f"the tensor '{module}.weight' is missing; there are {quoted(sorted(held))} of it")
        weight = held["weight"]
        if weight.ndim not in (1, 2) or weight.size == 0:
            raise ForeignNetError(
                f"'{module}.weight' has shape {weight.shape}; expected (out, in) of a Linear or (features,) of a norm: "
                f"normlab's nets are fully connected"
            )
        width = weight.shape[:1]
        for leaf, value in held.items():
            expected = () if leaf == "num_batches_tracked" else width
            if leaf != "weight" and value.shape != expected:
                raise ForeignNetError(f"'{module}.{leaf}' has shape {value.shape}; expected {expected}")
        if ("running_mean" in held) != ("running_var" in held) or (weight.ndim == 2 and "running_mean" in held):
            raise ForeignNetError(
                f"the module {module!r} has the tensors {quoted(sorted(held))}; expected running_mean and running_var "
                f"together, beside the weight and bias of a BatchNorm1d"
            )
    return modules


def _ordered(matrices: dict[str, Array], told: Told) -> list[str]:
    """The Linears' names, first to last."""
    if told.layers:
        if sorted(told.layers) != sorted(matrices):
            raise ForeignNetError(
                f"--layers names {quoted(told.layers)}; expected each Linear of the file once: "
                f"{quoted(sorted(matrices))}"
            )
        names = list(told.layers)
    else:
        names = the_only_order(
            matrices,
            lambda before, name: not before or matrices[before[-1]].shape[0] == matrices[name].shape[1],
            "Linears",
        )
    for one, after in itertools.pairwise(names):
        if matrices[one].shape[0] != matrices[after].shape[1]:
            raise ForeignNetError(
                f"'{after}.weight' has shape {matrices[after].shape}; expected (…, {matrices[one].shape[0]}), because "
                f"{one!r} before it gives {matrices[one].shape[0]} values"
            )
    return names


def _norms(norms: dict[str, dict[str, Array]], linears: list[str], matrices: dict[str, Array]) -> list[str]:
    """The norms' names, one a hidden layer."""
    hidden = [matrices[name].shape[0] for name in linears[:-1]]
    if not norms:
        return []
    if len(norms) != len(hidden):
        raise ForeignNetError(
            f"the file has {len(norms)} norms, {quoted(sorted(norms))}, for {len(hidden)} hidden layers; expected one "
            f"after each Linear but the last, or none at all"
        )
    names = the_only_order(norms, lambda before, name: norms[name]["weight"].shape == (hidden[len(before)],), "norms")
    for width, norm in zip(hidden, names, strict=True):
        if norms[norm]["weight"].shape != (width,):
            raise ForeignNetError(
                f"'{norm}.weight' has shape {norms[norm]['weight'].shape}; expected ({width},), the size of its layer"
            )
    for linear, norm in zip(linears, names, strict=False):
        (parent, _, place), (norm_parent, _, norm_place) = linear.rpartition("."), norm.rpartition(".")
        places = (place + norm_place).isdecimal()
        if parent == norm_parent and places and int(norm_place) != int(place) + 1:
            raise ForeignNetError(
                f"the norm {norm!r} does not follow the Linear {linear!r} at once; in normlab's nets nothing, not even "
                f"a ReLU, stands between them"
            )
    return names


def _bias(name: str, modules: dict[str, dict[str, Array]], linears: list[str], notes: list[str]) -> Array:
    """A Linear's bias. All hidden Linears may be without (bias=False, as before batch norm), or none."""
    weight, bias = modules[name]["weight"], modules[name].get("bias")
    if bias is not None:
        return bias
    if name != linears[-1] and any("bias" in modules[other] for other in linears[:-1]):
        raise ForeignNetError(
            f"the tensor '{name}.bias' is missing; expected shape {weight.shape[:1]}, as other hidden layers have one"
        )
    notes.append(f"a bias of zeros for {name!r}, which has none")
    return np.zeros(weight.shape[0], weight.dtype)


def _norm(name: str, held: dict[str, Array], notes: list[str]) -> Norm:
    running = held.get("running_mean")
    if running is not None and "bias" not in held:
        notes.append(f"a shift of zeros for {name!r}, which has none")
    return Norm(
        held["weight"],
        held.get("bias"),
        None if running is None else running.astype(np.float64),
        None if running is None else held["running_var"].astype(np.float64),
        batches=int(held.get("num_batches_tracked", 0)),
    )


def _candidates(norms: list[str], modules: dict[str, dict[str, Array]]) -> tuple[str, ...]:
    """What the norms may be, by the tensors that they have. Raises ForeignNetError where they differ in these."""
    kinds = {tuple(sorted({*modules[name]} - {"num_batches_tracked"})): name for name in norms}
    if len(kinds) > 1:
        raise ForeignNetError(
            f"the norms {quoted(kinds.values())} have different tensors, {quoted(map(list, kinds))}; normlab's nets "
            f"have one kind of norm"
        )
    held: set[str] = set(*kinds)
    if "running_mean" in held:
        return ("batchnorm",)
    return ("layernorm", "groupnorm") if "bias" in held else ("rmsnorm", "layernorm")
