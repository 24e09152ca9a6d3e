"""The one call: specs in, histories out.

`train` finds what is recorded already, runs the rest over the workers, and records each run as it ends. What
a run *is* stands in `run_by_the_book`; an engine is another way to the same history.
"""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from normlab import engines, randomness
from normlab.data.dataset import Dataset
from normlab.errors import NonFiniteWarning, OptionError, RecordsError, UserError, not_one_of
from normlab.machine import available_cores, one_blas_thread
from normlab.nets import FullyConnectedNet
from normlab.records import Records
from normlab.solver import Solver
from normlab.specs import DataSpec, History, RunSpec, added_settings
from normlab.validation import whole_number
from normlab.workers import Losses, finished_tasks

__all__ = [
    "LostRunsError",
    "Progress",
    "estimated_work",
    "pick_engine",
    "run_by_the_book",
    "solver_for",
    "train",
    "train_solver",
    "trained_net",
]

IMPLEMENTED: frozenset[str] = frozenset()
"""Of the settings added after version 1, those that the nets and the Solver know, by their paths."""

Engine: TypeAlias = Callable[[RunSpec, Dataset], History]


@dataclass(frozen=True)
class Progress:
    """Where a call of `train` stands: sent once at the start, and again as each run ends."""

    total: int
    """Different runs asked for."""
    done: int
    """Those with a history by now, the reused ones included."""
    reused: int
    """Those found in the records."""
    share: float
    """Estimated share of the work, of what was not reused, that is done: 0 to 1, for the remaining time."""
    spec: RunSpec | None = None
    """The run that has just ended; None at the start."""
    seconds: float = 0.0
    """How long that run took its worker."""
    lost_workers: int = 0
    """Worker processes lost so far; what they were doing is tried again."""


class LostRunsError(UserError, RuntimeError):
    """Runs set aside because each attempt at them ended its worker process; all others are done.

    `specs` are the runs set aside, `histories` the others' histories by key.
    """

    def __init__(self, message: str, specs: Sequence[RunSpec], histories: Mapping[str, History]) -> None:
        super().__init__(message)
        self.specs = tuple(specs)
        self.histories = dict(histories)


def train(
    specs: Iterable[RunSpec],
    data: Dataset,
    *,
    records: Records | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], object] | None = None,
    retries: int = 2,
    engine: str = "auto",
) -> list[History]:
    """The history of each spec, in their order; equal specs are trained once.

    Arguments:
        data: the data set every spec names in its `data`.
        records: with it, runs recorded there are not trained again, and each new one is recorded as it ends.
            Killed or interrupted at any instant, the same call continues with what is missing.
        workers: processes to train on, by default one a core; 1 is this process alone. The results do not
            depend on it, nor on the order of the specs.
        progress: called with a `Progress` at the start and after each run.
        retries: how often a run that loses its worker process (killed, or out of memory) is tried again alone,
            after it has lost one so already.
        engine: 'book', 'fast', or 'auto' (the default): fast where there is Numba. `engines.explain_engine` says
            what that means for a run.

    Raises OptionError, before any work, for specs that cannot be trained on this data; RecordsError where a
    result cannot be recorded; LostRunsError, after all other runs, for those that lost every worker.
    """
    specs = list(specs)
    run = pick_engine(engine)
    workers = available_cores() if workers is None else workers
    _check(specs, data, records, workers, retries)

    wanted = {spec.key: spec for spec in specs}
    histories: dict[str, History] = {}
    if records is not None:
        histories = {key: found for key in wanted if (found := records.get(key)) is not None}
    reused = len(histories)
    # the longest first, so that no worker is left with a long one at the end
    pending = sorted((spec for key, spec in wanted.items() if key not in histories), key=estimated_work, reverse=True)
    work, work_done = sum(map(estimated_work, pending)), 0.0
    losses: Losses[RunSpec] = Losses()
    if progress is not None:
        progress(Progress(len(wanted), reused, reused, 0.0 if pending else 1.0))

    finished = finished_tasks(run, pending, data, workers=workers, retries=retries, losses=losses)
    # here, too, BLAS has one thread as in every worker, so that the record says so
    with one_blas_thread(), contextlib.closing(finished):
        for spec, history in finished:
            histories[spec.key] = history
            if records is not None:
                records.put(spec, history)
            work_done += estimated_work(spec)
            if progress is not None:
                share = min(work_done / work, 1.0)
                progress(Progress(len(wanted), len(histories), reused, share, spec, history.seconds, losses.workers))
    if losses.tasks:
        raise LostRunsError(_lost(losses.tasks, len(wanted), records), losses.tasks, histories)
    return [histories[spec.key] for spec in specs]


def run_by_the_book(spec: RunSpec, data: Dataset) -> History:
    """One run as the assignment does it after `np.random.seed(seed)`: build the net, then `Solver.train()`."""
    return train_solver(solver_for(spec, data))


def run_fast(spec: RunSpec, data: Dataset) -> History:
    """The same history, sooner: float64 to the bit, float32 as near as rounding lets training be."""
    if engines.compiles(spec):
        return engines.train_compiled(spec, data)
    solver = solver_for(spec, data)
    engines.speed_up(solver)
    return replace(train_solver(solver), engine="fast")


