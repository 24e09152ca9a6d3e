"""The order of layers that a file holds by name, without order: certain, or asked for.

Names that differ in their numbers alone (`fc1`, `fc2`; `0`, `3`, `6`) count up. Between groups of such names the sizes
decide, and only where they leave a single order: a net in the wrong order would give wrong numbers without a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from normlab.conversion.errors import ForeignNetError
from normlab.errors import quoted

MOST_STEPS = 10_000  # of the search; a file that needs more is ambiguous anyway, or made to be


def the_only_order(names: Collection[str], fits: Callable[[list[str], str], bool], what: str) -> list[str]:
    """The names in the one order in which each `fits` (those before it, itself); of one pattern, counted up.

    Raises ForeignNetError where there is none, or more than one.

    >>> sizes = {"in": (8, 5), "hidden.0": (5, 5), "hidden.1": (5, 5), "out": (5, 2)}
    >>> the_only_order(sizes, lambda before, name: not before or sizes[before[-1]][1] == sizes[name][0], "layers")
    ['in', 'hidden.0', 'hidden.1', 'out']
    """
    queues: dict[str, list[str]] = {}
    for name in _counted_up(names):
        queues.setdefault(re.sub("[0-9]+", "#", name), []).append(name)
    if len(queues) == 1:  # the numbers decide, and the caller says what does not fit
        return _counted_up(names)
    total = sum(map(len, queues.values()))
    orders: list[list[str]] = []
    unfinished: list[tuple[list[str], tuple[int, ...]]] = [([], (0,) * len(queues))]
    steps = 0
    while unfinished and len(orders) < 2 and steps < MOST_STEPS:
        steps += 1
        before, taken = unfinished.pop()
        if len(before) == total:
            orders.append(before)
        for which, queue in enumerate(queues.values()):
            if taken[which] < len(queue) and fits(before, queue[taken[which]]):
                after = (*taken[:which], taken[which] + 1, *taken[which + 1 :])
                unfinished.append(([*before, queue[taken[which]]], after))
    if len(orders) == 1 and not unfinished:
        return orders[0]
    listed = quoted(_counted_up(names))
    if orders or unfinished:
        raise ForeignNetError(
            f"the names of the file's {what} do not tell their order, and their sizes allow several: {listed}; name "
            f"the affine layers from the first to the last with --layers, and norm layers by number"
        )
    raise ForeignNetError(
        f"in no order do the file's {what} fit each other: {listed}; it is not a plain chain of layers"
    )


def _counted_up(names: Collection[str]) -> list[str]:
    return sorted(names, key=_numbers)


def _numbers(name: str) -> list[tuple[int, int, str]]:
    """A key by which 'fc10' comes after 'fc9'."""
    pieces = re.split("([0-9]+)", name)
    pieces[1::2] = [piece.lstrip("0") for piece in pieces[1::2]]
    return [(place % 2, len(piece) if place % 2 else 0, piece) for place, piece in enumerate(pieces)]
