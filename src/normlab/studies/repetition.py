"""Would the verdicts come out again? The chance of each on fresh seeds, from the effects that were found.

    python -m normlab.studies.repetition results

A fresh job draws ten effects, and more while the claim is open, as the first did. Here they are
drawn from a normal distribution with the scatter that was found around a mean that is itself
uncertain by as much as so many seeds leave it. So the answer is neither that the found mean is the
true one, nor anybody's opinion.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from normlab.findings import ClaimFinding, Findings, Verdict
from normlab.records import Records
from normlab.studies.checking import FEWEST_SEEDS
from normlab.studies.claims import verdict_for
from normlab.studies.collection import collect
from normlab.studies.sampling import confidence
from normlab.studies.statistics import effect_interval

JOBS = 400


@dataclass(frozen=True)
class Repetition:
    """A claim, its verdict, and the chance that a fresh job gives the same."""

    study: str
    claim: str
    verdict: Verdict
    chance: float
    close: bool


def repetitions(findings: Findings, jobs: int = JOBS, seed: int = 0) -> list[Repetition]:
    """The chance of each verdict on a page to come out again, from so many simulated jobs."""
    rng = np.random.default_rng(seed)
    return [
        Repetition(study.name, claim.name, claim.verdict, _chance(claim, rng, jobs), claim.close)
        for study in findings.studies
        for claim in study.claims
    ]


def all_together(found: list[Repetition]) -> float:
    """The chance that every verdict comes out again: the product, as if claims shared no runs.

    Those that do are more likely to come out together, so that this is rather too low.
    """
    return math.prod(each.chance for each in found)


def _chance(claim: ClaimFinding, rng: np.random.Generator, jobs: int) -> float:
    effects = np.array(claim.effects)
    if len(effects) < FEWEST_SEEDS:
        return 0.0
    if not np.isfinite(effects).all():
        return float(np.mean([_again(claim, rng.choice(effects, 40)) for _ in range(jobs)]))
    scatter = float(effects.std(ddof=1))
    if scatter == 0:
        return 1.0
    freedom = len(effects) - 1
    same = 0
    for _ in range(jobs):
        spread = scatter * math.sqrt(freedom / rng.chisquare(freedom))
        mean = effects.mean() + spread / math.sqrt(len(effects)) * rng.standard_normal()
        drawn = mean + spread * rng.standard_normal(max(claim.looks))
        same += _again(claim, drawn)
    return same / jobs


def _again(claim: ClaimFinding, effects: np.ndarray) -> bool:
    verdict: Verdict = "cannot tell"
    for look in claim.looks:
        interval = effect_interval(
            [float(each) for each in effects[:look]], confidence(len(claim.looks)), claim.step
        )
        verdict = verdict_for(interval, claim.margin, claim.expect)
        if verdict != "cannot tell":
            break
    return verdict == claim.verdict


def main(place: str = "results") -> None:
    """Print the table of a results folder."""
    path = Path(place)
    with Records(path / "records.sqlite" if path.is_dir() else path, mode="r") as records:
        found = repetitions(collect(records))
    for each in sorted(found, key=lambda each: each.chance):
        close = " (close)" if each.close else ""
        print(f"{each.chance:.2f}  {each.verdict:12} {each.study}: {each.claim}{close}")
    decided = [each for each in found if each.verdict != "cannot tell"]
    print(f"\nall {len(found)} together: {all_together(found):.2f}")
    print(f"the {len(decided)} decided ones together: {all_together(decided):.2f}")
    print(f"expected to come out again: {sum(each.chance for each in found):.1f} of {len(found)}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