def trained_net(spec: RunSpec, data: Dataset, engine: str = "auto") -> tuple[History, FullyConnectedNet]:
    """A run's history, and the net that it leaves, with the best parameters on validation data in it."""
    solver = solver_for(spec, data)
    if pick_engine(engine) is run_by_the_book:
        return train_solver(solver), solver.model
    if engines.compiles(spec):
        return engines.train_compiled(spec, data, solver.model), solver.model
    engines.speed_up(solver)
    return replace(train_solver(solver), engine="fast"), solver.model


def solver_for(spec: RunSpec, data: Dataset) -> Solver:
    """The Solver of a run before its first step, with its freshly built net; its generator stands after the weights."""
    refused = not_taken(spec)
    if refused is not None:
        raise OptionError(refused)
    rng = randomness.generator(spec.seed)
    net, training = spec.net, spec.training
    model = FullyConnectedNet(
        net.hidden_dims,
        input_dim=spec.data.input_dim,
        num_classes=spec.data.num_classes,
        dropout=net.dropout,
        normalization=net.normalization,
        num_groups=net.num_groups,
        reg=net.reg,
        weight_scale=net.weight_scale,
        dtype=np.dtype(net.dtype),
        rng=rng,
    )
    return Solver(
        model,
        data.as_dict(),
        rng=rng,
        update_rule=training.update_rule,
        optim_config={"learning_rate": training.learning_rate},
        lr_decay=training.lr_decay,
        batch_size=training.batch_size,
        num_epochs=training.num_epochs,
        verbose=False,
    )


def not_taken(spec: RunSpec) -> str | None:
    """Why no engine trains a run yet; None where one does."""
    unknown = [f"{path}={value!r}" for path, value in added_settings(spec).items() if path not in IMPLEMENTED]
    return f"no engine trains {', '.join(unknown)} yet; leave it at its default" if unknown else None


def train_solver(solver: Solver) -> History:
    """Train to the end, and what came of it as a History."""
    began = time.perf_counter()
    # A run that diverges overflows, and meets NaN in every batch: `diverged` says so, once.
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", NonFiniteWarning)
        solver.train()
    return History(
        loss=tuple(solver.loss_history),
        train_acc=tuple(solver.train_acc_history),
        val_acc=tuple(solver.val_acc_history),
        best_val_acc=float(solver.best_val_acc),
        diverged=not all(map(math.isfinite, solver.loss_history)),
        seconds=time.perf_counter() - began,
        engine="book",
    )


ENGINES: dict[str, Engine] = {"book": run_by_the_book, "fast": run_fast}


def pick_engine(name: str) -> Engine:
    """The function that makes a run's history; 'auto' is the best there is here.

    Raises OptionError for others, and for 'fast' where it cannot be.

    >>> pick_engine("book") is run_by_the_book
    True
    """
    if name not in ("auto", *ENGINES):
        raise not_one_of("engine", name, ("auto", *ENGINES))
    missing = engines.why_not() if name != "book" else None
    if name == "fast" and missing is not None:
        raise OptionError(missing)
    return ENGINES[("book" if missing else "fast") if name == "auto" else name]


def _check(specs: list[RunSpec], data: Dataset, records: Records | None, workers: int, retries: int) -> None:
    """Refuse what could only fail later."""
    whole_number("workers", workers, 1)
    whole_number("retries", retries, 0)
    if records is not None and records.mode == "r":
        raise RecordsError(f"the records {records.path} are open for reading only; open them with mode='a' to train")
    for number, spec in enumerate(specs):
        if spec.data != data.spec:
            differing = [f.name for f in fields(DataSpec) if getattr(spec.data, f.name) != getattr(data.spec, f.name)]
            raise OptionError(
                f"specs[{number}] is a run on {spec.data}, but the data given is {data.spec}: they differ in "
                f"{', '.join(differing)}. Load that data, or make the spec for this one: replace(spec, data=data.spec)"
            )
        refused = not_taken(spec)
        if refused is not None:
            raise OptionError(f"specs[{number}] cannot be trained: {refused}")
        if spec.training.batch_size > data.spec.num_train:
            raise OptionError(
                f"specs[{number}] has batch_size={spec.training.batch_size}, and {data.spec.name} has "
                f"{data.spec.num_train} training examples; use at most as many"
            )


def estimated_work(spec: RunSpec) -> float:
    """About how long a run takes, in multiplications: to start long runs first and to tell the remaining time."""
    net, training, data = spec.net, spec.training, spec.data
    dims = [data.input_dim, *net.hidden_dims, data.num_classes]
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(dims))
    steps = training.num_epochs * max(data.num_train // training.batch_size, 1)
    # forward and backward are three products; an update passes over all weights some fifteen times; and each
    # layer of a step costs NumPy's calls, however small the net
    step = weights * (3 * training.batch_size + 15) + 300_000 * len(dims)
    examples_measured = (training.num_epochs + 1) * (min(data.num_train, 1000) + data.num_val)
    return float(steps * step + examples_measured * weights)


def _lost(lost: list[RunSpec], total: int, records: Records | None) -> str:
    kept = "all others are done" if records is None else f"all others are recorded in {records.path}"
    named = [
        f"{spec.key[:12]} (hidden_dims={list(spec.net.hidden_dims)}, normalization={spec.net.normalization!r}, "
        f"batch_size={spec.training.batch_size}, seed={spec.seed})"
        for spec in lost[:5]
    ]
    more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
    return (
        f"{len(lost)} of {total} runs ended their worker process in every attempt and were set aside: "
        f"{', '.join(named)}{more}; {kept}. A process is most often ended for want of memory: try "
        f"fewer workers, smaller nets or smaller batches"
    )
