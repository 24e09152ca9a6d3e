"""Running studies: what is missing in the records is measured and trained, and recorded as it ends.

Killed at any instant, the same call continues with what is missing. The records hold everything that the page
needs, so nothing here is needed to draw it.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from normlab import engines
from normlab.data import Dataset
from normlab.errors import RecordsError
from normlab.machine import available_cores, one_blas_thread
from normlab.records import Records
from normlab.specs import History, RunSpec, as_values
from normlab.studies import grid
from normlab.studies.observations import demonstration_text, measurement_key, spec_text
from normlab.studies.probes import first_step, preprocessing, trained_and_measured
from normlab.studies.spec import Study, Value
from normlab.sweep import LostRunsError, estimated_work, train
from normlab.sweep import Progress as TrainProgress
from normlab.typing import Array
from normlab.workers import Losses, finished_tasks

AT_A_TIME = 32
"""Fresh nets to look at in one task."""


@dataclass(frozen=True)
class Progress:
    """Where a job stands: training runs done of all, those found in the records, and the share of the work done.

    `share` counts only what this call has to do, from 0 to 1: the remaining time follows from it.
    """

    stage: str
    done: int
    total: int
    reused: int
    share: float
    lost_workers: int = 0


def run(
    studies: Sequence[Study],
    data: Dataset,
    records: Records,
    *,
    seeds: int | None = None,
    images: Callable[[], Array] | None = None,
    workers: int | None = None,
    engine: str = "auto",
    progress: Callable[[Progress], object] | None = None,
    command: str = "",
) -> None:
    """Finish these studies on this data in these records.

    Arguments:
        seeds: how many seeds each study runs on, by default each study's own number.
        images: returns training images (N, channels, height, width) with pixels from 0 to 255 and no mean
            subtracted; needed by studies with demonstrations.
        workers: processes, by default one a core.
        engine: as for `train`: 'auto', 'reference' or 'compiled'.
        progress: called at the start and whenever something has ended.
        command: what the reader of the page can type to get the same.

    Raises what `train` raises, and RecordsError where the records cannot be written.
    """
    if records.mode == "r":
        raise RecordsError(
            f"the records {records.path} are open for reading only; open them with mode='a' to run studies"
        )
    workers = available_cores() if workers is None else workers
    engines.pick(engine)  # refused now, if at all
    specs = list({spec.key: spec for study in studies for spec in grid.runs(study, data.spec, seeds)}.values())
    tell = _Teller(progress, specs, records)
    with _recorded(records, plan_of(studies, data, seeds, workers, command)), one_blas_thread():
        tell("looking at images and fresh nets")
        _demonstrate(studies, data, records, seeds, images)
        _probe_first_steps(studies, data, records, seeds, workers)
        _probe_batch_gaps(studies, data, records, seeds, workers, engine, tell)
        train(specs, data, records=records, workers=workers, engine=engine, progress=tell.of_train)


def plan_of(studies: Sequence[Study], data: Dataset, seeds: int | None, workers: int, command: str) -> dict[str, Any]:
    """What a call asks for, as the records keep it: enough to find everything again."""
    return {
        "data": as_values(data.spec),
        "source": data.source,
        "studies": {
            study.name: {"seeds": list(grid.seeds_of(study, seeds)), "expected": grid.expected(study, seeds)}
            for study in studies
        },
        "workers": workers,
        "command": command,
    }


@contextlib.contextmanager
def _recorded(records: Records, plan: Mapping[str, Any]) -> Iterator[None]:
    """Note in the records that a job began, and how it ended after how many seconds."""
    records.put_sweep(json.dumps({**plan, "event": "began"}))
    began = time.perf_counter()
    complete = False
    try:
        yield
        complete = True
    finally:
        seconds = time.perf_counter() - began
        with contextlib.suppress(RecordsError) if not complete else contextlib.nullcontext():
            records.put_sweep(json.dumps({**plan, "event": "ended", "complete": complete, "seconds": seconds}))


def _demonstrate(
    studies: Sequence[Study],
    data: Dataset,
    records: Records,
    seeds: int | None,
    images: Callable[[], Array] | None,
) -> None:
    wanted: list[tuple[str, str, Value, int]] = []
    for study in studies:
        for demonstration in study.demonstrations:
            for seed in grid.seeds_of(study, seeds):
                for place in grid.demonstrated(demonstration):
                    text = demonstration_text(place, data.spec, seed)
                    if records.get_measurement(measurement_key(demonstration.probe, text)) is None:
                        wanted.append((demonstration.probe, text, place[demonstration.axis.name], seed))
    if wanted and images is None:
        raise RecordsError("a demonstration needs images as they are stored; pass images=")
    if wanted and images is not None:
        pixels = images()
        found = []
        for probe, text, operation, seed in wanted:
            values = preprocessing(str(operation), seed, pixels, with_pictures=seed == grid.FIRST_SEED)
            found.append(_measurement(probe, text, values))
        records.put_measurements(found)


def _probe_first_steps(
    studies: Sequence[Study], data: Dataset, records: Records, seeds: int | None, workers: int
) -> None:
    specs = _unprobed("first step", studies, data, records, seeds)
    # a fresh net is looked at in a few milliseconds: many at a time, so that neither workers nor disk are waited for
    chunks = [tuple(specs[start : start + AT_A_TIME]) for start in range(0, len(specs), AT_A_TIME)]
    losses: Losses[tuple[RunSpec, ...]] = Losses()
    results = finished_tasks(_first_steps, chunks, data, workers=workers, retries=2, losses=losses)
    with contextlib.closing(results):
        for chunk, found in results:
            texts = map(spec_text, chunk)
            records.put_measurements(
                [_measurement("first step", text, values) for text, values in zip(texts, found, strict=True)]
            )
    if losses.tasks:
        raise LostRunsError(
            "looking at fresh nets ended its worker process in every attempt, most often for want of "
            "memory: try fewer workers",
            [spec for chunk in losses.tasks for spec in chunk],
            {},
        )


def _first_steps(specs: Sequence[RunSpec], data: Dataset) -> list[dict[str, Any]]:
    return [first_step(spec, data) for spec in specs]


def _probe_batch_gaps(
    studies: Sequence[Study],
    data: Dataset,
    records: Records,
    seeds: int | None,
    workers: int,
    engine: str,
    tell: _Teller,
) -> None:
    """Train the nets that are looked at after training; their histories are recorded like any others'."""
    specs = _unprobed("batch gap", studies, data, records, seeds)
    specs.sort(key=estimated_work, reverse=True)
    losses: Losses[RunSpec] = Losses()
    results: Generator[tuple[RunSpec, tuple[History, dict[str, Any]]], None, None] = finished_tasks(
        partial(trained_and_measured, engine=engine), specs, data, workers=workers, retries=2, losses=losses
    )
    with contextlib.closing(results):
        for spec, (history, found) in results:
            records.put(spec, history)
            records.put_measurements([_measurement("batch gap", spec_text(spec), found)])
            tell.of_run(spec, losses.workers)
    # a run set aside here is tried again by `train`, which names it if it ends its worker there too


