"""What the records hold of a study: one observation for each point and seed that is finished.

Everything after training starts here: claims, figures and tables read observations, never engines.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from normlab.records import Records
from normlab.specs import DataSpec, History, RunSpec, as_values
from normlab.studies import grid
from normlab.studies.measures import CURVES, MEASURES
from normlab.studies.spec import Study, Value, Where

EDITIONS = {"first step": 3, "batch gap": 2, "preprocessing": 2}
"""Raise a probe's number with any change of what it measures: older results are then measured again."""


@dataclass(frozen=True)
class Observation:
    """One point with one seed: its numbers and curves by name, and how its run went."""

    place: Mapping[str, Value]
    seed: int
    numbers: Mapping[str, float]
    curves: Mapping[str, tuple[float, ...]]
    diverged: bool = False
    seconds: float = 0.0
    pictures: Mapping[str, Any] = field(default_factory=dict)


def observe(study: Study, records: Records, data: DataSpec, seeds: Iterable[int]) -> list[Observation]:
    """Every finished point of the study on these seeds, in the order of the grid."""
    found = []
    for seed in seeds:
        for point in grid.points(study):
            spec = point.run(data, seed)
            history = records.get(spec.key)
            probed = [measured(records, probe, spec_text(spec)) for probe in point.probes]
            if history is not None and None not in probed:
                found.append(from_history(point.place, seed, history, [values for values in probed if values]))
        for demonstration in study.demonstrations:
            for place in grid.demonstrated(demonstration):
                values = measured(records, demonstration.probe, demonstration_text(place, data, seed))
                if values is not None:
                    found.append(Observation(place, seed, *_numbers_and_curves(values), pictures=values))
    return found


def from_history(
    place: Mapping[str, Value], seed: int, history: History, probed: Sequence[Mapping[str, Any]] = ()
) -> Observation:
    """An observation from a run's history and what the probes found."""
    numbers = {name: measure.read(history) for name, measure in MEASURES.items() if measure.read is not None}
    curves = {name: curve.read(history) for name, curve in CURVES.items() if curve.read is not None}
    for values in probed:
        more_numbers, more_curves = _numbers_and_curves(values)
        numbers |= more_numbers
        curves |= more_curves
    return Observation(place, seed, numbers, curves, history.diverged, history.seconds)


def select(observations: Iterable[Observation], where: Where) -> list[Observation]:
    """The observations at these points."""
    return [observation for observation in observations if grid.matches(observation.place, where)]


def best_of(observations: Iterable[Observation], axis: str, measure: str) -> list[Observation]:
    """Of each seed's observations that differ only on this axis, the one with the highest measure."""
    best: dict[Any, Observation] = {}
    for observation in observations:
        rest = {name: value for name, value in observation.place.items() if name != axis}
        key = (observation.seed, *rest.items())
        if key not in best or not observation.numbers[measure] <= best[key].numbers[measure]:
            best[key] = observation
    return list(best.values())


def spec_text(spec: RunSpec) -> str:
    """A run as the records' measurements know it."""
    return spec.to_json()


def demonstration_text(place: Mapping[str, Value], data: DataSpec, seed: int) -> str:
    """One step of a demonstration as the records' measurements know it: canonical JSON."""
    return json.dumps({"place": dict(place), "data": as_values(data), "seed": seed}, sort_keys=True)


def measurement_key(probe: str, text: str) -> str:
    """The key of a measurement: a hash of what was measured, by which edition of its probe, on what."""
    return hashlib.sha256(f"{probe} {EDITIONS[probe]}\n{text}".encode()).hexdigest()


def measured(records: Records, probe: str, text: str) -> dict[str, Any] | None:
    """What a probe found, from the records; None where it has not been run."""
    value = records.get_measurement(measurement_key(probe, text))
    return None if value is None else json.loads(value)


def _numbers_and_curves(values: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, tuple[float, ...]]]:
    """Numbers and curves among a measurement's values; null stands for a number that was not finite."""
    numbers = {name: _number(values[name]) for name in MEASURES.keys() & values.keys()}
    curves = {name: tuple(map(_number, values[name])) for name in CURVES.keys() & values.keys()}
    return numbers, curves


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
