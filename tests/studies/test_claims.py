"""Verdicts on planted effects: what is there is found, what is reversed fails, what is noise is left open."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from normlab.studies import Claim, Grid, Quantity, Study, over_field, over_norms
from normlab.studies.claims import evaluate, value_of, verdict_of
from normlab.studies.observations import Observation
from normlab.studies.statistics import Estimate

STUDY = Study(
    name="planted",
    title="Planted",
    question="?",
    figure=(),
    claims=(),
    answer=(),
    measures=(),
    grids=(
        Grid(
            {"hidden_dims": (5,)},
            (over_norms(None, "batchnorm"), over_field("batch size", "batch_size", (5, 50))),
        ),
    ),
)
BATCH, PLAIN = {"norm": "batch norm"}, {"norm": "no norm"}
CLAIM = Claim(
    name="better",
    statement="Batch norm is better.",
    left=Quantity("best validation accuracy", BATCH),
    right=Quantity("best validation accuracy", PLAIN),
    holds="{left} against {right}: {effect}.",
    fails="{left} is no more than {right}.",
)


def seen(norm: str, size: int, seed: int, value: float, diverged: bool = False) -> Observation:
    return Observation(
        {"norm": norm, "batch size": size}, seed, {"best validation accuracy": value}, {}, diverged
    )


def planted(advantages: list[float]) -> list[Observation]:
    """A seed for each advantage of batch norm; the seeds themselves differ far more than the two norms do."""
    made = []
    for seed, advantage in enumerate(advantages):
        base = 0.3 + 0.1 * seed
        for size in (5, 50):
            made += [
                seen("no norm", size, seed, base),
                seen("batch norm", size, seed, base + advantage),
            ]
    return made


def test_a_planted_effect_holds() -> None:
    finding = evaluate(CLAIM, STUDY, planted([0.10, 0.11, 0.09, 0.10]))
    assert finding.verdict == "holds"
    assert finding.effect == pytest.approx(0.10)
    assert finding.low < 0.10 < finding.high
    assert finding.sentence == "55.0 % against 45.0 %: +10.0 points."
    assert finding.interval_text.endswith(" points")
    assert (finding.seeds, finding.beyond) == (4, "above zero")


def test_a_reversed_effect_fails() -> None:
    finding = evaluate(CLAIM, STUDY, planted([-0.10, -0.11, -0.09, -0.10]))
    assert finding.verdict == "fails"
    assert finding.sentence.startswith("35.0 % is no more than 45.0 %")


def test_two_noisy_seeds_cannot_tell() -> None:
    finding = evaluate(CLAIM, STUDY, planted([0.20, 0.05]))
    assert finding.verdict == "cannot tell"
    assert "2 seeds cannot tell" in finding.sentence
    assert CLAIM.statement in finding.sentence


def test_comparisons_are_paired_by_seed() -> None:
    # unpaired, seeds that differ by 0.3 would hide an advantage of 0.01
    finding = evaluate(CLAIM, STUDY, planted([0.010, 0.011, 0.009, 0.010]))
    assert finding.verdict == "holds"


def test_the_margin_counts() -> None:
    strict = replace(CLAIM, margin=0.2)
    assert evaluate(strict, STUDY, planted([0.10, 0.11, 0.09, 0.10])).verdict == "fails"
    modest = replace(CLAIM, margin=0.2, expect="below")
    assert evaluate(modest, STUDY, planted([0.10, 0.11, 0.09, 0.10])).verdict == "holds"


def test_no_difference_at_all_is_not_beyond_zero() -> None:
    assert verdict_of(Estimate(0.0, 0.0, 0.0), CLAIM) == "fails"
    assert verdict_of(Estimate(0.1, math.nan, math.nan), CLAIM) == "cannot tell"


def test_one_seed_or_none_cannot_tell() -> None:
    one = evaluate(CLAIM, STUDY, planted([0.1]))
    assert (one.verdict, one.seeds, one.interval_text) == ("cannot tell", 1, "")
    assert "One seed cannot tell" in one.sentence
    none = evaluate(CLAIM, STUDY, [])
    assert (none.verdict, none.seeds) == ("cannot tell", 0)


def test_a_seed_with_a_missing_point_is_left_out() -> None:
    observations = planted([0.10, 0.11, 0.09, 0.10])
    observations.remove(observations[0])
    assert evaluate(CLAIM, STUDY, observations).seeds == 3


def test_diverged_runs_are_counted_and_never_dropped() -> None:
    observations = planted([0.10, 0.11, 0.09, 0.10])
    observations.append(
        observations.pop(0).__class__(
            PLAIN | {"batch size": 5}, 0, {"best validation accuracy": math.nan}, {}, True
        )
    )
    finding = evaluate(CLAIM, STUDY, observations)
    assert finding.diverged == 1
    assert finding.seeds == 4
    assert finding.verdict == "cannot tell"  # a median of four values has no interval


def test_a_loss_that_diverged_is_above_every_number() -> None:
    claim = replace(
        CLAIM,
        left=Quantity("mean loss", PLAIN),
        right=None,
        margin=10.0,
        unit="loss",
        holds="still {left}",
    )
    made = [
        Observation(
            {"norm": "no norm", "batch size": size},
            seed,
            {"mean loss": math.nan if seed else 50.0},
            {},
            seed > 0,
        )
        for seed in range(8)
        for size in (5, 50)
    ]
    finding = evaluate(claim, STUDY, made)
    assert finding.verdict == "holds"
    assert finding.effect == math.inf
    assert finding.sentence == "still no finite value"


def test_a_diverged_right_side_is_worse_than_any_left() -> None:
    claim = replace(
        CLAIM,
        left=Quantity("mean loss", BATCH),
        right=Quantity("mean loss", PLAIN),
        unit="loss",
        expect="below",
    )
    made = [
        Observation(
            {"norm": norm, "batch size": size}, seed, {"mean loss": loss}, {}, math.isnan(loss)
        )
        for seed in range(8)
        for size in (5, 50)
        for norm, loss in (("batch norm", 0.3), ("no norm", math.nan))
    ]
    finding = evaluate(claim, STUDY, made)
    assert (finding.verdict, finding.effect) == ("holds", -math.inf)
    both = [replace(seen, numbers={"mean loss": math.nan}) for seen in made]
    assert evaluate(claim, STUDY, both).effect == 0.0


@pytest.mark.parametrize(
    ("reduce", "expected"),
    [("mean", 0.4), ("max", 0.6), ("min", 0.2), ("range", 0.4), ("share above", 0.5)],
)
def test_reductions_by_hand(reduce: str, expected: float) -> None:
    observations = [seen("batch norm", 5, 0, 0.2), seen("batch norm", 50, 0, 0.6)]
    quantity = Quantity("best validation accuracy", BATCH, reduce=reduce, level=0.6)
    assert value_of(quantity, STUDY, observations) == pytest.approx(expected)


def test_a_quantity_less_another() -> None:
    observations = [seen("batch norm", 5, 0, 0.2), seen("batch norm", 50, 0, 0.6)]
    large = Quantity(
        "best validation accuracy",
        BATCH | {"batch size": 50},
        minus=Quantity("best validation accuracy", BATCH | {"batch size": 5}),
    )
    assert value_of(large, STUDY, observations) == pytest.approx(0.4)


def test_the_best_of_an_axis_is_taken_before_anything_else() -> None:
    """Batch 5 and 50 as two tries of one net: each norm counts with its better one, and only then the lower norm."""
    made = [seen("batch norm", 5, 0, 0.2), seen("batch norm", 50, 0, 0.6)]
    made += [seen("no norm", 5, 0, 0.5), seen("no norm", 50, 0, 0.1)]
    worst = Quantity("best validation accuracy", {}, reduce="min")
    assert value_of(worst, STUDY, made) == pytest.approx(0.1)
    assert value_of(replace(worst, best_of="batch size"), STUDY, made) == pytest.approx(0.5)


def test_a_claim_about_points_that_do_not_exist_is_a_mistake_in_the_study() -> None:
    with pytest.raises(LookupError, match="planted has no point"):
        value_of(Quantity("best validation accuracy", {"norm": "batchnorm"}), STUDY, [])


def test_a_claim_about_a_value_says_values() -> None:
    claim = replace(CLAIM, right=None, expect="below", margin=0.3, holds="only {left}")
    finding = evaluate(claim, STUDY, planted([-0.29, -0.40, -0.50]))
    assert (finding.effect_text, finding.beyond) == ("0.3 %", "below 30.0 %")
