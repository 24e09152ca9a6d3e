"""Small things to measure: nets that train in a moment, and results as a file holds them."""

from __future__ import annotations

from typing import Any

import pytest

from normlab import data
from normlab.data.dataset import Dataset
from normlab.specs import DataSpec, NetSpec, RunSpec, TrainingSpec
from proof.bench.workloads import WORKLOADS, Workload

NORMS = (None, "batchnorm", "layernorm")


def tiny_run(spec: DataSpec, norm: str | None, seed: int = 3) -> RunSpec:
    return RunSpec(
        NetSpec((12, 10), norm, weight_scale=0.05),
        TrainingSpec(batch_size=20, num_epochs=3),
        spec,
        seed,
    )


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return data.load("digits", num_training=100, num_validation=60)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Workload:
    """The only workload there is: four nets of two kinds, on digits."""
    work = Workload(
        "initialization",
        "four small nets",
        lambda spec: [
            tiny_run(spec, norm, seed) for norm in (None, "batchnorm") for seed in (1, 2)
        ],
    )
    for name in list(WORKLOADS):
        monkeypatch.delitem(WORKLOADS, name)
    monkeypatch.setitem(WORKLOADS, work.name, work)
    return work


def race_result(
    seconds: dict[str, list[float]],
    *,
    compiling: float = 0.0,
    differs: str | None = None,
    nets: int = 40,
) -> dict[str, Any]:
    """What a race of these peers would have measured: each with the seconds of its rounds."""
    rounds = len(next(iter(seconds.values())))
    return {
        "workload": "initialization",
        "data": "cifar10",
        "nets": 40,
        "rounds": rounds,
        "cores": 2,
        "work": {"training": 6e11, "evaluation": 0.0, "bytes": 1.0},
        "missing": {},
        "sgemm": [2e11] * rounds,
        "triad": [1e11] * rounds,
        "load": [0.0] * rounds,
        "peers": {
            name: {
                "title": name,
                "threads": 1,
                "processes": 2 if name.endswith("many") else 1,
                "compile_seconds": compiling if name.startswith("jax") else 0.0,
                "nets": 40 if name == "fast" else nets,
                "seconds": times,
                "same_work": None if name == "fast" else differs,
                "outcomes": {},
                "peak_bytes": None,
            }
            for name, times in seconds.items()
        },
    }


def section(result: dict[str, Any], *, quick: bool = False) -> dict[str, Any]:
    """A section of a results file."""
    return {
        "result": result,
        "quick": quick,
        "command": "python -m proof.bench studies",
        "began": "2026-01-01T00:00:00+00:00",
        "seconds": 1.0,
        "versions": {"normlab": "0.1.0"},
        "machine": {"processor": "a processor", "cores": 2, "system": "a system"},
    }
