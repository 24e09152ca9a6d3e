"""What the page prints is true as often as it says: intervals on effects of many shapes, simulated whole.

Each simulation makes a claim's observations, weighs them as a study does (ten seeds, and more while
the claim is open), and asks whether the interval printed in the end holds the truth. `python -m
tests.studies.test_coverage` prints the table of docs/studies.md from 1,000 repetitions each; here
200 must reach 0.93 within their own scatter.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from normlab.specs import DataSpec
from normlab.studies import Claim, Grid, Quantity, Reason, Study, over_norms
from normlab.studies.claims import Weighing, evaluate, evaluate_all
from normlab.studies.observations import Observation
from normlab.studies.statistics import share_interval

LOOKS = (10, 20, 40)
BEST, TRAINING = "best validation accuracy", "best training accuracy"
CLAIM = Claim(
    name="better",
    statement="Batch norm is better.",
    left=Quantity(BEST, {"norm": "batch norm"}),
    right=Quantity(BEST, {"norm": "no norm"}),
    holds="Yes.",
    fails="No.",
)
STUDY = Study(
    name="simulated",
    title="Simulated",
    question="?",
    grids=(Grid({"hidden_dims": (5,)}, (over_norms(None, "batchnorm"),)),),
    figure=(),
    claims=(CLAIM,),
    answer=(Reason("."),),
    measures=(BEST,),
)
DATA = DataSpec("digits", 1000, 400, 64)

Draw = Callable[[np.random.Generator, int], np.ndarray]


def on_the_grid(values: np.ndarray) -> np.ndarray:
    return np.round(values * 400) / 400


def failing(rng: np.random.Generator, n: int, often: float) -> np.ndarray:
    """Effects of one point with a point of noise, of which some runs fail by eighty points."""
    effects = 0.01 + 0.01 * rng.standard_normal(n)
    return np.where(rng.random(n) < often, effects - 0.8, effects)


# name: how effects are drawn, the mean that is true of those that learned, how often a run fails
SHAPES: dict[str, tuple[Draw, float, float]] = {
    "normal": (lambda rng, n: 0.01 + 0.01 * rng.standard_normal(n), 0.01, 0.0),
    "skewed (exponential)": (lambda rng, n: 0.01 * rng.exponential(size=n), 0.01, 0.0),
    "skewed the other way": (lambda rng, n: -0.01 * rng.exponential(size=n), -0.01, 0.0),
    "heavy-tailed (Student, 4 degrees)": (
        lambda rng, n: 0.01 + 0.01 * rng.standard_t(4, n),
        0.01,
        0.0,
    ),
    "on the grid of 400 images": (
        lambda rng, n: on_the_grid(0.001 + 0.002 * rng.standard_normal(n)),
        0.001,
        0.0,
    ),
    "no effect, on the grid": (
        lambda rng, n: on_the_grid(0.001 * rng.standard_normal(n)),
        0.0,
        0.0,
    ),
    "one in ten fails": (lambda rng, n: failing(rng, n, 0.1), 0.01, 0.1),
    "three in ten fail": (lambda rng, n: failing(rng, n, 0.3), 0.01, 0.3),
}


def observations(effects: np.ndarray) -> list[Observation]:
    """A seed for each effect: the plain net at 90 %, batch norm so much above it, or failed."""
    made = []
    for seed, effect in enumerate(effects):
        failed = effect < -0.3
        for norm, value in (("no norm", 0.0), ("batch norm", float(effect))):
            trained = 0.1 if failed and norm == "batch norm" else 0.95
            made.append(Observation({"norm": norm}, seed, {BEST: value, TRAINING: trained}, {}))
    return made


def coverage(
    shape: str, looks: tuple[int, ...], repeats: int, seed: int = 1
) -> tuple[float, float]:
    """How often the interval printed in the end holds the true mean of those that learned, and how often the
    exact interval holds the true share that learns."""
    draw, truth, often = SHAPES[shape]
    rng = np.random.default_rng(seed)
    covered = shares = 0
    weighing = Weighing(looks, {"validation": 400})
    for _ in range(repeats):
        effects = draw(rng, looks[-1])
        for look in looks:
            finding = evaluate(CLAIM, STUDY, observations(effects[:look]), weighing)
            if finding.verdict != "cannot tell":
                break
        covered += finding.low <= truth <= finding.high
        kept = int(np.sum(effects[:look] > -0.3))
        share = share_interval(kept, look, weighing.confidence)
        shares += share.low <= 1 - often <= share.high
    return covered / repeats, shares / repeats


@pytest.mark.parametrize("looks", [LOOKS, LOOKS[:1]], ids=["three looks", "one look"])
@pytest.mark.parametrize("shape", SHAPES)
def test_intervals_hold_the_truth_as_often_as_they_say(shape: str, looks: tuple[int, ...]) -> None:
    repeats = 200
    mean, share = coverage(shape, looks, repeats)
    scatter = math.sqrt(0.93 * 0.07 / repeats)
    assert mean >= 0.93 - scatter
    assert share >= 0.93 - scatter


def test_a_claim_without_an_effect_is_seldom_decided_at_whichever_look() -> None:
    """Looking three times at noise, each at a third of the risk: wrong in at most 5 %, and not much less than once."""
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(300):
        effects = 0.01 * rng.standard_normal(40)
        findings = (
            evaluate(CLAIM, STUDY, observations(effects[:look]), Weighing(LOOKS)) for look in LOOKS
        )
        wrong += any(finding.verdict != "cannot tell" for finding in findings)
    assert wrong / 300 <= 0.05 + math.sqrt(0.05 * 0.95 / 300)
    assert wrong > 0


def test_a_few_equal_values_of_a_grid_decide_nothing_within_half_a_step() -> None:
    (finding,) = evaluate_all(STUDY, observations(np.full(3, 0.0025)), DATA, (3,))
    assert (finding.low, finding.high) == (pytest.approx(0.00125), pytest.approx(0.00375))
    (finding,) = evaluate_all(STUDY, observations(np.zeros(3)), DATA, (3,))
    assert finding.low < 0 < finding.high


def test_who_fails_is_counted_and_the_mean_is_that_of_the_others() -> None:
    effects = np.array([0.02, 0.03, -0.8, 0.02, 0.03, -0.8, 0.02, 0.03, 0.02, -0.8])
    finding = evaluate(CLAIM, STUDY, observations(effects), Weighing((10,)))
    assert finding.effect == pytest.approx(np.mean(effects[effects > 0]))
    assert "7 of 10 seeds (35 to 93 %) against 10 of 10 seeds (69 to 100 %)" in finding.learned
    assert "the 7 seeds on which all learned" in finding.learned
    assert finding.verdict == "holds"


def test_the_side_that_is_ahead_but_fails_far_more_often_wins_nothing() -> None:
    effects = np.array([0.02, 0.03, 0.02, 0.03] + [-0.8] * 6)
    finding = evaluate(CLAIM, STUDY, observations(effects), Weighing((10,)))
    assert finding.low > 0
    assert finding.verdict == "cannot tell"


def test_divergence_is_decided_at_the_default() -> None:
    claim = Claim(
        name="diverges",
        statement="It diverges.",
        left=Quantity("mean loss", {"norm": "no norm"}),
        right=None,
        holds="It does.",
        fails="It does not.",
        margin=10.0,
        why="so.",
        unit="loss",
    )
    made = [
        Observation({"norm": "no norm"}, seed, {"mean loss": math.inf}, {}, True)
        for seed in range(10)
    ]
    assert evaluate(claim, STUDY, made, Weighing(LOOKS)).verdict == "holds"


if __name__ == "__main__":
    print("| effects | ten seeds | ten, twenty or forty | share that learns |\n|---|---|---|---|")
    for name in SHAPES:
        (once, _), (looked, shared) = coverage(name, LOOKS[:1], 1000), coverage(name, LOOKS, 1000)
        print(f"| {name} | {once:.3f} | {looked:.3f} | {shared:.3f} |", flush=True)
