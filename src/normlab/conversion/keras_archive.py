"""A `.keras` file: a zip of the architecture, as JSON, and the weights. Nothing in it is executed or extracted."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import Any, NamedTuple

import numpy as np

from normlab.conversion.bounded import MOST_BYTES
from normlab.conversion.conventions import complement
from normlab.conversion.errors import ForeignNetError
from normlab.conversion.parts import Affine, Dropout, Norm, Relu
from normlab.conversion.sequences import Named, Row, read_row

NORMS = {
    "BatchNormalization": "batchnorm",
    "LayerNormalization": "layernorm",
    "RMSNormalization": "rmsnorm",
    "GroupNormalization": "groupnorm",
}
MOST_CONFIG = 2**24
NOTHING = np.zeros(0)


class Architecture(NamedTuple):
    """The row of layers, with settings and without arrays, and the groups of group norm."""

    layers: Row
    num_groups: int | None


def snake(name: str) -> str:
    """A class's name as Keras files it: BatchNormalization as batch_normalization, ReLU as re_lu.

    >>> [snake(name) for name in ("Dense", "BatchNormalization", "RMSNormalization", "ReLU")]
    ['dense', 'batch_normalization', 'rms_normalization', 're_lu']
    """
    name = re.sub("([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def read_archive(content: bytes, name: str) -> tuple[Architecture, bytes, list[str]]:
    """Architecture, bytes of the weights file, and notes. Raises ForeignNetError for what is no such archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            config = json.loads(_member(archive, "config.json", MOST_CONFIG))
            weights = _member(archive, "model.weights.h5", MOST_BYTES)
    except (
        zipfile.BadZipFile,
        KeyError,
        EOFError,
        NotImplementedError,
        RecursionError,
        RuntimeError,
        ValueError,
    ) as error:
        raise ForeignNetError(f"{name} is not a .keras file of Keras 3, or a damaged one: {error}") from error
    notes: list[str] = []
    try:
        return _architecture(config, notes), weights, notes
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ForeignNetError(f"the architecture in {name} is damaged: {type(error).__name__}: {error}") from error


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    with archive.open(name) as file:
        content = file.read(most + 1)  # what it says of its own size is not believed
    if len(content) > most:
        raise ValueError(f"{name} is larger than {most:,} bytes")
    return content


def _architecture(config: Any, notes: list[str]) -> Architecture:
    if config["class_name"] != "Sequential":
        raise ForeignNetError(f"the model is a {config['class_name']}; expected a Sequential")
    layers: list[Named] = []
    groups: set[int] = set()
    entries = config["config"]["layers"]
    for entry in entries:
        kind, own = str(entry["class_name"]), entry["config"]
        where = str(own["name"])
        if entry.get("registered_name") not in (None, kind):
            raise ForeignNetError(f"the layer {where!r} is code of somebody's own, {entry['registered_name']!r}")
        if kind in ("InputLayer", "Flatten"):
            continue
        if kind == "Dense":
            layers.append(Named(Affine(NOTHING, NOTHING), where))
            _add_activation(own["activation"], where, entry is entries[-1], layers, notes)
        elif kind in NORMS:
            layers.append(Named(_norm(kind, own, where, groups), where, NORMS[kind]))
        elif kind == "ReLU":
            if (own.get("max_value"), own.get("negative_slope", 0), own.get("threshold", 0)) != (None, 0, 0):
                raise ForeignNetError(f"the ReLU {where!r} has a slope, a threshold or a highest value; expected none")
            layers.append(Named(Relu(), where))
        elif kind in ("Activation", "Softmax"):
            what = "softmax" if kind == "Softmax" else own["activation"]
            _add_activation(what, where, entry is entries[-1], layers, notes)
        elif kind == "Dropout":
            layers.append(Named(Dropout(complement(own["rate"])), where))
        else:
            raise ForeignNetError(
                f"the layer {where!r} is a {kind}; expected Dense, {', '.join(NORMS)}, ReLU or Dropout"
            )
    if len(groups) > 1:
        raise ForeignNetError(
            f"the group norms have different numbers of groups, {sorted(groups)}; expected one for all"
        )
    return Architecture(read_row(layers), groups.pop() if groups else None)


def _add_activation(what: Any, where: str, last: bool, layers: list[Named], notes: list[str]) -> None:
    if what == "relu":
        layers.append(Named(Relu(), where))
    elif what == "softmax" and last:
        notes.append("the softmax at the end is left out: normlab's scores are the numbers before it")
    elif what != "linear":
        raise ForeignNetError(f"the layer {where!r} has the activation {what!r}; expected 'relu' or 'linear'")


def _norm(kind: str, own: dict[str, Any], where: str, groups: set[int]) -> Norm:
    axis = own.get("axis", -1)
    if axis not in (-1, 1, [-1], [1]):
        raise ForeignNetError(f"the {kind} {where!r} has axis={axis}; expected -1, the features")
    for name, expected in (("center", True), ("scale", True), ("rms_scaling", False), ("renorm", False)):
        if own.get(name, expected) != expected:
            raise ForeignNetError(f"the {kind} {where!r} has {name}={own[name]}; expected {expected}")
    eps = own.get("epsilon")
    norm = Norm(NOTHING, eps=1e-7 if eps is None else float(eps))  # None was RMSNormalization's, for 1e-7
    if kind == "GroupNormalization":
        groups.add(int(own["groups"]))
    return norm._replace(momentum=float(own["momentum"])) if kind == "BatchNormalization" else norm
