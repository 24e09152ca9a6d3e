"""Keras 3: the weights of a plain `keras.Sequential`, in a `.weights.h5` file.

Exported is what `model.save_weights` writes for

    Dense, [BatchNormalization | LayerNormalization | RMSNormalization | GroupNormalization], ReLU,
    [Dropout], …, Dense

and `snippet` is the code that builds this model. Read back are files with the label that `to_bytes`
puts beside the layers.
"""

from __future__ import annotations

import io
import re

import numpy as np

from normlab.conversion.bounded import check_floats
from normlab.conversion.conventions import complement
from normlab.conversion.h5_files import read_h5
from normlab.conversion.held_arrays import HeldArrays
from normlab.conversion.label import KEY, label_of, read_label, written_var
from normlab.conversion.net_parts import (
    Affine,
    Dropout,
    Layer,
    NormLayer,
    Parts,
    Relu,
    foreign_name,
)
from normlab.conversion.pytorch import narrowed, quoted_path
from normlab.errors import need
from normlab.layers.norm_record import Norm
from normlab.typing import Array

LIBRARY, TITLE, SUFFIX = "keras", "Keras", ".weights.h5"
KEEPING = (
    "Keras's save_weights drops the label: after training on there, copy the dataset 'normlab-net' "
    "of the exported file into the new one with h5py"
)
WIDE = 'keras.config.set_dtype_policy("float64")  # on JAX it also takes the environment variable JAX_ENABLE_X64=1\n'


# ---------------------------------------------------------------------- to Keras


def to_bytes(parts: Parts, unbiased_for: int | None = None) -> bytes:
    """The content of the file. Raises MissingPackageError where `h5py` is not installed."""
    need("a weight file of Keras", {"h5py": "h5py"}, "'normlab[conversion]'")
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
            case NormLayer(eps=eps, momentum=momentum):
                words = [] if parts.num_groups is None else [f"groups={parts.num_groups}"]
                words += [] if layer.running_mean is None else [f"momentum={momentum!r}"]
                words += [f"epsilon={eps!r}"]
            case Dropout():
                words = [repr(complement(layer.keep))]
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
        case NormLayer():
            return foreign_name(parts, LIBRARY, TITLE)
        case Relu():
            return "ReLU"
        case Dropout():
            return "Dropout"


def _variables(layer: Layer, parts: Parts, unbiased_for: int | None, name: str) -> list[Array]:
    """A layer's variables in Keras's order."""
    if isinstance(layer, Affine):
        return [layer.W, layer.b]
    if not isinstance(layer, NormLayer):
        return []
    variables = [*layer.parameters]
    if layer.running_mean is not None and layer.running_var is not None:
        var = written_var(layer.running_var, unbiased_for)
        variables += [narrowed(name, values, parts.dtype) for values in (layer.running_mean, var)]
    return variables


def snake(name: str) -> str:
    """A class's name as Keras files it: BatchNormalization as batch_normalization, ReLU as re_lu.

    >>> [snake(name) for name in ("Dense", "BatchNormalization", "RMSNormalization", "ReLU")]
    ['dense', 'batch_normalization', 'rms_normalization', 're_lu']
    """
    name = re.sub("([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


# ---------------------------------------------------------------------- from Keras


def from_bytes(content: bytes, name: str) -> Parts:
    """The net in the content of a file with our label. Raises ForeignNetError, naming the layer."""
    need("a weight file of Keras", {"h5py": "h5py"}, "'normlab[conversion]'")
    arrays = read_h5(content, name)
    text = arrays.pop(KEY, None)
    label = read_label(
        None if text is None else text.tobytes().decode(errors="replace"), name, KEEPING
    )
    check_floats(arrays)
    held, counts = HeldArrays(arrays, name), dict[str, int]()
    affines: list[Affine] = []
    norms: list[NormLayer] = []
    number = 0
    while not affines or f"layers/dense_{number}/vars/0" in held:
        dense = f"layers/{numbered('dense', counts)}/vars"
        W = held.matrix(f"{dense}/0")
        affines.append(Affine(W, held.vector(f"{dense}/1", W.shape[1])))
        number += 1
        if label.norm is not None and f"layers/dense_{number}/vars/0" in held:
            layer = numbered(snake(label.norm.foreign.get(LIBRARY, label.norm.name)), counts)
            norms.append(_norm(held, label.norm, f"layers/{layer}/vars", W.shape[1]))
    held.finish()
    return label.parts(affines, norms)


def _norm(held: HeldArrays, norm: Norm, layer: str, width: int) -> NormLayer:
    count = len(norm.parameters)
    values = [held.vector(f"{layer}/{number}", width) for number in range(count + 2 * norm.running)]
    if not norm.running:
        return NormLayer(tuple(values))
    mean, var = (value.astype(np.float64) for value in values[count:])
    return NormLayer(tuple(values[:count]), mean, var)
