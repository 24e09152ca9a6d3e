"""What a function returned, in words, and whether a probe can read it."""

from __future__ import annotations

from typing import Any

import numpy as np

from normlab.checker.child.framing import Kept, Opaque

# functions that return one array, and no tuple
ONE_RESULT = ("relu_backward", "dropout_backward", "max_pool_backward_naive")
GRADIENTS = ("_backward", "_backward_alt", "_backward_naive", "_loss")


def unreadable(name: str, value: Any) -> bool:
    """Whether a gradient or a loss is something else than arrays and numbers.

    None is not: it may be unwritten.
    """
    if not name.endswith(GRADIENTS):
        return False
    several = type(value) in (tuple, list)
    if name in ONE_RESULT and several:
        return True
    items = value if several else [value]
    if (
        name.endswith("_loss")
        and len(items) == 2
        and np.ndim(items[0]) > 1
        and np.ndim(items[1]) == 0
    ):
        return True  # the gradient first, and then the loss
    return any(item is not None and _kind(item) not in READABLE for item in items)


def odd(value: Any) -> str:
    """What is odd about a returned value, in words.

    Empty where it is an array or a tuple of arrays and numbers.
    """
    if type(value) in (tuple, list):
        parts = [_kind(item) for item in value]
        if all(part in READABLE for part in parts):
            return ""
        return f"{len(parts)} values: {', '.join(parts)}"
    kind = _kind(value)
    return "" if kind in READABLE else kind


def told(value: Any) -> str:
    """A returned value, described by its kind and its shapes."""
    if type(value) in (tuple, list):
        return f"{len(value)} values: " + ", ".join(told(item) for item in value[:6])
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    return _kind(value)


READABLE = ("an array", "a number", "a cache")


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, Kept):
        return "a cache"
    if isinstance(value, Opaque):
        return value.kind if value.kind.startswith("a") else f"a {value.kind}"
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind not in "fiu":
        return f"an array of dtype {value.dtype}"
    if isinstance(value, np.ndarray):
        return "an array"
    if isinstance(value, (float, int, np.generic)) and not isinstance(value, bool):
        return "a number"
    return f"a {type(value).__name__}"
