"""One core: what a training step and an accuracy take, as a share of this core's own sgemm.

    python -m proof.bench.step            # the initialization study's net on made-up images of 3,072

Thread CPU time, the best of some rounds in which all take turns, so that a neighbour's load counts
little.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import threadpoolctl

from normlab.data.dataset import Dataset
from normlab.engines import compiled, layout, library
from normlab.engines.layout import Blocks, Steps
from normlab.engines.table import table_of
from normlab.randomness import generator
from normlab.specs import NetSpec, RunSpec, TrainingSpec

STEPS, EXAMPLES, INPUTS, WIDTH, BATCH = 20, 1000, 3072, 50, 50
ROUNDS = 25


def made_up() -> Dataset:
    """Images of CIFAR-10's size, of nothing."""
    rng = generator(0)
    images = [50 * rng.randn(count, INPUTS) for count in (EXAMPLES, EXAMPLES, 10)]
    X_train, X_val, X_test = images
    y_train, y_val, y_test = (rng.randint(0, 10, len(X)) for X in images)
    return Dataset("made up", X_train, y_train, X_val, y_val, X_test, y_test, num_classes=10)


def cases(data: Dataset) -> dict[str, tuple[Callable[[], object], float]]:
    """What is measured: a call, and its multiplications and additions."""
    square = np.ones((512, 512), np.float32)
    out = np.empty_like(square)
    found: dict[str, tuple[Callable[[], object], float]] = {
        "sgemm": (lambda: np.dot(square, square, out), 2 * 512**3)
    }
    functions, images = library.functions(), compiled._images(data)
    for norm in ("batchnorm", "layernorm", None):
        training = TrainingSpec(batch_size=BATCH, update_rule="adam")
        spec = RunSpec(NetSpec((WIDTH,) * 7, norm, weight_scale=2e-2), training, data.spec, 3)
        net = layout.describe(spec)
        dims = net.dims.tolist()
        weights = sum(a * b for a, b in itertools.pairwise(dims))
        steps, blocks = _tables(spec, net, images)
        flops = 6 * BATCH * weights - 2 * BATCH * INPUTS * WIDTH
        found[f"step, {norm}"] = (
            partial(_call, functions.train_steps, steps),
            STEPS * flops,
        )
        found[f"accuracy, {norm}"] = (
            partial(_call, functions.count_right, blocks), 2 * weights * EXAMPLES,
        )  # fmt: skip
    return found


Table = tuple[Any, ...]
"""A compiled function's table, then what its addresses point to: kept alive with it."""


def _call(function: Callable[[int], object], table: Table) -> object:
    return function(table[0].ctypes.data)


def _tables(spec: RunSpec, net: layout.Net, images: compiled.Images) -> tuple[Table, Table]:
    """The tables of some steps and of an accuracy, each with what it points to."""
    state, rng = layout.fresh_state(net, spec)
    work = layout.scratch(net)
    values: dict[str, Any] = {
        "images": images.train, "labels": images.y_train,
        "batches": rng.randint(0, EXAMPLES, STEPS * BATCH), "losses": np.empty(STEPS),
        "kept": np.empty(0, np.bool_), "noise": np.empty(0, np.float32),
        "rates": np.full(STEPS, 1e-3), "shrinks": np.ones(STEPS), "before": 1,
    }  # fmt: skip
    steps = Steps(**values)
    blocks = Blocks(images.val_blocks, images.y_val, np.empty(0))
    return (
        (table_of(net, state, work, steps), net, state, work, steps),
        (table_of(net, state, work, blocks), net, state, work, blocks),
    )


def main() -> None:
    """Print a line a case."""
    threadpoolctl.threadpool_limits(1)
    measured = cases(made_up())
    best: dict[str, float] = {}
    for _ in range(ROUNDS):
        for name, (call, _) in measured.items():
            began = time.thread_time()
            call()
            best[name] = min(best.get(name, 1e9), time.thread_time() - began)
    rate = {name: flops / best[name] for name, (_, flops) in measured.items()}
    found = library.functions()
    print(f"{found.isa}, {found.origin}; sgemm {rate['sgemm'] / 1e9:.0f} GF/s on one core")
    for name in measured:
        each = best[name] / (STEPS if name.startswith("step") else 1)
        print(f"{name:22s} {rate[name] / rate['sgemm']:.2f} of sgemm   {1e6 * each:8.0f} us")


if __name__ == "__main__":
    main()
