"""How many seeds a study gets: a first look at a fixed number, and more where a claim is still open.

The looks are fixed beforehand: 10 seeds, 20, 40. After each, only the points that open claims are
about go on. Who looks three times has three chances to be misled, so each look is weighed at a
third of the risk: if each interval misses the truth with a probability of 5 % / 3, then no more
than 5 % of claims are ever misjudged at whichever look they stop (Bonferroni's inequality, which
asks nothing of the distribution or of the rule for stopping).
"""

from __future__ import annotations

from collections.abc import Sequence

from normlab.findings import ClaimFinding
from normlab.studies import grid
from normlab.studies.spec import Claim, Quantity
from normlab.studies.study import Study

CONFIDENCE = 0.95


def looks(study: Study, seeds: int | None = None) -> tuple[int, ...]:
    """The numbers of seeds at which a study is looked at; a number that was asked for is the only one.

    >>> from normlab.studies.catalog import STUDIES
    >>> looks(STUDIES["depth"]), looks(STUDIES["depth"], 4)
    ((10, 20, 40), (4,))
    """
    if seeds is not None:
        return (seeds,)
    numbers = [study.seeds]
    while 2 * numbers[-1] <= study.most_seeds:
        numbers.append(2 * numbers[-1])
    return tuple(numbers)


def confidence(number_of_looks: int) -> float:
    """The confidence of each interval that keeps 95 % over so many looks together.

    >>> confidence(1), round(confidence(3), 4)
    (0.95, 0.9833)
    """
    return 1 - (1 - CONFIDENCE) / number_of_looks


def open_points(study: Study, tested: Sequence[ClaimFinding]) -> list[grid.Point]:
    """The points that the claims still open are about."""
    names = {finding.name for finding in tested if finding.verdict == "cannot tell"}
    claims = [claim for claim in study.claims if claim.name in names]
    wheres = [quantity.where for claim in claims for quantity in quantities(claim)]
    return [
        point
        for point in grid.points(study)
        if any(grid.matches(point.place, where) for where in wheres)
    ]


def quantities(claim: Claim) -> list[Quantity]:
    """Every quantity of a claim, those that are taken off others included."""
    found: list[Quantity] = []
    quantity: Quantity | None
    for quantity in (claim.left, claim.right):
        while quantity is not None:
            found.append(quantity)
            quantity = quantity.minus
    return found
