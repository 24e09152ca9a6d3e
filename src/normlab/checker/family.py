"""Closed-form alternatives: a formula with slots, each with its right choice first and its known mistakes after.

A family is searched by the number of mistakes: none, then every single one, then every pair. Several draws
must agree. The name of a choice is the key of its fault; what follows a `#` only tells variants apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any

import numpy as np

from normlab.checker.compare import TIGHT, agrees


@dataclass(frozen=True)
class Family:
    """A formula `compute(draw, choice)` and, per slot, what may stand there.

    `compute` gives an array (or a tuple of arrays, compared with a tuple), or None where a combination
    means nothing; NumPy's own errors mean the same. `harmless` choices are conventions: they cost nothing.
    """

    slots: Mapping[str, Sequence[str]]
    compute: Callable[[Any, Mapping[str, str]], Any]
    harmless: frozenset[str] = field(default_factory=frozenset)

    def explain(
        self, seen: Sequence[tuple[Any, Any]], at_most: int = 2, tolerance: float = TIGHT
    ) -> tuple[str, ...] | None:
        """The keys of the fewest mistakes that give what was seen on every draw: () when right, None if unknown."""
        if not seen:
            return None
        for choice, keys in self._choices(at_most):
            if all(self._gives(draw, choice, value, tolerance) for draw, value in seen):
                return keys
        return None

    def _gives(self, draw: Any, choice: Mapping[str, str], value: Any, tolerance: float) -> bool:
        try:
            with np.errstate(all="ignore"):
                expected = self.compute(draw, choice)
        except (ValueError, IndexError, TypeError):
            return False
        if expected is None:
            return False
        if isinstance(expected, tuple):
            return (
                isinstance(value, tuple)
                and len(value) == len(expected)
                and all(agrees(v, e, tolerance) for v, e in zip(value, expected, strict=True))
            )
        return agrees(value, expected, tolerance)

    def _choices(self, at_most: int) -> Iterator[tuple[dict[str, str], tuple[str, ...]]]:
        right = {slot: options[0] for slot, options in self.slots.items()}
        free = [slot for slot, options in self.slots.items() if any(o in self.harmless for o in options[1:])]
        variants = [
            dict(zip(free, picks, strict=True))
            for picks in product(*([self.slots[s][0], *(o for o in self.slots[s] if o in self.harmless)] for s in free))
        ]
        for count in range(at_most + 1):
            for slots in combinations(self.slots, count):
                wrong = [[o for o in self.slots[slot][1:] if o not in self.harmless] for slot in slots]
                for options in product(*wrong):
                    for variant in variants:
                        changed = dict(zip(slots, options, strict=True))
                        if changed.keys() & {s for s in variant if variant[s] != right[s]}:
                            continue
                        keys = [*options, *(o for s, o in variant.items() if o != right[s])]
                        yield {**right, **variant, **changed}, tuple(dict.fromkeys(key_of(o) for o in keys))


def key_of(option: str) -> str:
    """The fault's key that an option stands for.

    >>> key_of("eps_missing#backward")
    'eps_missing'
    """
    return option.partition("#")[0]
