"""Made-up observations: every point of a study on every seed, with effects that a test plants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from normlab.specs import DataSpec, History
from normlab.studies import Probe, Study, grid
from normlab.studies.axes import Value
from normlab.studies.observations import Observation, from_history
from normlab.studies.probes.preprocessing import OPERATIONS, preprocessing

SEEDS = (231, 232, 233, 234)
DATA = DataSpec("digits", 1000, 400, 64)

Accuracy = Callable[[Mapping[str, Value]], float]


def history(
    rng: np.random.Generator, accuracy: float, epochs: int = 10, diverged: bool = False
) -> History:
    """A history that climbs to about this accuracy, with noise of one point."""
    steps = 20 * epochs
    loss = 2.3 * np.exp(-np.arange(steps) / 60) + 0.02 * rng.random(steps)
    if diverged:
        loss[steps // 2 :] = np.nan
    climb = accuracy * (1 - np.exp(-np.arange(epochs + 1) / 2)) + 0.01 * rng.standard_normal(
        epochs + 1
    )
    climb = np.clip(climb, 0.0, 1.0)
    return History(
        tuple(loss), tuple(climb), tuple(climb), float(climb.max()), diverged, seconds=0.5
    )


def probed(rng: np.random.Generator, probes: Sequence[Probe]) -> list[dict[str, object]]:
    """What the probes of a point might have found."""
    found: list[dict[str, object]] = []
    names = [probe.name for probe in probes]
    if "first step" in names:
        spreads = [float(value) for value in -np.arange(7) + 0.1 * rng.standard_normal(7)]
        scalars = {
            "signal kept": spreads[-1] - spreads[0],
            "gradient kept": -1.0,
            "first-layer gradient": -3.0,
        }
        found.append({"activation spread": spreads, "gradient spread": [*spreads, -8.0], **scalars})
    if "batch gap" in names:
        found.append(
            {
                "statistics gap": float(-0.5 + 0.05 * rng.standard_normal()),
                "statistics gap by layer": [-0.5, -1.2, -1.3],
                "variance gap": 0.3,
                "accuracy with batch statistics": 0.7,
                "accuracy with running statistics": float(0.8 + 0.01 * rng.standard_normal()),
            }
        )
    for probe in probes:
        if probe.name not in ("first step", "batch gap"):
            found.append({record.name: float(rng.uniform(0.8, 0.9)) for record in probe.gives})
    return found


def observations(
    study: Study,
    seeds: Sequence[int] = SEEDS,
    accuracy: Accuracy = lambda place: 0.9 if place.get("norm") == "batch norm" else 0.6,
    diverges: Callable[[Mapping[str, Value]], bool] = lambda place: (
        place.get("weight scale") == 1.0
    ),
) -> list[Observation]:
    """All observations of a study; where `diverges` says so, every second seed's run has diverged."""
    made = []
    images = np.random.default_rng(0).integers(0, 256, size=(250, 1, 8, 8)).astype(float)
    for seed in seeds:
        for number, point in enumerate(grid.points(study)):
            rng = np.random.default_rng((seed, number))
            diverged = diverges(point.place) and seed % 2 == 0
            run = history(rng, accuracy(point.place), diverged=diverged)
            made.append(from_history(study, point.place, seed, run, probed(rng, point.probes)))
        for demonstration in study.demonstrations:
            for place in grid.demonstrated(demonstration):
                name = str(place[demonstration.axis.name])
                assert name in OPERATIONS
                values = preprocessing(name, seed, images, with_pictures=seed == seeds[0])
                numbers = {key: value for key, value in values.items() if isinstance(value, float)}
                made.append(Observation(place, seed, numbers, {}, pictures=values))
    return made
