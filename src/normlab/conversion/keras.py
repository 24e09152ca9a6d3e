"""Keras 3: the weights of a plain `keras.Sequential`, in a `.weights.h5` file.

Exported is what `model.save_weights` writes for

    Dense, [BatchNormalization | LayerNormalization | RMSNormalization | GroupNormalization], ReLU, [Dropout], …, Dense

and `snippet` is the code that builds this model. Imported are such files, and `.keras` files, which hold the
architecture too, so that nothing has to be taken for granted.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from normlab.conversion.bounded import check_floats
from normlab.conversion.completing import Defaults, Found, Told, complete, dropped
from normlab.conversion.errors import ForeignNetError
from normlab.conversion.guests import need_h5py
from normlab.conversion.h5_files import read_h5
from normlab.conversion.keras_archive import read_archive, snake
from normlab.conversion.label import KEY, label_of, written_var
from normlab.conversion.parts import Affine, Dropout, Layer, Norm, Parts, Relu
from normlab.conversion.pytorch import narrowed, quoted_path
from normlab.errors import quoted
from normlab.typing import Array

TITLE, SUFFIX = "Keras", ".weights.h5"
CLASSES = {
    "batchnorm": "BatchNormalization",
    "layernorm": "LayerNormalization",
    "rmsnorm": "RMSNormalization",
    "groupnorm": "GroupNormalization",
}
KINDS = {snake(name): kind for kind, name in CLASSES.items()}
VARIABLES = {"batchnorm": 4, "layernorm": 2, "rmsnorm": 1, "groupnorm": 2}
WIDE = 'keras.config.set_dtype_policy("float64")  # on JAX it also takes the environment variable JAX_ENABLE_X64=1\n'
DEFAULTS = Defaults(TITLE, {"batchnorm": 1e-3, "layernorm": 1e-3, "groupnorm": 1e-3, "rmsnorm": 1e-6}, momentum=0.99)


# ---------------------------------------------------------------------- to Keras


def to_bytes(parts: Parts, unbiased_for: int | None = None) -> bytes:
    """The content of the file. Raises MissingPackageError where `h5py` is not installed."""
    need_h5py()
    import h5py

    target, counts = io.BytesIO(), dict[str, int]()
    with h5py.File(target, "w") as file:
        for layer in parts.layers():
            name = numbered(snake(_class_of(layer, parts)), counts)
            group = file.create_group(f"layers/{name}/vars")
            for number, array in enumerate(_variables(layer, parts, unbiased_for, name)):
                group[str(number)] = np.ascontiguousarray(array)
        # bytes, not an attribute, which HDF5 keeps below 64 KiB
        file[KEY] = np.frombuffer(label_of(parts, unbiased_for).encode(), np.uint8)
    return target.getvalue()


def snippet(parts: Parts, name: str) -> str:
    """Python that builds the model in Keras and loads the file `name`."""
    lines = [f"keras.Input(({parts.dims[0]},), dtype={str(parts.dtype)!r})".replace("'", '"')]
    for layer in parts.layers():
        words: list[str] = []
        match layer:
            case Affine(W=W):
                words = [str(W.shape[1])]
            case Norm(eps=eps, momentum=momentum):
                words = [f"groups={parts.num_groups}"] if parts.normalization == "groupnorm" else []
                words += [f"momentum={momentum!r}"] if parts.normalization == "batchnorm" else []
                words += [f"epsilon={eps!r}"]
            case Dropout():
                words = [repr(dropped(layer.keep))]
        lines.append(f"keras.layers.{_class_of(layer, parts)}({', '.join(words)})")
    body = "\n".join(f"        {line}," for line in lines)
    wide = WIDE if parts.dtype == np.float64 else ""
    return (
        f"import keras\n\n{wide}"
        f"net = keras.Sequential(\n    [\n{body}\n    ]\n)\n"
        f"net.load_weights({quoted_path(name)})\n"
        f"# net(x, training=False) are the scores of x, {parts.dtype} (N, {parts.dims[0]})\n"
    )


def numbered(name: str, counts: dict[str, int]) -> str:
    """The name under which Keras keeps the next layer of a class: dense, dense_1, dense_2, …"""
    count = counts.get(name, 0)
    counts[name] = count + 1
    return f"{name}_{count}" if count else name


def _class_of(layer: Layer, parts: Parts) -> str:
    match layer:
        case Affine():
            return "Dense"
        case Norm():
            return CLASSES[str(parts.normalization)]
        case Relu():
            return "ReLU"
        case Dropout():
            return "Dropout"


def _variables(layer: Layer, parts: Parts, unbiased_for: int | None, name: str) -> list[Array]:
    """A layer's variables in Keras's order."""
    if isinstance(layer, Affine):
        return [layer.W, layer.b]
    if not isinstance(layer, Norm):
        return []
    variables = [layer.gamma] + ([] if layer.beta is None else [layer.beta])
    if layer.running_mean is not None and layer.running_var is not None:
        var = written_var(layer.running_var, unbiased_for)
        variables += [narrowed(name, values, parts.dtype) for values in (layer.running_mean, var)]
    return variables


# ---------------------------------------------------------------------- from Keras


def from_bytes(content: bytes, name: str, told: Told) -> tuple[Parts, list[str]]:
    """The net in a file's content, and what was taken for granted. Raises ForeignNetError, naming the layer."""
    need_h5py()
    if content.startswith(b"PK"):
        row, weights, notes = read_archive(content, name)
    else:
        row, weights, notes = None, content, []
    layers, label = _layers(read_h5(weights, name))
    affines = [_affine(layer, variables) for layer, variables in layers if layer.startswith("dense")]
    norms = [(layer, variables) for layer, variables in layers if not layer.startswith("dense")]
    kinds = {KINDS[_class_name(layer)] for layer, _ in norms}
    if len(kinds) > 1:
        raise ForeignNetError(
            f"the file has {quoted([layer for layer, _ in norms])}; normlab's nets have one kind of norm"
        )
    if norms and len(norms) != len(affines) - 1:
        raise ForeignNetError(
            f"the file has {len(norms)} norms for {len(affines) - 1} hidden layers; expected one after each Dense but "
            f"the last, or none"
        )
    found_norms = [_norm(layer, variables, affine) for (layer, variables), affine in zip(norms, affines, strict=False)]
    says: frozenset[str] = frozenset()
    keep, num_groups = 1.0, None
    if row is not None:
        if (len(row.layers.affines), len(row.layers.norms), row.layers.kind) != (
            len(affines),
            len(norms),
            next(iter(kinds), None),
        ):
            raise ForeignNetError(f"the weights in {name} are not those of the architecture in it")
        found_norms = [
            norm._replace(eps=known.eps, momentum=known.momentum)
            for norm, known in zip(found_norms, row.layers.norms, strict=True)
        ]
        keep, num_groups, says = row.layers.keep, row.num_groups, frozenset({"eps", "momentum", "dropout"})
    elif label is None and len(affines) > 1:
        notes.append("ReLU after each hidden layer: a weights file does not say what stands between its layers")
    found = Found(affines, found_norms, tuple(kinds), label, keep, num_groups, says, notes)
    return complete(found, told, DEFAULTS)


