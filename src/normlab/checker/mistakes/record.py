"""One entry of the catalogue: what a mistake is, in words, beside the formula that it leaves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

Formula = Any
"""What stands in a slot of a family: a function of what the slot is given, or a plain value."""

Spoiled = Mapping[str, Formula]
"""Slots, and the formula that stands in each instead of the right one."""

Leaves = tuple[str, str, str]
"""What a mistake multiplies the three coefficients of a norm's dx by: `("1", "0", "1")`."""


NAMES = frozenset(
    ("dx", "dw", "db", "dgamma", "dbeta", "dout", "x", "w", "b", "t", "m", "v", "p", "running_mean",
     "running_var", "normalization", "grads", "gamma", "beta", "reg", "cache")
)  # fmt: skip
"""Names of the code that a sentence may begin with: they stay as they are written."""


def headline(sentence: str) -> str:
    """A sentence as sentences begin; a name of the code and a formula's letter stay as they are.

    >>> headline("the mean is not subtracted"), headline("dx is zero"), headline("γ enters twice")
    ('The mean is not subtracted', 'dx is zero', 'γ enters twice')
    """
    if not sentence[:1].isascii() or re.split(r"[ :,]", sentence, maxsplit=1)[0] in NAMES:
        return sentence
    return sentence[:1].upper() + sentence[1:]


@dataclass(frozen=True)
class Mistake:
    """A mistake, in words that a first-week student knows.

    `sentence` names the wrong term and `asked` says what the mathematics asks for. `line` is the
    line of the
    derivation, `where` the path of the graph that holds it, `tried` what to try oneself. `cell` is
    the cell of
    the notebook that shows the mistake, or the reason why none does.

    `wrong` is the formula, in the slot of the family that it spoils: `{"divisor": lambda var, eps:
    var}`.
    `sought` are patterns of the line of somebody's code that it is likely to stand in, the best
    first.
    Several slots are spoiled at once; a tuple holds several ways to make the mistake. `leaves` are
    the ways
    that show as coefficients of dx. A mistake with neither is one that a probe asks about directly.
    """

    key: str
    sentence: str
    asked: str = ""
    line: str = ""
    where: str = ""
    tried: str = ""
    cell: str = ""
    severity: str = "fault"
    sought: tuple[str, ...] = ()
    wrong: Spoiled | tuple[Spoiled, ...] = ()
    leaves: tuple[Leaves, ...] = ()

    @property
    def ways(self) -> tuple[Spoiled, ...]:
        """Each way of making the mistake: slots, and what stands in them."""
        return self.wrong if isinstance(self.wrong, tuple) else (self.wrong,)

    @property
    def harmless(self) -> bool:
        """Whether it is a choice that costs nothing."""
        return self.severity == "convention"

    @property
    def is_term(self) -> bool:
        """Whether it is a formula that is wrong: then naming it is half of the answer."""
        return bool(self.leaves) or any(self.ways)

    @property
    def hints(self) -> tuple[str, ...]:
        """Which path of the graph, which term, and the formula; none is the code."""
        if not self.where:
            return ()
        formula = f"{self.line}   {self.asked}" if self.line else self.asked
        return self.where, f"{headline(self.sentence)}. {self.tried}", formula

    def filled(self, words: Mapping[str, str]) -> Mistake:
        """The entry with the names of this function's axes and sizes in it."""
        known = _Words(words)
        names = ("sentence", "asked", "line", "where", "tried", "cell")
        return replace(self, **{name: getattr(self, name).format_map(known) for name in names})


class _Words(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"<{key}>"


def convention(key: str, sentence: str, line: str = "", cell: str = "none", **more: Any) -> Mistake:
    """A choice that is right either way."""
    nothing = "Nothing needs to change."
    more = {"asked": nothing, "where": nothing, "tried": nothing, **more}
    return Mistake(key, sentence, line=line, cell=cell, severity="convention", **more)


def spoiling(mistakes: Iterable[Mistake], *slots: str) -> tuple[Mistake, ...]:
    """The mistakes that have a way of their own within these slots."""
    return tuple(m for m in mistakes if any(set(way) <= set(slots) for way in m.ways))


def by_key(*groups: Iterable[Mistake]) -> dict[str, Mistake]:
    """A catalogue; two mistakes of one key are an error in it."""
    entries: dict[str, Mistake] = {}
    for mistake in (m for group in groups for m in group):
        if mistake.key in entries:
            raise ValueError(f"two mistakes are called {mistake.key!r}")
        entries[mistake.key] = mistake
    return entries


Slots = Mapping[str, Callable[..., Any] | Any]

UNIT_PARAMETERS = (
    "none: every cell there uses gamma = 1, beta = 0 or asks only about the mean and the spread"
)
SMALL_EPS = (
    "none that says so: with eps = 1e-5 the printed error is of order 1e-6 and passes for success"
)
BROADCAST = "none: a shape of (1, D) broadcasts, and every printed error is small"
ONE_STEP = "none: the cells take a single step"
NO_LAYER_NORM_NET = "none: no cell checks the gradients of a net with layer norm"
ERROR_ONE = (
    "the gradient check of this function (it prints an error near 1, as almost every mistake does)"
)
