"""The chance that a verdict comes out again: sure things are sure, coin tosses are not, and the rest lies between."""

from __future__ import annotations

import numpy as np
import pytest

from normlab.findings import Findings
from normlab.studies.claims import Weighing, evaluate
from normlab.studies.evaluation import findings_of
from normlab.studies.repetition import all_together, repetitions
from tests.studies.test_coverage import CLAIM, DATA, LOOKS, STUDY, observations


def chance_of(effects: np.ndarray) -> float:
    seeds = range(len(effects))
    study = findings_of(STUDY, observations(effects), seeds, DATA, looks=LOOKS)
    (found,) = repetitions(Findings("digits", "digits", "", (study,)), jobs=200)
    assert found.verdict == evaluate(CLAIM, STUDY, observations(effects), Weighing(LOOKS)).verdict
    return found.chance


def test_a_large_effect_comes_out_again_and_a_small_one_may_not() -> None:
    noise = np.random.default_rng(1).standard_normal(10)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    assert chance_of(0.05 + 0.01 * noise) > 0.99
    assert chance_of(0.0096 + 0.01 * noise) < 0.5  # open after ten seeds; more would decide it
    assert chance_of(np.full(10, 0.02)) == 1.0


def test_all_together_is_the_product() -> None:
    noise = np.random.default_rng(2).standard_normal(10)
    study = findings_of(STUDY, observations(0.01 + 0.01 * noise), range(10), DATA, looks=LOOKS)
    found = repetitions(Findings("digits", "digits", "", (study, study)), jobs=200)
    assert all_together(found) == pytest.approx(found[0].chance * found[1].chance)
