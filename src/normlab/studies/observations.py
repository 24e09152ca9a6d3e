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
from normlab.studies.axes import Value
from normlab.studies.measures import Curve, Measure
from normlab.studies.probes.record import Probe
from normlab.studies.spec import Where
from normlab.studies.study import Study


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


def observe(
    study: Study, records: Records, data: DataSpec, seeds: Iterable[int]
) -> list[Observation]:
    """Every finished point of the study on these seeds, in the order of the grid."""
    found = []
    for seed in seeds:
        for point in grid.points(study):
            spec = point.run(data, seed)
            if spec.key not in records:
                continue
            probed = [measured(records, probe, spec_text(spec)) for probe in point.probes]
            if None in probed:
                continue
            values = [each for each in probed if each is not None]
            history = records.get(spec.key)
            if history is not None:
                values += stored_own(study, records, spec)
                found.append(from_history(study, point.place, seed, history, values))
        for shown in study.demonstrations:
            for place in grid.demonstrated(shown):
                seen = measured(records, shown.probe, demonstration_text(place, data, seed))
                if seen is not None:
                    numbers, curves = _numbers_and_curves(study, seen)
                    found.append(Observation(place, seed, numbers, curves, pictures=seen))
    return found


def from_history(
    study: Study,
    place: Mapping[str, Value],
    seed: int,
    history: History,
    probed: Sequence[Mapping[str, Any]] = (),
) -> Observation:
    """An observation from a run's history and what the probes found."""
    numbers: dict[str, float] = {}
    curves: dict[str, tuple[float, ...]] = {}
    for name, record in study.known.items():
        if isinstance(record, Measure) and record.read is not None:
            numbers[name] = float(record.read(history))
        elif isinstance(record, Curve) and record.read is not None:
            curves[name] = tuple(record.read(history))
    for values in probed:
        more_numbers, more_curves = _numbers_and_curves(study, values)
        numbers |= more_numbers
        curves |= more_curves
    return Observation(place, seed, numbers, curves, history.diverged, history.seconds)


def select(observations: Iterable[Observation], where: Where) -> list[Observation]:
    """The observations at these points."""
    return [seen for seen in observations if grid.matches(seen.place, where)]


def best_of(
    observations: Iterable[Observation], axes: str | tuple[str, ...], measure: str
) -> list[Observation]:
    """Of each seed's observations that differ only on these axes, the one with the highest measure."""
    names = grid.as_names(axes)
    best: dict[Any, Observation] = {}
    for seen in observations:
        rest = {name: value for name, value in seen.place.items() if name not in names}
        key = (seen.seed, *rest.items())
        value = seen.numbers[measure]
        if key not in best or (not math.isnan(value) and not value <= best[key].numbers[measure]):
            best[key] = seen
    return list(best.values())


def spec_text(spec: RunSpec) -> str:
    """A run as the records' measurements know it."""
    return spec.to_json()


def demonstration_text(place: Mapping[str, Value], data: DataSpec, seed: int) -> str:
    """One step of a demonstration as the records' measurements know it: canonical JSON."""
    described = {"place": dict(place), "data": as_values(data), "seed": seed}
    return json.dumps(described, sort_keys=True)


def measurement_key(probe: Probe, text: str) -> str:
    """The key of a measurement: a hash of what was measured, by which edition of its probe, on what."""
    return hashlib.sha256(f"{probe.name} {probe.edition}\n{text}".encode()).hexdigest()


def measured(records: Records, probe: Probe, text: str) -> dict[str, Any] | None:
    """What a probe found, from the records; None where it has not been run."""
    value = records.get_measurement(measurement_key(probe, text))
    return None if value is None else json.loads(value)


# A study's own measures. Their functions are not stored, so what they read is.


def own_key(study: Study, spec: RunSpec) -> str:
    """The key under which the records keep what a study's own measures read from a run."""
    return hashlib.sha256(f"own {study.name} {study.edition}\n{spec.key}".encode()).hexdigest()


def own_values(study: Study, history: History) -> dict[str, Any]:
    """What a study's own measures read from a run, ready for JSON."""
    found: dict[str, Any] = {}
    for record in study.own:
        if isinstance(record, Measure) and record.read is not None:
            found[record.name] = _json_number(record.read(history))
        elif isinstance(record, Curve) and record.read is not None:
            found[record.name] = [_json_number(value) for value in record.read(history)]
    return found


def stored_own(study: Study, records: Records, spec: RunSpec) -> list[dict[str, Any]]:
    """What the records keep of a study's own measures on a run; nothing where their functions are at hand."""
    if all(record.read is not None for record in study.own):
        return []
    value = records.get_measurement(own_key(study, spec))
    return [] if value is None else [json.loads(value)]


def _numbers_and_curves(
    study: Study, values: Mapping[str, Any]
) -> tuple[dict[str, float], dict[str, tuple[float, ...]]]:
    """Numbers and curves among a measurement's values; null stands for a number that was not finite."""
    numbers: dict[str, float] = {}
    curves: dict[str, tuple[float, ...]] = {}
    for name in study.known.keys() & values.keys():
        if isinstance(study.known[name], Measure):
            numbers[name] = _number(values[name])
        else:
            curves[name] = tuple(map(_number, values[name]))
    return numbers, curves


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _json_number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
