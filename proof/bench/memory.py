"""Memory: what processes have taken at most, and whether a sweep's memory grows with the number of its runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import is_dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from normlab import train
from normlab.data import load
from normlab.machine import available_cores
from normlab.records import Records
from normlab.specs import History, NetSpec, RunSpec, TrainingSpec
from proof.bench.processes import measuring
from proof.bench.spread import spread
from proof.process_memory import resident_bytes, tree

__all__ = ["Sweeps", "growth"]

FIRST, FURTHER = 3000, 4000  # by the first three thousand, caches of fixed size are full
IMAGES, UNITS = 100, 20


class Sweeps:
    """A child's work: sweeps of many short runs, recorded, as `reproduce` trains them."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.data = load("digits", num_training=IMAGES, num_validation=IMAGES)
        self.folder = TemporaryDirectory()
        self.kept: list[Any] = []  # what a caller of `train` keeps: specs and histories
        self.first_seed = 0

    def sweep(self, runs: int) -> dict[str, Any]:
        """Train so many more runs; how much memory the process and its workers then have, and what is kept of one."""
        net, training = (
            NetSpec((UNITS, UNITS), "batchnorm"),
            TrainingSpec(batch_size=50, num_epochs=1),
        )
        seeds = range(self.first_seed, self.first_seed + runs)
        self.first_seed += runs
        specs = [RunSpec(net, training, self.data.spec, seed) for seed in seeds]
        with Records(Path(self.folder.name) / "records.sqlite") as records:
            histories = train(specs, self.data, records=records, workers=self.workers)
        self.kept += [specs, histories]
        return {
            "bytes": sum(map(resident_bytes, tree())),
            "kept": size_of(specs[-1]) + size_of(histories[-1]),
        }


def growth(
    rounds: int, tell: Callable[[str], object], further: int = FURTHER, first: int = FIRST
) -> dict[str, Any]:
    """How much more memory a sweep takes for each further run, on one worker and on all; fresh processes a round."""
    cores = available_cores()
    a_run: dict[str, list[float]] = {}
    kept = 0
    for _ in range(rounds):
        for workers in dict.fromkeys((1, cores)):
            with measuring("sweeps", {"workers": workers}) as child:
                before = child.ask("sweep", runs=first)
                after = child.ask("sweep", runs=further)
            kept = after["kept"]
            grown = after["bytes"] - before["bytes"]
            a_run.setdefault(str(workers), []).append(grown / further)
            tell(f"{first} and {further} runs on {workers} worker{'s' if workers > 1 else ''}")
    most = max((spread(values).median for values in a_run.values()), default=float("nan"))
    return {
        "first": first,
        "further": further,
        "bytes_a_run": a_run,
        "kept_bytes": kept,
        "beyond_records": max(0.0, most - kept) if a_run else most,
        "what": f"{most / 1024:.2f} KiB a run over {further} runs, its spec and History being {kept / 1024:.2f}",
    }


def size_of(value: RunSpec | History) -> int:
    """Bytes of a spec or a history, with the numbers and texts in it, but without what all runs here share.

    >>> size_of(History(loss=(2.0,), train_acc=(), val_acc=(), best_val_acc=0.0, diverged=False)) > 100
    True
    """
    values = list(vars(value).values())
    numbers = [number for each in values if isinstance(each, tuple) for number in each]
    own = [each for each in values if not is_dataclass(each)]
    return sys.getsizeof(value) + sum(map(sys.getsizeof, [vars(value), *own, *numbers]))
