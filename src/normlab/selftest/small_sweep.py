"""A sweep of twelve nets that train in some ten milliseconds each, and its results table, to be killed and compared."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from normlab.data import load
from normlab.data.dataset import Dataset
from normlab.records import Records
from normlab.specs import NetSpec, RunSpec, TrainingSpec

OF_THE_MOMENT = ("seconds", "started", "finished")


@functools.cache
def data() -> Dataset:
    """Some of the digits."""
    return load("digits", num_training=200, num_validation=100, num_test=1)


def specs(seeds: int = 2) -> list[RunSpec]:
    """Nets with and without normalization and dropout; one of them diverges."""
    nets = [
        NetSpec((16, 16), name, weight_scale=0.05)
        for name in (None, "batchnorm", "layernorm", "rmsnorm")
    ]
    nets += [
        NetSpec((8, 8), weight_scale=1e25),
        NetSpec((12,), "batchnorm", dropout=0.5, dtype="float64"),
    ]
    training = TrainingSpec(batch_size=50, num_epochs=2)
    return [RunSpec(net, training, data().spec, seed) for net in nets for seed in range(seeds)]


def table(path: Path) -> list[dict[str, Any]]:
    """The results table as it is exported, in an order of its own, less what depends on when it was made."""
    with Records(path, mode="r") as records:
        rows = records.export_rows()
        digest = records.digest()
    rows = [
        {name: value for name, value in row.items() if name not in OF_THE_MOMENT} for row in rows
    ]
    return [*sorted(rows, key=lambda row: str(row["key"])), {"digest": digest}]
