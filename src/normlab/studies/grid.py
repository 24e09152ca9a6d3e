"""From a study's grids to its runs: every point, on every seed."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from normlab.errors import OptionError, did_you_mean
from normlab.specs import DataSpec, NetSpec, RunSpec, TrainingSpec
from normlab.studies.axes import Value
from normlab.studies.probes.record import Probe
from normlab.studies.spec import Demonstration, Grid, Where

if TYPE_CHECKING:
    from normlab.studies.study import Study

_NET = {field.name for field in fields(NetSpec)}
_TRAINING = {field.name for field in fields(TrainingSpec)}


@dataclass(frozen=True)
class Point:
    """One net of a study, not yet seeded: where it stands on the axes, and how it is built and trained."""

    place: Mapping[str, Value]
    net: NetSpec
    training: TrainingSpec
    probes: tuple[Probe, ...]
    seeds: int | None = None

    def run(self, data: DataSpec, seed: int) -> RunSpec:
        """The run of this net with one seed, which also draws its split of training and validation examples.

        The notebook's seed keeps the data set's own.
        """
        return RunSpec(self.net, self.training, replace(data, split=seed), seed)


def seeds_of(study: Study, number: int | None = None) -> tuple[int, ...]:
    """The first `number` seeds, by default the study's own number: 231, 232, …"""
    number = study.seeds if number is None else number
    return tuple(range(study.first_seed, study.first_seed + number))


@functools.cache
def points(study: Study) -> tuple[Point, ...]:
    """Every net of the study, in the order of its grids."""
    return tuple(itertools.chain.from_iterable(map(_points_of, study.grids)))


def places(study: Study) -> tuple[Mapping[str, Value], ...]:
    """Where the study's points stand, those of its demonstrations included."""
    shown = itertools.chain.from_iterable(map(demonstrated, study.demonstrations))
    return (*(point.place for point in points(study)), *shown)


def demonstrated(demonstration: Demonstration) -> tuple[Mapping[str, Value], ...]:
    """The places of a demonstration: one for each value of its axis."""
    return tuple({demonstration.axis.name: value} for value in demonstration.axis.values)


def seeded(study: Study, number: int | None = None) -> list[tuple[Point, int]]:
    """Every point on each of its seeds, seed after seed, so that an interrupted study has whole seeds.

    Without a number, a grid that asks for fewer seeds than its study gets fewer.
    """
    return [
        (point, seed)
        for position, seed in enumerate(seeds_of(study, number))
        for point in points(study)
        if number is not None or point.seeds is None or position < point.seeds
    ]


def runs(study: Study, data: DataSpec, number: int | None = None) -> list[RunSpec]:
    """All runs of a study; one that two points share comes once."""
    specs = (point.run(data, seed) for point, seed in seeded(study, number))
    return list({spec.key: spec for spec in specs}.values())


def expected(study: Study, number: int | None = None) -> int:
    """How many observations a finished study has."""
    shown = sum(len(demonstration.axis.values) for demonstration in study.demonstrations)
    return len(seeded(study, number)) + shown * len(seeds_of(study, number))


def matches(place: Mapping[str, Value], where: Where) -> bool:
    """Whether a place is among those meant: an axis named in `where` must have the value, or one of the values.

    >>> matches({"norm": "batch norm", "batch size": 5}, {"batch size": (5, 10)})
    True
    """
    return all(
        axis in place and any(same(place[axis], value) for value in as_values(meant))
        for axis, meant in where.items()
    )


def same(one: Value, other: Value) -> bool:
    """Whether two values of an axis are the same; numbers may differ by rounding.

    >>> same(0.1 + 0.2, 0.3), same("batch norm", "layer norm")
    (True, False)
    """
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return math.isclose(one, other, rel_tol=1e-9)


def as_values(meant: Value | Sequence[Value]) -> Sequence[Value]:
    """One value or several, as several."""
    return (meant,) if isinstance(meant, str | int | float) else meant


def as_names(axes: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """No axis, one or several, as several."""
    return () if axes is None else (axes,) if isinstance(axes, str) else tuple(axes)


def _points_of(grid: Grid) -> Iterable[Point]:
    for choice in itertools.product(*(range(len(axis.values)) for axis in grid.axes)):
        settings: dict[str, Any] = dict(grid.fixed)
        place = dict(grid.tags)
        for axis, index in zip(grid.axes, choice, strict=True):
            settings |= axis.settings[index]
            place[axis.name] = axis.values[index]
        for unknown in sorted(settings.keys() - _NET - _TRAINING):
            hint = did_you_mean(unknown, _NET | _TRAINING)
            raise OptionError(
                f"it sets {unknown!r}, which neither NetSpec nor TrainingSpec has{hint}"
            )
        net = NetSpec(**{name: value for name, value in settings.items() if name in _NET})
        training = TrainingSpec(
            **{name: value for name, value in settings.items() if name in _TRAINING}
        )
        yield Point(place, net, training, grid.probes, grid.seeds)
