"""The data as a run sees them: examples of its own split, inputs treated as it says.

Both are made from the data set as it was loaded, once a process, whatever the number of runs.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from normlab import inputs, randomness
from normlab.data.dataset import Dataset
from normlab.errors import OptionError
from normlab.specs import DataSpec, RunSpec
from normlab.typing import Array

KEPT_BYTES = 256 << 20
"""How much of what was made is kept for the next runs; the last one always is."""

_Key: TypeAlias = tuple[DataSpec, str]
_made: OrderedDict[_Key, Dataset] = OrderedDict()


def prepared(spec: RunSpec, data: Dataset) -> Dataset:
    """`data` as the run sees them: given as they were loaded, or as this function made them.

    The result's `spec` is the run's: its fingerprint stays that of the data set as it was loaded.
    """
    if (data.split, data.inputs) == (spec.data.split, spec.training.inputs):
        return data
    if data.split is not None or data.inputs != "raw":
        raise OptionError(
            f"the data given are prepared for split={data.split} and inputs={data.inputs!r}, and "
            f"the run asks for split={spec.data.split} and inputs={spec.training.inputs!r}; give "
            "it the data set as it was loaded"
        )
    key = (replace(data.spec, split=spec.data.split), spec.training.inputs)
    found = _made.get(key)
    if found is None:
        found = _made[key] = treated(drawn_anew(data, spec.data.split), spec.training.inputs)
        while len(_made) > 1 and sum(map(_bytes, _made.values())) > KEPT_BYTES:
            _made.popitem(last=False)
    _made.move_to_end(key)
    return found


def drawn_anew(data: Dataset, split: int | None) -> Dataset:
    """The data set with another split into training and validation examples; None keeps its own."""
    if split is None:
        return data
    X, y = (
        np.concatenate([getattr(data, f"{name}_{part}") for part in ("train", "val")])
        for name in "Xy"
    )
    train, val = randomness.split(split, len(data.X_train), len(data.X_val))
    drawn = replace(
        data, X_train=X[train], y_train=y[train], X_val=X[val], y_val=y[val], split=split
    )
    return _known_as(replace(data.spec, split=split), drawn)


def treated(data: Dataset, name: str) -> Dataset:
    """The data set with its inputs raw, scaled or standardized, by the training examples."""
    measure = inputs.BY_NAME[name].measure
    if measure is None:
        return data
    shape = data.X_train.shape
    shift, scale = measure(data.X_train.reshape(len(data.X_train), -1))

    def apply(X: Array) -> Array:
        return ((X.reshape(len(X), -1) - shift) / scale).reshape(-1, *shape[1:])

    X_train, X_val, X_test = map(apply, (data.X_train, data.X_val, data.X_test))
    return _known_as(
        data.spec, replace(data, X_train=X_train, X_val=X_val, X_test=X_test, inputs=name)
    )


def _known_as(spec: DataSpec, data: Dataset) -> Dataset:
    vars(data)["spec"] = spec  # in place of one with a fingerprint of the arrays that were made
    return data


def _bytes(data: Dataset) -> int:
    return sum(array.nbytes for array in data.as_dict().values())
