"""A claim against the observations: an effect a seed, its interval, a verdict.

Comparisons are paired by seed: the two sides of a claim are measured with the same seed (the same draws, where
the nets allow it), their difference is taken, and only the differences are averaged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from normlab.findings import ClaimFinding, Verdict
from normlab.specs import DataSpec
from normlab.studies import grid, sampling, wording
from normlab.studies.observations import Observation, best_of, select
from normlab.studies.spec import Claim, Quantity
from normlab.studies.statistics import Estimate, effect_interval
from normlab.studies.study import Study


def evaluate_all(
    study: Study,
    observations: Sequence[Observation],
    data: DataSpec,  # noqa: ARG001
    looks: Sequence[int],
) -> tuple[ClaimFinding, ...]:
    """The finding of every claim of a study, looked at so many times at most."""
    confidence = sampling.confidence(len(looks))
    return tuple(evaluate(claim, study, observations, confidence) for claim in study.claims)


def evaluate(
    claim: Claim, study: Study, observations: Sequence[Observation], confidence: float = 0.95
) -> ClaimFinding:
    """The claim's finding on all seeds that have every point it needs."""
    sides = [quantity for quantity in (claim.left, claim.right) if quantity is not None]
    involved = [seen for quantity in sides for seen in _involved(quantity, observations)]
    pairs = []
    by_seed: dict[int, list[Observation]] = {}
    for observation in observations:
        by_seed.setdefault(observation.seed, []).append(observation)
    for _, of_seed in sorted(by_seed.items()):
        values = [value_of(quantity, study, of_seed) for quantity in sides]
        if None not in values:
            pairs.append([value for value in values if value is not None])
    diverged = len({id(seen) for seen in involved if seen.diverged})
    return _finding(claim, pairs, confidence, diverged, study.first_seed)


def value_of(quantity: Quantity, study: Study, of_seed: Sequence[Observation]) -> float | None:
    """The quantity on one seed, from its observations; None where a point it needs is missing."""
    wanted = {_frozen(place) for place in grid.places(study) if grid.matches(place, quantity.where)}
    if not wanted:
        raise LookupError(f"{study.name} has no point at {dict(quantity.where)}")
    seen = select(of_seed, quantity.where)
    if {_frozen(observation.place) for observation in seen} != wanted:
        return None
    if quantity.best_of is not None:
        seen = best_of(seen, quantity.best_of, quantity.chosen_by or quantity.measure)
    value = _reduced(quantity, [observation.numbers[quantity.measure] for observation in seen])
    if quantity.minus is None:
        return value
    less = value_of(quantity.minus, study, of_seed)
    return None if less is None else value - less


def verdict_of(estimate: Estimate, claim: Claim) -> Verdict:
    """Whether the whole interval lies on the claimed side of the margin, on the other, or on both."""
    low, high = estimate.low - claim.margin, estimate.high - claim.margin
    if claim.expect == "below":
        low, high = -high, -low
    if low > 0:
        return "holds"
    if high < 0 or (low == high == 0):  # exactly at the margin, on every seed: not beyond it
        return "fails"
    return "cannot tell"


def _finding(
    claim: Claim,
    pairs: Sequence[Sequence[float]],
    confidence: float,
    diverged: int,
    first_seed: int,
) -> ClaimFinding:
    seeds = len(pairs)
    effects = [_difference(*pair) for pair in pairs]
    estimate = (
        effect_interval(effects, confidence) if seeds else Estimate(math.nan, math.nan, math.nan)
    )
    verdict = verdict_of(estimate, claim)
    sides = {name: _side(claim, index, pairs) for index, name in enumerate(("left", "right"))}
    effect = _in_words(claim, estimate.centre)
    interval = ""
    if not math.isnan(estimate.low):
        interval = wording.interval_text(
            _in_words(claim, estimate.low), _in_words(claim, estimate.high)
        )
    if verdict == "cannot tell":
        measured = f" The effect: {effect}{f' ({interval})' if interval else ''}." if seeds else ""
        sentence = f"{claim.statement} {_counted(seeds)} cannot tell.{measured}"
    else:
        sentence = (claim.holds if verdict == "holds" else claim.fails).format(
            effect=effect, **sides
        )
    return ClaimFinding(
        name=claim.name,
        statement=claim.statement,
        verdict=verdict,
        sentence=sentence,
        effect=estimate.centre,
        low=estimate.low,
        high=estimate.high,
        effect_text=effect,
        interval_text=interval,
        margin=claim.margin,
        beyond=f"{claim.expect} {_in_words(claim, claim.margin) if claim.margin or claim.right is None else 'zero'}",
        seeds=seeds,
        diverged=diverged,
        headline=claim.headline,
        after_a_look=claim.after_a_look,
        why=claim.why,
        first_seed=first_seed,
    )


def _reduced(quantity: Quantity, values: Sequence[float]) -> float:
    match quantity.reduce:
        case "max":
            return float(np.max(values))
        case "min":
            return float(np.min(values))
        case "range":
            return float(np.max(values) - np.min(values))
        case "share above":
            return float(np.mean(np.asarray(values) >= quantity.level))
        case _:
            return float(np.mean(values))


def _difference(left: float, right: float = 0.0) -> float:
    """Left less right; two losses that are both infinite or NaN do not differ."""
    if not math.isfinite(left) and not math.isfinite(right):
        return 0.0
    return (math.inf if math.isnan(left) else left) - (math.inf if math.isnan(right) else right)


def _side(claim: Claim, index: int, pairs: Sequence[Sequence[float]]) -> str:
    """The mean of one side over the seeds, in words."""
    quantity = (claim.left, claim.right)[index]
    values = [pair[index] for pair in pairs if index < len(pair)]
    if quantity is None or not values:
        return ""
    centre = float(np.mean(values)) if np.isfinite(values).all() else float(np.median(values))
    return wording.value_text(claim.unit, centre, _is_difference(quantity))


def _in_words(claim: Claim, value: float) -> str:
    """An effect, a bound or a margin: a value where the claim is about one, otherwise a difference."""
    if not math.isfinite(value):
        return "unbounded"
    if claim.right is None:
        return wording.value_text(claim.unit, value, _is_difference(claim.left))
    return wording.effect_text(claim.unit, value)


def _is_difference(quantity: Quantity) -> bool:
    return quantity.minus is not None or quantity.reduce == "range"


def _involved(quantity: Quantity, observations: Sequence[Observation]) -> list[Observation]:
    further = _involved(quantity.minus, observations) if quantity.minus else []
    return select(observations, quantity.where) + further


def _frozen(place: object) -> frozenset[object]:
    return frozenset(dict(place).items())  # type: ignore[call-overload]


def _counted(seeds: int) -> str:
    return "No finished seed" if seeds == 0 else "One seed" if seeds == 1 else f"{seeds} seeds"
