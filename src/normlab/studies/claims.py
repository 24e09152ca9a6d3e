"""A claim against the observations: an effect a seed, its interval, a verdict.

Comparisons are paired by seed: the two sides of a claim are measured with the same seed (the same
images, and the same draws where the nets allow it), their difference is taken, and only the
differences are averaged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from normlab.findings import ClaimFinding, Verdict
from normlab.specs import DataSpec
from normlab.studies import arms, grid, sampling, wording
from normlab.studies.checking import FEWEST_SEEDS
from normlab.studies.observations import Observation, best_of
from normlab.studies.spec import Claim, Quantity
from normlab.studies.statistics import Estimate, effect_interval, p_value
from normlab.studies.study import Study


def evaluate_all(
    study: Study,
    observations: Sequence[Observation],
    data: DataSpec,
    looks: Sequence[int],
    num_test: int = 0,
) -> tuple[ClaimFinding, ...]:
    """The finding of every claim of a study, looked at after so many seeds at most."""
    counted = {"training": min(data.num_train, 1000), "validation": data.num_val, "test": num_test}
    weighing = Weighing(tuple(looks), counted, arms.learning_level(data.num_classes))
    return tuple(evaluate(claim, study, observations, weighing) for claim in study.claims)


@dataclass(frozen=True)
class Weighing:
    """How claims are weighed: the looks planned, the examples each accuracy counts, and what counts as learning."""

    looks: tuple[int, ...] = (10,)
    counted: Mapping[str, int] | None = None
    level: float = 0.3

    @property
    def confidence(self) -> float:
        """Of each interval alone."""
        return sampling.confidence(len(self.looks))

    def whole_looks(self, seeds: int) -> int:
        """The largest look that so many seeds complete; all of them before the first is complete."""
        return max((look for look in self.looks if look <= seeds), default=seeds)


def evaluate(
    claim: Claim,
    study: Study,
    observations: Sequence[Observation],
    weighing: Weighing | None = None,
) -> ClaimFinding:
    """The claim's finding on all seeds that have every point it needs."""
    weighing = weighing or Weighing()
    sides = [_resolved(side, study) for side in (claim.left, claim.right) if side is not None]
    needed_places = frozenset().union(*(each.places for side in sides for each in _chain(side)))
    needed = [seen for seen in observations if _frozen(seen.place) in needed_places]
    by_seed: dict[int, list[Observation]] = {}
    for seen in needed:
        by_seed.setdefault(seen.seed, []).append(seen)
    rows: list[arms.Row] = []
    for _, of_seed in sorted(by_seed.items()):
        values = [_value(side, of_seed) for side in sides]
        if None not in values:
            who = [arms.learned(side.quantity, study, of_seed, weighing.level) for side in sides]
            rows.append(arms.Row([value for value in values if value is not None], who))
    rows = rows[: weighing.whole_looks(len(rows))]
    step = max((_step(side, study, weighing) for side in sides), default=0.0)
    diverged = sum(seen.diverged for seen in needed)
    return _finding(claim, rows, weighing, step, diverged, study.first_seed)


def value_of(quantity: Quantity, study: Study, of_seed: Sequence[Observation]) -> float | None:
    """The quantity on one seed, from its observations; None where a point it needs is missing."""
    return _value(_resolved(quantity, study), of_seed)


@dataclass(frozen=True)
class _Resolved:
    """A quantity with the places that it is about, found once for all seeds."""

    quantity: Quantity
    places: frozenset[frozenset[object]]
    minus: _Resolved | None


def _resolved(quantity: Quantity, study: Study) -> _Resolved:
    places = frozenset(
        _frozen(place) for place in grid.places(study) if grid.matches(place, quantity.where)
    )
    if not places:
        raise LookupError(f"{study.name} has no point at {dict(quantity.where)}")
    return _Resolved(quantity, places, _resolved(quantity.minus, study) if quantity.minus else None)


def _value(resolved: _Resolved, of_seed: Sequence[Observation]) -> float | None:
    quantity = resolved.quantity
    seen = [each for each in of_seed if _frozen(each.place) in resolved.places]
    if len(seen) != len(resolved.places):
        return None
    if quantity.best_of is not None:
        seen = best_of(seen, quantity.best_of, quantity.chosen_by or quantity.measure)
    value = _reduced(quantity, [each.numbers[quantity.measure] for each in seen])
    if resolved.minus is None:
        return value
    less = _value(resolved.minus, of_seed)
    return None if less is None else value - less


def verdict_of(estimate: Estimate, claim: Claim) -> Verdict:
    """Whether the whole interval lies on the claimed side of the margin, on the other, or on both."""
    return verdict_for(estimate, claim.margin, claim.expect)


