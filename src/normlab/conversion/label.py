"""The label: one line of JSON in an exported file's metadata, for what the other library's file has no place for.

Those are the running statistics in float64, where the file's own are float32, and settings such as eps that a
`state_dict` does not hold. With it an exported file comes back to the bit. It is a remark, never a command: a statistic
is taken from it only where the file's own number is that one rounded, so a net that was trained on keeps what it
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
from normlab.conversion.parts import Norm, Parts
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

    def exact(self, number: int, norm: Norm) -> Norm:
        """The norm of hidden layer `number` with its running statistics as they were before they were written."""
        if norm.running_mean is None or norm.running_var is None:
            return norm
        dtype = norm.gamma.dtype
        mean, var = (np.array(values[number], np.float64) for values in (self.mean, self.var))
        if mean.shape != norm.running_mean.shape or var.shape != norm.running_var.shape:
            raise contradiction(f"{len(mean)} running statistics", f"{len(norm.running_mean)} in layer {number + 1}")
        return norm._replace(
            running_mean=_where_same(mean, mean, norm.running_mean, norm.running_mean, dtype),
            running_var=_where_same(
                var, written_var(var, self.unbiased_for), norm.running_var, read_var(norm, self.unbiased_for), dtype
            ),
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


def read_label(text: str | None, norms: Sequence[Norm]) -> Label | None:
    """The label in a file's metadata, if it has one. Raises ForeignNetError where it is none, or of another net."""
    if text is None:
        return None
    try:
        values = json.loads(text)
        label = Label(
            **values
            | {name: tuple(map(float, values[name])) for name in ("eps", "momentum")}
            | {name: tuple(tuple(map(float, row)) for row in values[name]) for name in ("mean", "var")}
        )
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise ForeignNetError(f"the file's metadata {KEY!r} is damaged; remove it, or export the net again") from error
    if label.version != VERSION:
        raise ForeignNetError(f"the file's metadata {KEY!r} is of another version of normlab than this one")
    if not _is_sound(label):
        raise ForeignNetError(f"the file's metadata {KEY!r} is damaged: it has settings that no net has; remove it")
    if len(label.eps) != len(norms) or len(label.momentum) != len(norms):
        raise contradiction(f"{len(label.eps)} norm layers", f"{len(norms)}")
    statistics = sum(norm.running_mean is not None for norm in norms)
    if len(label.mean) != statistics or len(label.var) != statistics:
        raise contradiction(f"running statistics of {len(label.mean)} layers", f"{statistics}")
    return label


def contradiction(said: str, found: str) -> ForeignNetError:
    """The error for a label that its own file denies."""
    return ForeignNetError(f"the file's metadata {KEY!r} speaks of {said}, but its tensors are of {found}; remove it")


def written_var(var: Array, unbiased_for: int | None) -> Array:
    """A running variance as it goes into a file: as it is, or as PyTorch collects it from batches of that size."""
    return var if unbiased_for is None else unbiased(var, unbiased_for)


def read_var(norm: Norm, unbiased_for: int | None) -> Array:
    """A file's running variance in normlab's convention."""
    assert norm.running_var is not None
    return norm.running_var if unbiased_for is None else biased(norm.running_var, unbiased_for)


def _where_same(exact: Array, written: Array, found: Array, otherwise: Array, dtype: np.dtype[Any]) -> Array:
    with np.errstate(over="ignore"):
        return np.where(written.astype(dtype) == found, exact, otherwise)


def _numbers(values: Array | None) -> list[float]:
    return [] if values is None else values.tolist()


def _is_sound(label: Label) -> bool:
    """Whether every setting is one that a net can have; those of the net as a whole are checked as it is built."""
    numbers = (label.keep, label.reg, *label.eps, *label.momentum)
    return (
        all(isinstance(value, int | float) and math.isfinite(value) for value in numbers)
        and all(eps >= 0 for eps in label.eps)
        and all(0 <= momentum <= 1 for momentum in label.momentum)
        and (label.unbiased_for is None or (isinstance(label.unbiased_for, int) and label.unbiased_for >= 2))
    )
