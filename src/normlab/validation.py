"""What is a number here: one place that says so, for specs, the Solver and all others.

NumPy's scalars are as welcome as Python's; True and False are no numbers, and nothing is cut or
rounded.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from normlab.errors import OptionError, not_one_of


def whole_number(name: str, value: Any, least: int, most: int | None = None) -> int:
    """`value` as an int, or an OptionError that names it.

    >>> whole_number("seed", np.int64(3), 0)
    3
    >>> whole_number("batch_size", 20.7, 1)
    Traceback (most recent call last):
    ...
    normlab.errors.OptionError: batch_size=20.7 is not a whole number >= 1
    """
    found = _index(value)
    if found is None or found < least or (most is not None and found > most):
        expected = f">= {least}" if most is None else f"from {least} to {most}"
        raise OptionError(f"{name}={value!r} is not a whole number {expected}")
    return found


def finite_number(name: str, value: Any, least: float = -math.inf) -> float:
    """`value` as a finite float of at least `least`, -0.0 as 0.0; or an OptionError that names it.

    >>> finite_number("reg", np.float32(0.5), 0), finite_number("reg", -0.0, 0)
    (0.5, 0.0)
    >>> finite_number("weight_scale", True)
    Traceback (most recent call last):
    ...
    normlab.errors.OptionError: weight_scale=True is not a finite number
    """
    found = _float(value)
    if not (math.isfinite(found) and found >= least):
        expected = "" if least == -math.inf else f" >= {least:g}"
        raise OptionError(f"{name}={value!r} is not a finite number{expected}")
    return found + 0.0  # -0.0 becomes 0.0: equal specs have one key


def whole_numbers(name: str, values: Any, least: int) -> tuple[int, ...]:
    """A sequence of whole numbers as a tuple, or an OptionError that names it.

    >>> whole_numbers("hidden_dims", 100, 1)
    Traceback (most recent call last):
    ...
    normlab.errors.OptionError: hidden_dims=100 is not a sequence of whole numbers; for a \
single one write hidden_dims=(100,)
    """
    if isinstance(values, str | bytes | dict) or not hasattr(values, "__iter__"):
        single = _index(values)
        hint = "" if single is None else f"; for a single one write {name}=({single},)"
        raise OptionError(f"{name}={values!r} is not a sequence of whole numbers{hint}")
    return tuple(
        whole_number(f"{name}[{place}]", value, least) for place, value in enumerate(values)
    )


def truth(name: str, value: Any) -> bool:
    """True or False, or an OptionError that names what was given."""
    if not isinstance(value, bool | np.bool_):
        raise OptionError(f"{name}={value!r} is neither True nor False")
    return bool(value)


def choice(name: str, value: object, choices: Iterable[object]) -> None:
    """Raise an OptionError unless `value` is one of the choices, which are names or None."""
    if not isinstance(value, str | None) or value not in choices:
        raise not_one_of(name, value, choices)


def _index(value: Any) -> int | None:
    if isinstance(value, bool | np.bool_):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def _float(value: Any) -> float:
    """NaN for what is no number."""
    if isinstance(value, bool | np.bool_) or not isinstance(
        value, int | float | np.integer | np.floating
    ):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf
