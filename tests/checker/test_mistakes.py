"""Every mistake of the field notes, planted into correct code, is found and named."""

from itertools import combinations

import numpy as np
import pytest

from tests.checker.mistakes import PLANTS
from tests.checker.mistakes_in_styles import PLANTS_IN_STYLES
from tests.checker.planting import BASE, examined, outcome, planted, relevant, text_of

SOURCE = text_of(*BASE)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.id)
def test_a_planted_mistake_is_named(plant):
    report = examined(planted(SOURCE, plant.edits), relevant(plant))
    assert outcome(plant, report) == "named", [
        (f.fault, f.sentence, f.evidence) for f in report.findings if f.fault
    ]


@pytest.mark.parametrize(
    "plant", [p for p in PLANTS if p.shows == "wrong"][::12], ids=lambda plant: plant.id
)
def test_a_planted_mistake_is_named_on_other_inputs_too(plant):
    report = examined(planted(SOURCE, plant.edits), relevant(plant), seed=12345)
    assert outcome(plant, report) == "named"


@pytest.mark.parametrize(
    ("style", "plant"), PLANTS_IN_STYLES, ids=[plant.id for _, plant in PLANTS_IN_STYLES]
)
def test_a_mistake_is_named_in_other_styles_too(style, plant):
    report = examined(planted(text_of(style), plant.edits), relevant(plant))
    assert outcome(plant, report) == "named", [
        (f.fault, f.evidence) for f in report.findings if f.fault
    ]


def test_every_mistake_has_an_identity_of_its_own():
    assert len({plant.id for plant in PLANTS}) == len(PLANTS)
    assert all(plant.named or plant.shows == "right" for plant in PLANTS)


BACKWARD = [p for p in PLANTS if set(p.edits) == {"batchnorm_backward"} and p.shows == "wrong"]


def test_most_pairs_of_mistakes_are_both_named():
    """Two terms wrong at once, in one backward pass: the measured rate is in the table of proof/checker.py."""
    pairs = list(combinations(BACKWARD, 2))
    chosen = np.random.default_rng(0).permutation(len(pairs))[:40]
    named = tried = 0
    for first, second in (pairs[i] for i in chosen):
        try:
            source = planted(planted(SOURCE, first.edits), second.edits)
        except AssertionError:
            continue  # the second edits what the first has already changed
        wrong = {f.fault for f in examined(source, relevant(first)).wrong}
        assert wrong, (first.id, second.id)
        tried += 1
        named += bool(wrong & set(first.named)) and bool(wrong & set(second.named))
    assert tried >= 20
    assert named / tried >= 0.7
