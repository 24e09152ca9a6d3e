"""Repeated measurements in three numbers."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Spread(NamedTuple):
    """The smallest, the median and the largest of some measurements."""

    least: float
    median: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value.

    >>> spread([3.0, 1.0, 2.0])
    Spread(least=1.0, median=2.0, most=3.0)
    """
    return Spread(min(values), statistics.median(values), max(values))


def ratios(others: Sequence[float], ours: Sequence[float]) -> Spread:
    """The spread of their ratio, round by round: the two of a round met the same machine.

    >>> ratios([4.0, 9.0], [2.0, 3.0])
    Spread(least=2.0, median=2.5, most=3.0)
    """
    return spread([other / own for other, own in zip(others, ours, strict=True)])
