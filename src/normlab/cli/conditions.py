"""Conditions on rows, as they are typed: `normalization=batchnorm`, `best_val_acc>0.9`, `seed in 231,232`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from normlab.errors import OptionError, not_one_of

_CONDITION = re.compile(r"\s*(\w+)\s*(!=|<=|>=|=|<|>|\bnot in\b|\bin\b)\s*(.*?)\s*$", re.S)
_ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

Row = Mapping[str, Any]


def matching(rows: Sequence[Row], conditions: Sequence[str], names: Sequence[str]) -> list[Row]:
    """The rows that meet every condition. Raises OptionError for what is none, and for unknown columns.

    >>> matching([{"seed": 1}, {"seed": 2}], ["seed>1"], ["seed"])
    [{'seed': 2}]
    """
    kept = list(rows)
    for condition in conditions:
        meets = _condition(condition, names)
        kept = [row for row in kept if meets(row)]
    return kept


def _condition(text: str, names: Sequence[str]) -> Callable[[Row], bool]:
    found = _CONDITION.match(text)
    if found is None:
        raise OptionError(
            f"--where {text!r} is no condition; write NAME=VALUE, or with !=, <, <=, >, >=, or "
            "'NAME in A,B': normalization=batchnorm, 'best_val_acc>0.9', 'seed in 231,232'"
        )
    name, sign, wanted = found.groups()
    if names and name not in names:
        raise not_one_of("column", name, names)
    if sign in _ORDERED:
        number = _number(wanted)
        if number is None:
            raise OptionError(f"--where {text!r}: {wanted!r} is no number to compare {name} with")
        return lambda row: (
            (value := _number(row[name])) is not None and _ORDERED[sign](value, number)
        )
    values = wanted.split(",") if sign.endswith("in") else [wanted]
    negated = sign in ("!=", "not in")
    return lambda row: any(_equal(row[name], each.strip()) for each in values) is not negated


def _equal(value: object, wanted: str) -> bool:
    """Whether a cell is what was typed: numbers as numbers, an empty cell as 'none'."""
    if value is None:
        return wanted.lower() in ("none", "")
    number = _number(wanted)
    if isinstance(value, int | float) and number is not None:
        return value == number
    return str(value) == wanted


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