def _layers(datasets: dict[str, Array]) -> tuple[list[tuple[str, dict[int, Array]]], str | None]:
    """Dense layers and norms with their variables by number, each kind in Keras's own order; and the label."""
    label: str | None = None
    layers: dict[str, dict[int, Array]] = {}
    for path, array in datasets.items():
        words = path.split("/")
        if path == KEY and array.dtype == np.uint8:
            label = array.tobytes().decode(errors="replace")
        elif words[0] == "layers" and _class_name(words[1]) in ("dropout", "re_lu", "activation", "input_layer"):
            continue
        elif words[0] == "layers" and len(words) == 4 and words[2] == "vars" and words[3] in ("0", "1", "2", "3"):
            if _class_name(words[1]) not in ("dense", *KINDS):
                raise ForeignNetError(
                    f"the layer {words[1]!r} has weights and is none that normlab has; expected dense, "
                    f"{', '.join(KINDS)}"
                )
            layers.setdefault(words[1], {})[int(words[3])] = array
        elif words[0] in ("layers", "_layer_checkpoint_dependencies"):
            raise ForeignNetError(
                f"{path!r} is a variable of a layer inside another, or of an old format; expected a plain Sequential's "
                f"layers/NAME/vars/NUMBER"
            )
    check_floats({f"{layer}/{number}": value for layer, held in layers.items() for number, value in held.items()})
    if not any(layer.startswith("dense") for layer in layers):
        raise ForeignNetError(
            "the file holds no Dense layer, layers/dense/vars; was it saved by Keras 3's save_weights?"
        )
    return sorted(layers.items(), key=lambda item: _number(item[0])), label


def _class_name(layer: str) -> str:
    name, _, number = layer.rpartition("_")
    return name if number.isascii() and number.isdecimal() else layer


def _number(layer: str) -> int:
    number = layer.rpartition("_")[2]
    return int(number[:9]) if number.isascii() and number.isdecimal() else 0


def _affine(layer: str, variables: dict[int, Array]) -> Affine:
    W = variables.get(0)
    if W is None or W.ndim != 2 or W.size == 0:
        raise ForeignNetError(f"{layer}/vars/0 is {_shape(W)}; expected the kernel, a matrix (in, out)")
    b = variables.get(1, np.zeros(W.shape[1], W.dtype))  # use_bias=False
    _check(layer, 1, b, W.shape[1])
    return Affine(W, b)


def _norm(layer: str, variables: dict[int, Array], affine: Affine) -> Norm:
    kind = KINDS[_class_name(layer)]
    if sorted(variables) != list(range(VARIABLES[kind])):
        raise ForeignNetError(
            f"the layer {layer!r} has {len(variables)} variables; expected {VARIABLES[kind]}. A norm without scale or "
            f"center is saved again as one with a scale of ones and a center of zeros"
        )
    for number, value in variables.items():
        _check(layer, number, value, affine.W.shape[1])
    norm = Norm(variables[0], variables.get(1))
    if kind != "batchnorm":
        return norm
    return norm._replace(running_mean=variables[2].astype(np.float64), running_var=variables[3].astype(np.float64))


def _check(layer: str, number: int, value: Array, width: int) -> None:
    if value.shape != (width,):
        raise ForeignNetError(f"{layer}/vars/{number} has shape {value.shape}; expected ({width},)")


def _shape(value: Any) -> str:
    return "missing" if value is None else f"of shape {value.shape}"
