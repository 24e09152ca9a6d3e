"""The datasheet's numbers, from observations whose answers are known."""

from __future__ import annotations

import math

import pytest

from normlab.studies import datasheet
from normlab.studies.observations import Observation


def observed(place: dict[str, float], accuracy: float) -> Observation:
    names = ("test accuracy", "final test accuracy", datasheet.VALIDATION)
    return Observation(place, 0, dict.fromkeys(names, accuracy), {})


@pytest.mark.parametrize("lost", [math.nan, 0.1])
def test_a_batch_at_which_the_net_diverged_is_not_within_a_point(lost: float) -> None:
    seen = [observed({"batch size": 5}, lost), observed({"batch size": 50}, 0.9)]
    for order in (seen, seen[::-1]):
        assert datasheet.smallest_batch(order) == 50
        assert datasheet.tuned_accuracy(order) == 0.9


def test_three_rates_of_five_over_four_decades_are_three() -> None:
    accuracies = [math.nan, 0.895, 0.9, 0.899, 0.5]
    seen = [observed({"learning rate": 10.0**k}, each) for k, each in enumerate(accuracies)]
    assert datasheet.decades_within_a_point("learning rate", ())(seen) == pytest.approx(3)


def test_the_deepest_net_is_one_that_trained() -> None:
    place = {"start": "he", "learning rate": 1e-3}
    seen = [
        observed({**place, "hidden layers": 5}, 0.9),
        observed({**place, "hidden layers": 20}, math.nan),
    ]
    assert datasheet.deepest(seen) == 5


def test_what_was_not_measured_has_no_number() -> None:
    assert datasheet.tuned_accuracy([]) is None
    assert datasheet.smallest_batch([]) is None
    assert datasheet.deepest([]) is None
