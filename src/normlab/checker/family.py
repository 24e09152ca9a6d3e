"""Closed-form alternatives: a formula with slots, and the mistakes that put another formula there.

A family is searched by the number of mistakes: none, then every single one, then every pair.
Several draws
must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np

from normlab.checker.compare import TIGHT, agrees
from normlab.checker.mistakes.record import Formula, Mistake, Spoiled


class Choice(NamedTuple):
    """A formula for each slot, and the keys of the mistakes that are in it."""

    pick: dict[str, Formula]
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Family:
    """The right formula of each slot, the mistakes that spoil them, and how the slots make a value.

    `compute(draw, pick)` gives an array (or a tuple of arrays, compared with a tuple), or None
    where a
    combination means nothing; NumPy's own errors mean the same. Conventions cost nothing; where
    mistakes are
    many, their pairs are asked without them.
    """

    right: Mapping[str, Formula]
    mistakes: Sequence[Mistake]
    compute: Callable[[Any, Mapping[str, Formula]], Any]
    conventions_in_pairs: bool = True
    _known: dict[int, list[Choice]] = field(default_factory=dict, compare=False, repr=False)

    def explain(
        self, seen: Sequence[tuple[Any, Any]], at_most: int = 2, tolerance: float = TIGHT
    ) -> tuple[str, ...] | None:
        """The keys of the fewest mistakes that give what was seen on every draw: () when right,
        None if unknown."""
        if not seen:
            return None
        for choice in self.choices(at_most):
            if all(self._gives(draw, choice.pick, value, tolerance) for draw, value in seen):
                return choice.keys
        return None

    def value(self, draw: Any) -> Any:
        """What is right."""
        return self.compute(draw, self.right)

    def is_harmless(self, key: str) -> bool:
        """Whether a key is a convention's."""
        return any(mistake.key == key and mistake.harmless for mistake in self.mistakes)

    def _gives(self, draw: Any, pick: Mapping[str, Formula], value: Any, tolerance: float) -> bool:
        try:
            with np.errstate(all="ignore"):
                expected = self.compute(draw, pick)
        except (ValueError, IndexError, TypeError, ZeroDivisionError, OverflowError):
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

    def choices(self, at_most: int) -> Iterator[Choice]:
        """Every combination of up to so many mistakes, the fewest first."""
        for count in range(at_most + 1):
            if count not in self._known:
                self._known[count] = list(self._of(count))
            yield from self._known[count]

    def _of(self, count: int) -> Iterator[Choice]:
        position = {slot: index for index, slot in enumerate(self.right)}
        ways = [
            (m, way)
            for m in self.mistakes
            for way in m.ways
            if way and way.keys() <= position.keys()
        ]
        harmful = sorted(
            ((min(position[s] for s in way), index, m, way) for index,
             (m, way) in enumerate(ways) if not m.harmless),
            key=lambda item: item[:2],
        )  # fmt: skip
        variants = list(self._variants([pair for pair in ways if pair[0].harmless]))
        chosen = [c for c in combinations(harmful, count) if _apart([way for *_, way in c])]
        chosen.sort(key=lambda c: ([item[0] for item in c], [item[1] for item in c]))
        for several in chosen:
            changed: dict[str, Formula] = {}
            for *_, way in several:
                changed |= way
            keys = [m.key for *_, m, _ in several]
            for mine, variant in (
                variants if count < 2 or self.conventions_in_pairs else variants[:1]
            ):
                if not changed.keys() & variant.keys():
                    yield Choice(
                        {**self.right, **variant, **changed}, tuple(dict.fromkeys([*keys, *mine]))
                    )

    def _variants(
        self, ways: Sequence[tuple[Mistake, Spoiled]]
    ) -> Iterator[tuple[tuple[str, ...], dict[str, Formula]]]:
        """Every combination of conventions, none of them first."""
        slots = list(dict.fromkeys(slot for slot in self.right for _, way in ways if slot in way))
        options = [[None, *(pair for pair in ways if slot in pair[1])] for slot in slots]
        for picks in product(*options):
            kept = [pair for pair in picks if pair is not None]
            merged: dict[str, Formula] = {}
            for _, way in kept:
                merged |= way
            yield tuple(m.key for m, _ in kept), merged


def _apart(ways: Sequence[Spoiled]) -> bool:
    """Whether no two mistakes spoil the same slot."""
    return len({slot for way in ways for slot in way}) == sum(len(way) for way in ways)
