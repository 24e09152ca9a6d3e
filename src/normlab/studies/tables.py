"""The tables behind a study: a row a point, and a row a run."""

from __future__ import annotations

import math
from collections.abc import Sequence

from normlab.findings import Column, Table
from normlab.studies.axes import Value
from normlab.studies.observations import Observation
from normlab.studies.statistics import bands
from normlab.studies.study import Study

Cell = str | float | int | None


def summary(study: Study, observations: Sequence[Observation]) -> Table:
    """A row a point: each measure's centre and interval over the seeds, and how many runs, and how many diverged."""
    groups: dict[tuple[tuple[str, Value], ...], list[Observation]] = {}
    for observation in observations:
        groups.setdefault(tuple(observation.place.items()), []).append(observation)
    axes = _axes(observations)
    columns = [Column(axis, "text" if _is_text(axis, observations) else "number") for axis in axes]
    columns += [Column("runs", "count"), Column("diverged", "count")]
    for name in study.table:
        columns += [_column(study, name, suffix) for suffix in ("", ", low", ", high")]
    intervals = []
    for name in study.table:
        values = [
            [seen.numbers[name] for seen in group if name in seen.numbers]
            for group in groups.values()
        ]
        intervals.append(list(zip(*bands(values), strict=True)))
    rows = []
    for number, (place, group) in enumerate(groups.items()):
        row: list[Cell] = [dict(place).get(axis) for axis in axes]
        row += [len(group), sum(seen.diverged for seen in group)]
        row += [_finite(bound) for measure in intervals for bound in measure[number]]
        rows.append(tuple(row))
    return Table(tuple(columns), tuple(rows))


def runs(study: Study, observations: Sequence[Observation]) -> Table:
    """A row a point and seed, for those who want to compute on."""
    axes = _axes(observations)
    columns = [Column(axis, "text" if _is_text(axis, observations) else "number") for axis in axes]
    columns += [Column("seed", "count"), Column("diverged", "count")]
    columns += [_column(study, name) for name in study.table]
    rows = tuple(
        (
            *(seen.place.get(axis) for axis in axes),
            seen.seed,
            int(seen.diverged),
            *(_finite(seen.numbers.get(name)) for name in study.table),
        )
        for seen in observations
    )
    return Table(tuple(columns), rows)


def _column(study: Study, name: str, suffix: str = "") -> Column:
    unit = study.known[name].unit
    power = ", as a power of ten" if unit == "decades" else ""
    return Column(name + power + suffix, "percent" if unit == "accuracy" else "number")


def _axes(observations: Sequence[Observation]) -> list[str]:
    return list(dict.fromkeys(axis for observation in observations for axis in observation.place))


def _is_text(axis: str, observations: Sequence[Observation]) -> bool:
    return any(isinstance(observation.place.get(axis), str) for observation in observations)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
