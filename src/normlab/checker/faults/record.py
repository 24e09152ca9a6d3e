"""One entry of the catalogue of mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Fault(NamedTuple):
    """What a mistake is, in words that a first-week student knows.

    `derivation` is the line of the derivation it belongs to. `hints` say, in this order: where to look, what
    to try oneself, and what the mathematics asks for; none is the code. `cell` is the cell of the notebook
    that shows the mistake, or the reason why none does.
    """

    sentence: str
    derivation: str = ""
    hints: tuple[str, ...] = ()
    cell: str = ""
    severity: str = "fault"

    def filled(self, words: Mapping[str, str]) -> Fault:
        """The entry with the names of this function's axes and sizes in it."""
        known = _Words(words)
        return Fault(
            self.sentence.format_map(known),
            self.derivation.format_map(known),
            tuple(hint.format_map(known) for hint in self.hints),
            self.cell.format_map(known),
            self.severity,
        )


class _Words(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"<{key}>"


UNIT_PARAMETERS = "none: every cell there uses gamma = 1, beta = 0 or asks only about the mean and the spread"
SMALL_EPS = "none that says so: with eps = 1e-5 the printed error is of order 1e-6 and passes for success"
BROADCAST = "none: a shape of (1, D) broadcasts, and every printed error is small"
ONE_STEP = "none: the cells take a single step"
NO_LAYER_NORM_NET = "none: no cell checks the gradients of a net with layer norm"
ERROR_ONE = "the gradient check of this function (it prints an error near 1, as almost every mistake does)"
