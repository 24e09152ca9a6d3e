"""The label: one line of JSON in an exported file's metadata. A file without it is not read.

It holds what the other library's file has no place for: which norm the net has, settings such as
eps that a `state_dict` does not hold, and the running statistics in float64, where the file's own
are float32. With it an exported file comes back to the bit. A statistic is taken from the label
only where the file's own number is that one rounded, so a net that was trained on keeps what it
learned.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from normlab.conversion.conventions import biased, unbiased
from normlab.conversion.errors import ForeignNetError
from normlab.conversion.net_parts import Affine, NormLayer, Parts
from normlab.errors import not_one_of
from normlab.layers.norm_record import Norm
from normlab.layers.norms import BY_NAME
from normlab.typing import Array

KEY = "normlab-net"
VERSION = 1


@dataclass(frozen=True)
class Label:
    """What an exported file says of itself. `mean` and `var` are float64, one list a hidden layer."""

    normalization: str | None
    num_groups: int | None
    keep: float
    reg: float
    eps: tuple[float, ...]
    momentum: tuple[float, ...]
    mean: tuple[tuple[float, ...], ...]
    var: tuple[tuple[float, ...], ...]
    unbiased_for: int | None
    version: int = VERSION

    @property
    def norm(self) -> Norm | None:
        """The record of the net's norm. Raises OptionError for a norm that normlab does not have."""
        if self.normalization is None:
            return None
        if self.normalization not in BY_NAME:
            raise not_one_of("normalization", self.normalization, (None, *BY_NAME))
        return BY_NAME[self.normalization]

    def parts(self, affines: Sequence[Affine], norms: Sequence[NormLayer]) -> Parts:
        """The net of the file's arrays and the label's settings. Raises ForeignNetError where they differ."""
        if len(self.eps) != len(norms) or len(self.momentum) != len(norms):
            raise _contradiction(f"{len(self.eps)} norm layers", f"{len(norms)}")
        statistics = sum(norm.running_mean is not None for norm in norms)
        if len(self.mean) != statistics or len(self.var) != statistics:
            raise _contradiction(f"running statistics of {len(self.mean)} layers", f"{statistics}")
        exact = [
            self._exact(number, norm)._replace(eps=self.eps[number], momentum=self.momentum[number])
            for number, norm in enumerate(norms)
        ]
        return Parts(
            tuple(affines), tuple(exact), self.normalization, self.num_groups, self.keep, self.reg
        )

    def _exact(self, number: int, norm: NormLayer) -> NormLayer:
        """The norm of hidden layer `number` with its running statistics as they were before they were written."""
        if norm.running_mean is None or norm.running_var is None:
            return norm
        mean, var = (np.array(values[number], np.float64) for values in (self.mean, self.var))
        if mean.shape != norm.running_mean.shape or var.shape != norm.running_var.shape:
            raise _contradiction(
                f"{len(mean)} running statistics", f"{len(norm.running_mean)} in layer {number + 1}"
            )
        found = norm.running_var
        learned = found if self.unbiased_for is None else biased(found, self.unbiased_for)
        written = written_var(var, self.unbiased_for)
        dtype = norm.parameters[0].dtype
        return norm._replace(
            running_mean=_where_same(mean, mean, norm.running_mean, norm.running_mean, dtype),
            running_var=_where_same(var, written, found, learned, dtype),
        )


def label_of(parts: Parts, unbiased_for: int | None = None) -> str:
    """The label of a net about to be written."""
    running = [norm for norm in parts.norms if norm.running_mean is not None]
    values = {
        "version": VERSION,
        "normalization": parts.normalization,
        "num_groups": parts.num_groups,
        "keep": parts.keep,
        "reg": parts.reg,
        "eps": [norm.eps for norm in parts.norms],
        "momentum": [norm.momentum for norm in parts.norms],
        "mean": [_numbers(norm.running_mean) for norm in running],
        "var": [_numbers(norm.running_var) for norm in running],
        "unbiased_for": unbiased_for,
    }
    return json.dumps(values, separators=(",", ":"))


def read_label(text: object, name: str, keeping: str) -> Label:
    """The label in a file's metadata.

    `keeping` says how a file of the library is saved again with its label. Raises ForeignNetError
    where there is none (`text` is None), or what is there is no label.
    """
    if text is None:
        raise ForeignNetError(
            f"{name} has no label of normlab (metadata {KEY!r}): `normlab export` did not write "
            "it, or it was saved again without the label. normlab reads only what it wrote, "
            f"because a file without the label does not say what the whole net is. {keeping}. For "
            "a net that was made elsewhere, build it here and copy its arrays: docs/conversion.md "
            "shows how"
        )
    try:
        values = json.loads(text)  # type: ignore[arg-type]
        label = Label(
            **values
            | {entry: tuple(map(float, values[entry])) for entry in ("eps", "momentum")}
            | {
                entry: tuple(tuple(map(float, row)) for row in values[entry])
                for entry in ("mean", "var")
            }
        )
    except (
        AttributeError,
        KeyError,
        OverflowError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise ForeignNetError(
            f"{name}: the label {KEY!r} is damaged; export the net again"
        ) from error
    if label.version != VERSION:
        raise ForeignNetError(
            f"{name}: the label {KEY!r} is of another version of normlab than this one"
        )
    if not _is_sound(label):
        raise ForeignNetError(
            f"{name}: the label {KEY!r} is damaged: it has settings that no net has; export the "
            "net again"
        )
    return label


def written_var(var: Array, unbiased_for: int | None) -> Array:
    """A running variance as it goes into a file: as it is, or as PyTorch collects it from batches of that size."""
    return var if unbiased_for is None else unbiased(var, unbiased_for)


def _contradiction(said: str, found: str) -> ForeignNetError:
    return ForeignNetError(
        f"the label {KEY!r} speaks of {said}, but the file's arrays are of {found}; export the net "
        "again"
    )


def _where_same(
    exact: Array, written: Array, found: Array, otherwise: Array, dtype: np.dtype[Any]
) -> Array:
    with np.errstate(over="ignore"):
        narrow = written.astype(dtype)
    return np.where((narrow == found) | (np.isnan(narrow) & np.isnan(found)), exact, otherwise)


def _numbers(values: Array | None) -> list[float]:
    return [] if values is None else values.tolist()


def _is_sound(label: Label) -> bool:
    """Whether every setting is one that a net can have; those of the net as a whole are checked as it is built."""
    numbers = (label.keep, label.reg, *label.eps, *label.momentum)
    return (
        all(_is_number(value) for value in numbers)
        and all(eps >= 0 for eps in label.eps)
        and all(0 <= momentum <= 1 for momentum in label.momentum)
        and (label.normalization is None or isinstance(label.normalization, str))
        and all(
            each is None or (isinstance(each, int) and not isinstance(each, bool) and each < 2**31)
            for each in (label.num_groups, label.unbiased_for)
        )
        and (label.unbiased_for is None or label.unbiased_for >= 2)
    )


def _is_number(value: object) -> bool:
    """A finite float, or a whole number that is one: JSON's whole numbers may have 400 digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) < 2**53
