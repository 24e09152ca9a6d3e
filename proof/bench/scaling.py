"""How normlab's time grows with the number of nets, their width and depth, and the size of the batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from normlab.data.dataset import Dataset
from normlab.machine import available_cores
from normlab.specs import NetSpec, RunSpec, TrainingSpec
from proof.bench.floor import floor_seconds, total
from proof.bench.peers import OURS, PEERS
from proof.bench.processes import measuring

__all__ = ["AXES", "exponent", "grow"]

AXES: dict[str, tuple[int, ...]] = {
    "nets": (1, 2, 4, 8, 16, 32),
    "width": (25, 50, 100, 200, 400, 800),
    "depth": (1, 2, 4, 8, 16),
    "batch size": (5, 10, 25, 50, 100, 200),
}
USUAL = {"nets": 4, "width": 100, "depth": 5, "batch size": 50}
EPOCHS = 2


def specs_at(axis: str, value: int, data: Dataset) -> list[RunSpec]:
    """Nets with batch norm, usual but for one thing."""
    chosen = USUAL | {axis: value}
    net = NetSpec((chosen["width"],) * chosen["depth"], "batchnorm", weight_scale=2e-2)
    training = TrainingSpec(batch_size=chosen["batch size"], num_epochs=EPOCHS)
    return [RunSpec(net, training, data.spec, seed) for seed in range(chosen["nets"])]


def grow(
    axes: dict[str, tuple[int, ...]],
    data: Dataset,
    rounds: int,
    data_dir: str | None,
    tell: Callable[[str], object],
    *,
    quick: bool = False,
) -> dict[str, Any]:
    """Seconds at each point of each axis, points in turn, and the floor of each."""
    points = [(axis, value) for axis, values in axes.items() for value in values]
    specs: list[RunSpec] = []
    nets: list[list[int]] = []
    for axis, value in points:
        wanted = specs_at(axis, value, data)
        nets.append(list(range(len(specs), len(specs) + len(wanted))))
        specs += wanted
    times: list[list[float]] = [[] for _ in points]
    rates, bandwidths = [], []
    with (
        measuring(PEERS[OURS].trainer, PEERS[OURS].options) as child,
        measuring("peaks", {"quick": quick}) as peaks,
    ):
        child.ask(
            "prepare", specs=[spec.to_json() for spec in specs], data=data.name, data_dir=data_dir
        )
        child.ask("train", nets=max(nets, key=len))  # once, so that every worker has begun
        for turn in range(rounds):
            rates.append(peaks.ask("sgemm"))
            bandwidths.append(peaks.ask("triad", size=1 << 22))
            for point, spent in zip(nets, times, strict=True):
                child.send("train", nets=point)
                spent.append(child.receive()["seconds"])
            tell(f"round {turn + 1} of {rounds}")
    bandwidth = math.inf if None in bandwidths else max(bandwidths)
    return {
        "data": data.name,
        "usual": USUAL,
        "epochs": EPOCHS,
        "cores": available_cores(),
        "sgemm": rates,
        "triad": bandwidths,
        "points": [
            {
                "axis": axis,
                "value": value,
                "seconds": spent,
                "floor": floor_seconds(total(specs[net] for net in point), max(rates), bandwidth),
            }
            for (axis, value), point, spent in zip(points, nets, times, strict=True)
        ],
    }


def exponent(values: Sequence[float], seconds: Sequence[float]) -> float:
    """p of the best fit seconds ∝ value**p: 1 where time grows in proportion.

    >>> round(exponent([1, 2, 4], [3.0, 6.0, 12.0]), 6)
    1.0
    """
    x, y = [math.log(value) for value in values], [math.log(second) for second in seconds]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return slope / sum((a - mean_x) ** 2 for a in x)
