"""Runs that fail outright: who learned, and what is compared then.

A net that fails stays near guessing. Where one run in ten fails by eighty points, ten seeds often
show no failure at all, and a mean with its interval then misses the true mean in two cases of
three: no interval can know of failures that it has not seen. So failing is counted, with an exact
interval, and the mean is that of the runs that learned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from normlab.studies.checking import FEWEST_SEEDS
from normlab.studies.observations import Observation, best_of, select
from normlab.studies.spec import Quantity
from normlab.studies.statistics import share_interval, shares_differ
from normlab.studies.study import Study

TIMES_GUESSING = 3
"""A net has learned if it ever fits three times as many training examples as guessing would: 30 % of ten classes.

Guessing scatters by about one point on 1,000 examples, and what learns at all passes 60 % on these
images: between 15 and 60 % any level tells the same runs apart.
"""


def learning_level(classes: int) -> float:
    """The training accuracy from which on a net has learned."""
    return min(TIMES_GUESSING / max(classes, 1), 0.9)


@dataclass(frozen=True)
class Row:
    """A seed: the value of each side, and whether its nets learned (None where that is not asked)."""

    values: Sequence[float]
    learned: Sequence[bool | None]


def learned(
    quantity: Quantity, study: Study, of_seed: Sequence[Observation], level: float
) -> bool | None:
    """Whether the nets behind a quantity learned; None unless it is the accuracy of a single net, or of two."""
    record = study.known.get(quantity.measure)
    if record is None or record.unit != "accuracy" or quantity.reduce != "mean":
        return None
    seen = select(of_seed, quantity.where)
    if quantity.best_of is not None:
        seen = best_of(seen, quantity.best_of, quantity.chosen_by or quantity.measure)
    if len(seen) != 1 or "best training accuracy" not in seen[0].numbers:
        return None
    did = seen[0].numbers["best training accuracy"] >= level
    if quantity.minus is None:
        return did
    less = learned(quantity.minus, study, of_seed, level)
    return None if less is None else did and less


def compared(rows: Sequence[Row], confidence: float) -> tuple[Sequence[Row], str, bool]:
    """The seeds to compare, a sentence on who learned, and whether failing speaks against the comparison.

    Where each side learns on every seed, or on none, all seeds are compared. Otherwise those on
    which both learned; and if then the side that is ahead is the one that fails significantly more
    often, nothing is decided.
    """
    sides = len(rows[0].values) if rows else 0
    counts = [[row.learned[side] for row in rows] for side in range(sides)]
    asked = [[bool(each) for each in count] for count in counts if None not in count]
    if len(asked) != sides or all(all(each) or not any(each) for each in asked):
        return rows, "", False
    words = [_share_text(each, confidence) for each in asked]
    both = [row for row in rows if all(row.learned)]
    sentence = "Learned: " + " against ".join(words)
    if len(both) < FEWEST_SEEDS:
        return rows, f"{sentence}; all are compared.", False
    sentence += f"; the effect is that of the {len(both)} seeds on which all learned."
    return both, sentence, _against(both, asked, confidence)


def _share_text(learned_on: Sequence[bool], confidence: float) -> str:
    share = share_interval(sum(learned_on), len(learned_on), confidence)
    bounds = f"{100 * share.low:.0f} to {100 * share.high:.0f} %"
    return f"{sum(learned_on)} of {len(learned_on)} seeds ({bounds})"


def _against(both: Sequence[Row], asked: Sequence[Sequence[bool]], confidence: float) -> bool:
    if len(asked) != 2:
        return False
    left, right = ((sum(each), len(each)) for each in asked)
    ahead = math.fsum(row.values[0] - row.values[1] for row in both)
    return ahead * (left[0] - right[0]) < 0 and shares_differ(left, right) < 1 - confidence