def _unprobed(
    probe: str, studies: Sequence[Study], data: Dataset, records: Records, seeds: int | None
) -> list[RunSpec]:
    specs = {}
    for study in studies:
        for point, seed in grid.seeded(study, seeds):
            if probe in point.probes:
                spec = point.run(data.spec, seed)
                if records.get_measurement(measurement_key(probe, spec_text(spec))) is None:
                    specs[spec.key] = spec
    return list(specs.values())


def _measurement(probe: str, text: str, found: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """What a probe found, as the records keep it: key, kind, what was measured, and the result."""
    return measurement_key(probe, text), probe, text, json.dumps(found)


class _Teller:
    """Turns the progress of the job's parts into one: runs done, and the share of the work that was missing."""

    def __init__(self, progress: Callable[[Progress], object] | None, specs: Sequence[RunSpec], records: Records):
        self.progress = progress
        missing = [spec for spec in specs if spec.key not in records]
        self.total, self.reused = len(specs), len(specs) - len(missing)
        self.work = sum(map(estimated_work, missing))
        self.missing = {spec.key for spec in missing}
        self.probed, self.probed_work = 0, 0.0

    def __call__(self, stage: str, done: int | None = None, share: float | None = None, lost_workers: int = 0) -> None:
        if self.progress is not None:
            done = self.reused + self.probed if done is None else done
            share = self._probed_share() if share is None else share
            self.progress(Progress(stage, done, self.total, self.reused, share, lost_workers))

    def of_run(self, spec: RunSpec, lost_workers: int) -> None:
        """A run that was trained to be looked at has ended."""
        if spec.key in self.missing:
            self.probed += 1
            self.probed_work += estimated_work(spec)
        self("training", lost_workers=lost_workers)

    def of_train(self, progress: TrainProgress) -> None:
        """`train` has begun, or one of its runs has ended."""
        before = self._probed_share()
        share = before + (1 - before) * progress.share
        self("training", progress.done, share, progress.lost_workers)

    def _probed_share(self) -> float:
        return self.probed_work / self.work if self.work else 1.0
