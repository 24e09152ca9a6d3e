"""The one call: specs in, histories out.

`train` finds what is recorded already, runs the rest over the workers, and records each run as it
ends. How a run is trained is an engine's affair (`normlab.engines`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import pairwise
from typing import Any, overload

from normlab import engines
from normlab.data.dataset import Dataset
from normlab.data.loading import load
from normlab.errors import OptionError, RecordsError, UserError
from normlab.machine import available_cores, one_blas_thread
from normlab.records import Records
from normlab.specs import DataSpec, History, RunSpec
from normlab.validation import whole_number
from normlab.workers import Losses, finished_tasks

__all__ = ["LostRunsError", "Progress", "estimated_work", "train"]


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
    """Estimated share of the work that is done, of what was not reused: 0 to 1."""
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

    def __init__(
        self, message: str, specs: Sequence[RunSpec], histories: Mapping[str, History]
    ) -> None:
        super().__init__(message)
        self.specs = tuple(specs)
        self.histories = dict(histories)


@overload
def train(
    specs: RunSpec,
    data: Dataset | str,
    *,
    records: Records | str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], object] | None = None,
    retries: int = 2,
    engine: str | engines.Engine = "auto",
) -> History: ...


@overload
def train(
    specs: Iterable[RunSpec],
    data: Dataset | str,
    *,
    records: Records | str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], object] | None = None,
    retries: int = 2,
    engine: str | engines.Engine = "auto",
) -> list[History]: ...


def train(
    specs: RunSpec | Iterable[RunSpec],
    data: Dataset | str,
    *,
    records: Records | str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], object] | None = None,
    retries: int = 2,
    engine: str | engines.Engine = "auto",
) -> History | list[History]:
    """The history of each spec, in their order, or of the one; equal specs are trained once.

    Arguments:
        data: the data set every spec names in its `data`, or its name, to load it as it comes.
        records: with it, runs recorded there are not trained again, and each new one is recorded as
            it ends. Killed or interrupted at any instant, the same call continues with what is
            missing. A path is opened, and closed at the end.
        workers: processes to train on, by default one a core; 1 is this process alone. The results
            do not depend on it, nor on the order of the specs.
        progress: called with a `Progress` at the start and after each run.
        retries: how often a run that loses its worker process (killed, or out of memory) is tried
            again alone, after it has lost one so already.
        engine: 'reference', 'compiled', or 'auto' (the default): compiled where there is Numba.
            `engines.explain_engine` says what that means for a run.

    Raises OptionError, before any work, for specs that cannot be trained on this data; RecordsError
    where a result cannot be recorded; LostRunsError, after all other runs, for those that lost
    every worker.
    """
    if isinstance(data, str):
        data = load(data)
    options: dict[str, Any] = {
        "workers": workers, "progress": progress, "retries": retries, "engine": engine,
    }  # fmt: skip
    if isinstance(records, str | os.PathLike):
        with Records(records) as opened:
            return train(specs, data, records=opened, **options)
    if isinstance(specs, RunSpec):
        return train([specs], data, records=records, **options)[0]
    if not isinstance(specs, Iterable):
        raise OptionError(
            f"specs is a {type(specs).__name__}; expected a RunSpec or a list of them"
        )
    try:
        specs = list(specs)
    except TypeError as error:  # an array without axes has __iter__ all the same
        raise OptionError(
            f"specs cannot be gone through: {error}; expected a list of RunSpecs"
        ) from error
    # the engine itself goes to the workers, which may not know it by its name
    chosen = engine if engine == "auto" else engines.pick(engine)
    run = partial(engines.train, chosen)
    workers = available_cores() if workers is None else whole_number("workers", workers, 1, 10_000)
    _check(specs, data, records, chosen, retries)

    asked = {spec.key: spec for spec in specs}
    histories: dict[str, History] = {}
    if records is not None:
        histories = {key: found for key in asked if (found := records.get(key)) is not None}
    reused = len(histories)
    # the longest first, so that no worker is left with a long one at the end
    pending = sorted(
        (spec for key, spec in asked.items() if key not in histories),
        key=estimated_work,
        reverse=True,
    )
    work, work_done = sum(map(estimated_work, pending)), 0.0
    losses: Losses[RunSpec] = Losses()
    if progress is not None:
        progress(Progress(len(asked), reused, reused, 0.0 if pending else 1.0))

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
                progress(
                    Progress(
                        len(asked),
                        len(histories),
                        reused,
                        share,
                        spec,
                        history.seconds,
                        losses.workers,
                    )
                )
    if losses.tasks:
        raise LostRunsError(_lost(losses.tasks, len(asked), records), losses.tasks, histories)
    return [histories[spec.key] for spec in specs]


def _check(
    specs: list[RunSpec],
    data: Dataset,
    records: Records | None,
    engine: str | engines.Engine,
    retries: int,
) -> None:
    """Refuse what could only fail later."""
    whole_number("retries", retries, 0)
    if not isinstance(data, Dataset):
        raise OptionError(
            f"data is a {type(data).__name__}; expected a data set, as normlab.data.load('digits') "
            "returns it, or its name"
        )
    if records is not None and not isinstance(records, Records):
        raise OptionError(
            f"records is a {type(records).__name__}; expected normlab.Records, as "
            "normlab.Records(path) opens it, or the path"
        )
    if records is not None and records.mode == "r":
        raise RecordsError(
            f"the records {records.path} are open for reading only; open them with mode='a' to "
            "train"
        )
    for number, spec in enumerate(specs):
        if not isinstance(spec, RunSpec):
            raise OptionError(
                f"specs[{number}] is a {type(spec).__name__}, and train takes RunSpecs: "
                f"{spec!r:.60}"
            )
        if replace(spec.data, split=data.spec.split) != data.spec or data.split not in (
            None,
            spec.data.split,
        ):
            differing = [
                f.name
                for f in fields(DataSpec)
                if getattr(spec.data, f.name) != getattr(data.spec, f.name)
            ]
            raise OptionError(
                f"specs[{number}] is a run on {spec.data}, but the data given is {data.spec}: they "
                f"differ in {', '.join(differing)}. Load that data, or make the spec for this one: "
                "replace(spec, data=data.spec)"
            )
        try:
            engines.pick(engine, spec)
        except OptionError as error:
            raise OptionError(f"specs[{number}]: {error}") from None


def estimated_work(spec: RunSpec) -> float:
    """About how long a run takes, in multiplications, to order runs and to foresee the end."""
    net, training, data = spec.net, spec.training, spec.data
    if net.filters:
        return _convolutional_work(spec)
    dims = [data.input_dim, *net.hidden_dims, data.num_classes]
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(dims))
    steps = training.num_epochs * max(data.num_train // training.batch_size, 1)
    # forward and backward are three products; an update passes over all weights some fifteen times;
    # and each layer of a step costs NumPy's calls, however small the net
    step = weights * (3 * training.batch_size + 15) + 300_000 * len(dims)
    examples_measured = (training.num_epochs + 1) * (min(data.num_train, 1000) + data.num_val)
    return float(steps * step + examples_measured * weights)


def _convolutional_work(spec: RunSpec) -> float:
    """The same of a convolutional net, whose norms and pools cost about as much as its products."""
    net, training, data = spec.net, spec.training, spec.data
    pixels, window = data.input_dim, net.filter_size**2
    channels, work = 1, 0.0
    for filters in net.filters:
        work += pixels * filters * (channels * window + 100)
        channels, pixels = filters, pixels // 4
    steps = training.num_epochs * max(data.num_train // training.batch_size, 1)
    examples = (training.num_epochs + 1) * (min(data.num_train, 1000) + data.num_val)
    return steps * (3 * training.batch_size * work + 3_000_000) + examples * work


def _lost(lost: list[RunSpec], total: int, records: Records | None) -> str:
    kept = (
        "all others are done" if records is None else f"all others are recorded in {records.path}"
    )
    named = [
        f"{spec.key[:12]} (hidden_dims={list(spec.net.hidden_dims)}, "
        f"normalization={spec.net.normalization!r}, batch_size={spec.training.batch_size}, "
        f"seed={spec.seed})"
        for spec in lost[:5]
    ]
    more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
    return (
        f"{len(lost)} of {total} runs ended their worker process in every attempt and were set "
        f"aside: {', '.join(named)}{more}; {kept}. A process is most often ended for want of "
        "memory: try fewer workers, smaller nets or smaller batches"
    )
