"""When two arrays are the same answer, and how far apart they are when they are not."""

from __future__ import annotations

from typing import Any

import numpy as np

from normlab.typing import Array

TIGHT = 1.2e-8
"""Relative distance below which float64 answers agree.

Styles differ by 1e-13, a harmless 1e-8 added beside eps by less than this; a detour through float32
leaves 3e-8, mistakes of the derivation 1e-3 and more.
"""

SINGLE = 2e-5
"""Relative distance that a detour through float32 leaves, and no mistake of the derivation does."""


def distance(seen: Any, right: Array) -> float:
    """Largest difference over the largest |right|; infinite for another shape, NaN or infinity."""
    if not isinstance(seen, (np.ndarray, np.generic, float, int)) or np.shape(seen) != np.shape(
        right
    ):
        return np.inf
    values = np.asarray(seen)
    if values.dtype.kind not in "fiub" or not np.all(np.isfinite(values)):
        return np.inf
    # inputs are of order one: what is smaller than 1e-5 everywhere is rounding around an exact zero
    scale = max(float(np.max(np.abs(right), initial=0.0)), 1e-5)
    return float(np.max(np.abs(values - right), initial=0.0)) / scale


def agrees(seen: Any, right: Array, tolerance: float = TIGHT) -> bool:
    """Whether two arrays have one shape and the same finite values."""
    return distance(seen, right) <= tolerance


def same_bits(one: Any, other: Any) -> bool:
    """Whether an array came back exactly as it went in."""
    return (
        isinstance(one, np.ndarray)
        and isinstance(other, np.ndarray)
        and one.shape == other.shape
        and one.dtype == other.dtype
        and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    )


def as_array(value: Any) -> Array | None:
    """A numeric array where the value is one (or a number), otherwise None."""
    if isinstance(value, (np.ndarray, np.generic, float, int)) and not isinstance(value, bool):
        array = np.asarray(value)
        return None if array.dtype.kind not in "fiub" else array
    return None
