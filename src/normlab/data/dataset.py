"""`Dataset`: the arrays that a run sees, with the name, the fingerprint and the origin they go by."""

from __future__ import annotations

import hashlib
import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from normlab.errors import OptionError, ShapeError
from normlab.specs import DataSpec
from normlab.typing import Array
from normlab.validation import whole_number

_ARRAYS = ("X_train", "y_train", "X_val", "y_val", "X_test", "y_test")


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Training, validation and test images with their labels. A value: its arrays are read-only.

    X_* are (n, channels, height, width), or (n, features) for made-up data; y_* are (n,), whole
    numbers from 0 to num_classes - 1. `source` says where the data came from, for the record of a
    result. Raises ShapeError where these do not fit together.

    `split` and `inputs` say what `prepared` made of a data set for a run; as loaded, it is neither.
    """

    name: str
    X_train: Array
    y_train: Array
    X_val: Array
    y_val: Array
    X_test: Array
    y_test: Array
    num_classes: int = 10
    source: str = "given as arrays"
    split: int | None = None
    inputs: str = "raw"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise OptionError(f"name={self.name!r} is not the name of a data set, a text")
        object.__setattr__(self, "num_classes", whole_number("num_classes", self.num_classes, 1))
        for name in _ARRAYS:
            view = np.asarray(getattr(self, name)).view()
            if view.dtype.kind not in "biuf" or isinstance(getattr(self, name), np.ma.MaskedArray):
                raise ShapeError(
                    f"{name} of {self.name} has type {view.dtype} or a mask; expected an array of "
                    "numbers"
                )
            view.flags.writeable = (
                False  # a result is stored under the fingerprint of these very numbers
            )
            object.__setattr__(self, name, view)
        for part in ("train", "val", "test"):
            self._check_part(part)

    def _check_part(self, part: str) -> None:
        X, y = getattr(self, f"X_{part}"), getattr(self, f"y_{part}")
        if X.ndim < 2 or X.shape[1:] != self.X_train.shape[1:]:
            raise ShapeError(
                f"X_{part} of {self.name} has shape {X.shape}; X_train has {self.X_train.shape}"
            )
        if y.shape != X.shape[:1]:
            raise ShapeError(f"y_{part} of {self.name} has shape {y.shape} for {len(X)} images")
        if not np.issubdtype(y.dtype, np.integer) or (
            y.size and not 0 <= y.min() <= y.max() < self.num_classes
        ):
            raise ShapeError(
                f"y_{part} of {self.name} is not of whole numbers from 0 to {self.num_classes - 1}"
            )

    @cached_property
    def spec(self) -> DataSpec:
        """Name, sizes and fingerprint: what a RunSpec says about its data."""
        return DataSpec(
            name=self.name,
            num_train=len(self.X_train),
            num_val=len(self.X_val),
            input_dim=math.prod(self.X_train.shape[1:]),
            num_classes=self.num_classes,
            fingerprint=fingerprint(self.as_dict()),
        )

    def as_dict(self) -> dict[str, Array]:
        """The dictionary that the assignment's Solver takes: X_train, y_train, X_val, y_val, X_test, y_test."""
        return {name: getattr(self, name) for name in _ARRAYS}

    def _repr_html_(self) -> str:
        """The sizes of its parts, for notebooks."""
        parts = {name: getattr(self, f"X_{name}") for name in ("train", "val", "test")}
        rows = "".join(
            f"<tr><td>{name}</td><td>{len(X)}</td><td>{X.shape[1:]}</td></tr>"
            for name, X in parts.items()
        )
        return (
            f"<p><b>{html.escape(self.name)}</b>, {self.num_classes} classes, {html.escape(self.source)}</p>"
            f"<table><tr><th>part</th><th>images</th><th>shape</th></tr>{rows}</table>"
        )

    def __repr__(self) -> str:
        sizes = (
            f"{len(self.X_train)} training, {len(self.X_val)} validation, {len(self.X_test)} test"
        )
        return f"Dataset({self.name!r}: {sizes} images of {self.X_train.shape[1:]}, {self.source})"


def fingerprint(arrays: Mapping[str, Array]) -> str:
    """The first 16 hexadecimal digits of a SHA-256 over each array's name, type, shape and content.

    The same on every machine: numbers are hashed with their little end first.

    >>> fingerprint({"y": np.arange(3)}) == fingerprint({"y": np.arange(3.0)})
    False
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()[:16]