def verdict_for(estimate: Estimate, margin: float, expect: str) -> Verdict:
    """The verdict on a claim that an effect is above, or below, a margin."""
    low, high = estimate.low - margin, estimate.high - margin
    if expect == "below":
        low, high = -high, -low
    if low > 0:
        return "holds"
    if high < 0 or (low == high == 0):  # exactly at the margin, on every seed: not beyond it
        return "fails"
    return "cannot tell"


def _finding(
    claim: Claim,
    rows: Sequence[arms.Row],
    weighing: Weighing,
    step: float,
    diverged: int,
    first_seed: int,
) -> ClaimFinding:
    confidence = weighing.confidence
    compared, learned, contradicted = arms.compared(rows, confidence)
    pairs = [row.values for row in compared]
    effects = [_difference(*pair) for pair in pairs]
    estimate = Estimate(math.nan, math.nan, math.nan)
    if effects:
        estimate = effect_interval(effects, confidence, step)
    verdict: Verdict = "cannot tell"
    if len(effects) >= FEWEST_SEEDS and not contradicted:
        verdict = verdict_of(estimate, claim)
    p = p_value(effects, claim.margin, step) if len(effects) >= FEWEST_SEEDS else math.nan
    effect = _in_words(claim, estimate.centre)
    interval = ""
    if not math.isnan(estimate.low):
        interval = wording.interval_text(
            _in_words(claim, estimate.low), _in_words(claim, estimate.high)
        )
    return ClaimFinding(
        name=claim.name,
        statement=claim.statement,
        verdict=verdict,
        sentence=_sentence(claim, verdict, pairs, estimate, effect, interval),
        effect=estimate.centre,
        low=estimate.low,
        high=estimate.high,
        effect_text=effect,
        interval_text=interval,
        margin=claim.margin,
        beyond=f"{claim.expect} {_margin_text(claim)}",
        seeds=len(rows),
        diverged=diverged,
        headline=claim.headline,
        after_a_look=claim.after_a_look,
        why=claim.why,
        first_seed=first_seed,
        p=p if math.isnan(p) else min(1.0, p * len(weighing.looks)),
        learned=learned,
        effects=tuple(effects),
        expect=claim.expect,
        step=step,
        looks=weighing.looks,
        unit=claim.unit,
    )


def _sentence(
    claim: Claim,
    verdict: Verdict,
    pairs: Sequence[Sequence[float]],
    estimate: Estimate,
    effect: str,
    interval: str,
) -> str:
    """What the verdict means, in the claim's own words; and what was found where the claim failed."""
    measured = f"{effect}{f' ({interval})' if interval else ''}"
    if verdict == "cannot tell":
        found = f" The effect: {measured}." if pairs else ""
        return f"{claim.statement} {_counted(len(pairs))} cannot tell.{found}"
    sides = {name: _side(claim, index, pairs) for index, name in enumerate(("left", "right"))}
    text = (claim.holds if verdict == "holds" else claim.fails).format(effect=effect, **sides)
    beyond_zero = estimate.low > 0 or estimate.high < 0
    if verdict == "fails" and claim.right is not None and claim.margin and beyond_zero:
        text += f" There is an effect, {measured}, but not the one claimed."
    return text


def _margin_text(claim: Claim) -> str:
    if not claim.margin and claim.right is not None:
        return "zero"
    return _in_words(claim, claim.margin)


def _chain(resolved: _Resolved) -> list[_Resolved]:
    """A quantity and those that are taken off it."""
    return [resolved, *(_chain(resolved.minus) if resolved.minus else [])]


def _step(resolved: _Resolved, study: Study, weighing: Weighing) -> float:
    """The distance of neighbouring values of a quantity, where it lies on a grid; 0 where it does not."""
    quantity = resolved.quantity
    if quantity.reduce in ("share above", "within"):
        step = 1 / len(resolved.places)
    else:
        record = study.known.get(quantity.measure)
        examples = (weighing.counted or {}).get(getattr(record, "counted_on", ""), 0)
        step = 1 / examples if examples else 0.0
        if quantity.reduce == "mean" and quantity.best_of is None:
            step /= len(resolved.places)
    return max(step, _step(resolved.minus, study, weighing) if resolved.minus else 0.0)


def _reduced(quantity: Quantity, values: Sequence[float]) -> float:
    match quantity.reduce:
        case "max":
            return float(np.max(values))
        case "min":
            return float(np.min(values))
        case "range":
            return float(np.max(values) - np.min(values))
        case "within":
            return float(np.mean(np.asarray(values) >= np.max(values) - quantity.level))
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


def _frozen(place: Mapping[str, object]) -> frozenset[object]:
    return frozenset(place.items())


def _counted(seeds: int) -> str:
    return "No finished seed" if seeds == 0 else "One seed" if seeds == 1 else f"{seeds} seeds"
