"""Processes that measure, each in an environment without settings that slant the comparison."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from typing import Any

from normlab.data import load
from normlab.request_server import Child
from normlab.specs import RunSpec
from proof.bench.trainers.draws import Trainer

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NPROC",
)
"""What limits the threads of OpenMP, OpenBLAS, MKL, NumExpr, and (NPROC) of XLA."""

SETTINGS = ("XLA_FLAGS", "KMP_", "GOMP_", "OMP_", "MKL_", "OPENBLAS_", "TORCH", "JAX_")
"""Settings of the caller's that would slant the comparison: a child starts without them."""

TRAINERS = {
    "normlab": "proof.bench.trainers.in_normlab:NormlabTrainer",
    "numpy": "proof.bench.trainers.in_numpy:NumpyTrainer",
    "pytorch": "proof.bench.trainers.in_pytorch:PytorchTrainer",
    "jax": "proof.bench.trainers.in_jax:JaxTrainer",
}
MEASURES = {
    "peaks": "proof.bench.peaks:Peaks",
    "kernels-normlab": "proof.bench.kernels.ours:OurKernels",
    "kernels-pytorch": "proof.bench.kernels.pytorch:PytorchKernels",
    "sweeps": "proof.bench.memory:Sweeps",
}


def measuring(
    name: str,
    options: Mapping[str, Any] | None = None,
    *,
    threads: int = 1,
    environment: Mapping[str, str] | None = None,
) -> Child:
    """The process of a trainer or a measure, with `threads` threads for whatever it computes with."""
    target, given = MEASURES.get(name, ""), dict(options or {})
    if not target:
        target, given = "proof.bench.processes:Training", {"name": name, "options": given}
    return Child(target, given, environment=clean_environment(threads) | dict(environment or {}))


class Training:
    """What the process of a trainer answers."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        self.trainer = trainer(name, options)

    def prepare(self, specs: list[str], data: str, data_dir: str | None) -> None:
        """Get ready for these runs, outside the clock."""
        self.trainer.prepare([RunSpec.from_json(text) for text in specs], load(data, data_dir))

    def compile(self, nets: list[int]) -> None:
        """Compile what each process compiles anew."""
        self.trainer.compile(nets)

    def train(self, nets: list[int]) -> list[Any]:
        """Train these of the runs."""
        return list(self.trainer.train(nets))


def trainer(name: str, options: dict[str, Any]) -> Trainer:
    """The trainer of that name; its library is loaded here and nowhere else."""
    module, _, kind = TRAINERS[name].partition(":")
    made: Trainer = getattr(importlib.import_module(module), kind)(**options)
    return made


def clean_environment(threads: int) -> dict[str, str]:
    """This environment without settings that slant, with so many threads for every library."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    return kept | {name: str(threads) for name in THREADS}


def together(children: list[Child], requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Send each child its request, and wait for all the answers."""
    for child, request in zip(children, requests, strict=True):
        child.send(**request)
    return [child.receive() for child in children]
