"""Running studies: what is missing in the records is measured and trained, and recorded as it ends.

Killed at any instant, the same call continues with what is missing. The records hold everything
that the page needs, so nothing here is needed to draw it.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from normlab import engines
from normlab.data import Dataset
from normlab.data.prepared import prepared
from normlab.engines import trained_net
from normlab.errors import RecordsError
from normlab.machine import available_cores, one_blas_thread
from normlab.records import Records
from normlab.specs import History, RunSpec, as_values
from normlab.studies import claims, grid, sampling
from normlab.studies.axes import Value
from normlab.studies.observations import (
    demonstration_text,
    measured,
    measurement_key,
    observe,
    own_key,
    own_values,
    spec_text,
)
from normlab.studies.probes.record import Probe
from normlab.studies.registration import register
from normlab.studies.study import Study
from normlab.sweep import LostRunsError, estimated_work, train
from normlab.sweep import Progress as TrainProgress
from normlab.typing import Array
from normlab.workers import Losses, finished_tasks

AT_A_TIME = 32
"""Fresh nets to look at in one task."""

Wanted: TypeAlias = tuple[Study, grid.Point, int]
"""A point of a study, to be run on a seed."""
Look: TypeAlias = tuple[RunSpec, tuple[Probe, ...]]
"""A run, and the probes that look at its net."""


@dataclass(frozen=True)
class Progress:
    """Where a job stands: training runs done of all, those found in the records, and the share of the work done.

    `share` counts only what this call has to do, from 0 to 1: the remaining time follows from it.
    `stage` says what is being asked. Where claims stay open, further seeds raise `total`.
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
        seeds: how many seeds each study runs on. Without it, each study's own number, and more for
            the points of claims that these leave open.
        images: returns training images (N, channels, height, width) with pixels from 0 to 255 and
            no mean subtracted; needed by studies with demonstrations.
        workers: processes, by default one a core.
        engine: as for `train`.
        progress: called at the start and whenever something has ended.
        command: what the reader of the page can type to get the same.

    Raises what `train` raises, and RecordsError where the records cannot be written.
    """
    if records.mode == "r":
        raise RecordsError(
            f"the records {records.path} are open for reading only; open them with mode='a' to run "
            f"studies"
        )
    engines.pick(engine)  # refused now, if at all
    job = _Job(data, records, available_cores() if workers is None else workers, engine, progress)
    first = [(study, point, seed) for study in studies for point, seed in grid.seeded(study, seeds)]
    job.begin(first, "looking at images and fresh nets")
    register(studies, data.spec, records, seeds)
    plan = _Plan(studies, data, seeds, job.workers, command)
    with _recorded(records, plan), one_blas_thread():
        _demonstrate(studies, data, records, seeds, images)
        job.finish(first, "training")
        if seeds is None:
            _go_on(studies, job, plan)


def _go_on(studies: Sequence[Study], job: _Job, plan: _Plan) -> None:
    """More seeds for the points of the claims that are open, until they are decided or the last look is done."""
    going = {study.name: (study, sampling.looks(study)) for study in studies}
    for look in range(1, max((len(numbers) for _, numbers in going.values()), default=0)):
        wanted: list[Wanted] = []
        still_open = 0
        for name, (study, numbers) in list(going.items()):
            if look >= len(numbers):
                continue
            seen = observe(
                study, job.records, job.data.spec, grid.seeds_of(study, numbers[look - 1])
            )
            tested = claims.evaluate_all(study, seen, job.data.spec, numbers, len(job.data.y_test))
            points = sampling.open_points(study, tested)
            if not points:
                del going[name]
                continue
            still_open += sum(finding.verdict == "cannot tell" for finding in tested)
            fresh = grid.seeds_of(study, numbers[look])[numbers[look - 1] :]
            asked = [(study, point, seed) for seed in fresh for point in points]
            plan.extend(study, numbers[look], len(asked))
            wanted += asked
        if not wanted:
            return
        what = "a claim" if still_open == 1 else f"{still_open} claims"
        job.begin(wanted, f"more seeds for {what} still open")
        job.finish(wanted, f"more seeds for {what} still open")


@dataclass
class _Plan:
    """What a call asks for, as the records keep it: enough to find everything again."""

    studies: Sequence[Study]
    data: Dataset
    seeds: int | None
    workers: int
    command: str
    reached: dict[str, int] = field(default_factory=dict)
    further: dict[str, int] = field(default_factory=dict)

    def extend(self, study: Study, number: int, observations: int) -> None:
        """A study goes on to so many seeds, with so many further observations."""
        self.reached[study.name] = number
        self.further[study.name] = self.further.get(study.name, 0) + observations

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        asked = {}
        for study in self.studies:
            numbers = sampling.looks(study, self.seeds)
            reached = self.reached.get(study.name, numbers[0])
            asked[study.name] = {
                "seeds": list(grid.seeds_of(study, reached)),
                "looks": list(numbers),
                "expected": grid.expected(study, self.seeds) + self.further.get(study.name, 0),
            }
        return {
            "data": as_values(self.data.spec),
            "source": self.data.source,
            "num_test": len(self.data.y_test),
            "studies": asked,
            "workers": self.workers,
            "command": self.command,
        }


@contextlib.contextmanager
def _recorded(records: Records, plan: _Plan) -> Iterator[None]:
    """Note in the records that a job began, and how it ended after how many seconds."""
    records.put_sweep(json.dumps({**plan.as_dict(), "event": "began"}))
    began = time.perf_counter()
    complete = False
    try:
        yield
        complete = True
    finally:
        ended = {"event": "ended", "complete": complete, "seconds": time.perf_counter() - began}
        with contextlib.suppress(RecordsError) if not complete else contextlib.nullcontext():
            records.put_sweep(json.dumps({**plan.as_dict(), **ended}))


def _demonstrate(
    studies: Sequence[Study],
    data: Dataset,
    records: Records,
    seeds: int | None,
    images: Callable[[], Array] | None,
) -> None:
    wanted: list[tuple[Probe, str, tuple[Value, int], bool]] = []
    for study in studies:
        for shown in study.demonstrations:
            for seed in grid.seeds_of(study, seeds):
                for place in grid.demonstrated(shown):
                    text = demonstration_text(place, data.spec, seed)
                    if measured(records, shown.probe, text) is None:
                        first = seed == study.first_seed
                        wanted.append((shown.probe, text, (place[shown.axis.name], seed), first))
    if wanted and images is None:
        raise RecordsError("a demonstration needs images as they are stored; pass images=")
    if wanted and images is not None:
        pixels = images()
        found = []
        for probe, text, (value, seed), first in wanted:
            values = _function(probe)(value, seed, pixels, with_pictures=first)
            found.append(_measurement(probe, text, values))
        records.put_measurements(found)


class _Job:
    """The work of one call: what is missing, done over the workers and recorded, and told as one progress."""

    def __init__(
        self,
        data: Dataset,
        records: Records,
        workers: int,
        engine: str,
        progress: Callable[[Progress], object] | None,
    ) -> None:
        self.data, self.records, self.workers, self.engine = data, records, workers, engine
        self.progress = progress
        self.specs: dict[str, RunSpec] = {}
        self.reused = self.done = 0
        self.work = self.work_done = 0.0
        self.missing: set[str] = set()
        self.stage = ""

    def begin(self, wanted: Sequence[Wanted], stage: str) -> None:
        """Count what these add to the job."""
        for _, point, seed in wanted:
            spec = point.run(self.data.spec, seed)
            if spec.key in self.specs:
                continue
            self.specs[spec.key] = spec
            if spec.key in self.records:
                self.reused += 1
            else:
                self.missing.add(spec.key)
                self.work += estimated_work(spec)
        self.stage = stage
        self.tell()

    def finish(self, wanted: Sequence[Wanted], stage: str) -> None:
        """Measure and train what is missing of these."""
        fresh = self._looks("a fresh net", wanted)
        trained = self._looks("a trained net", wanted)
        self._look_at_fresh_nets(fresh)
        self.stage = stage
        self._look_at_trained_nets(trained)
        specs = [point.run(self.data.spec, seed) for _, point, seed in wanted]
        before = self.work_done
        train(
            list({spec.key: spec for spec in specs}.values()),
            self.data,
            records=self.records,
            workers=self.workers,
            engine=self.engine,
            progress=partial(self._of_train, before=before),
        )
        self._store_own_measures(wanted)

    def _looks(self, looks_at: str, wanted: Sequence[Wanted]) -> list[Look]:
        """The runs whose nets these probes have not looked at yet."""
        found: dict[str, tuple[RunSpec, dict[str, Probe]]] = {}
        for _, point, seed in wanted:
            probes = [probe for probe in point.probes if probe.looks_at == looks_at]
            if not probes:
                continue
            spec = point.run(self.data.spec, seed)
            for probe in probes:
                if measured(self.records, probe, spec_text(spec)) is None:
                    found.setdefault(spec.key, (spec, {}))[1][probe.name] = probe
        return [(spec, tuple(probes.values())) for spec, probes in found.values()]

    def _look_at_fresh_nets(self, looks: Sequence[Look]) -> None:
        # a fresh net is looked at in a few milliseconds: many at a time, so that neither workers
        # nor disk are waited for
        chunks = [
            tuple(looks[start : start + AT_A_TIME]) for start in range(0, len(looks), AT_A_TIME)
        ]
        losses: Losses[tuple[Look, ...]] = Losses()
        results = finished_tasks(
            look_at_fresh, chunks, self.data, workers=self.workers, retries=2, losses=losses
        )
        with contextlib.closing(results):
            for chunk, found in results:
                self._put(chunk, found)
        if losses.tasks:
            raise LostRunsError(
                "looking at fresh nets ended its worker process in every attempt, most often "
                "for want of "
                "memory: try fewer workers",
                [spec for chunk in losses.tasks for spec, _ in chunk],
                {},
            )

    def _look_at_trained_nets(self, looks: Sequence[Look]) -> None:
        """Train the nets that are looked at after training; their histories are recorded like any others'."""
        ordered = sorted(looks, key=lambda look: estimated_work(look[0]), reverse=True)
        losses: Losses[Look] = Losses()
        results = finished_tasks(
            partial(train_and_look, engine=self.engine),
            ordered,
            self.data,
            workers=self.workers,
            retries=2,
            losses=losses,
        )
        with contextlib.closing(results):
            for (spec, probes), (history, found) in results:
                self.records.put(spec, history)
                self._put([(spec, probes)], [found])
                if spec.key in self.missing:
                    self.missing.discard(spec.key)
                    self.done += 1
                    self.work_done += estimated_work(spec)
                self.tell(losses.workers)
        # a run set aside here is tried again by `train`, which names it if it ends its worker there
        # too

    def _put(self, looks: Sequence[Look], found: Sequence[Sequence[dict[str, Any]]]) -> None:
        self.records.put_measurements(
            [
                _measurement(probe, spec_text(spec), values)
                for (spec, probes), of_spec in zip(looks, found, strict=True)
                for probe, values in zip(probes, of_spec, strict=True)
            ]
        )

    def _store_own_measures(self, wanted: Sequence[Wanted]) -> None:
        """What a study's own measures read, so that the page can be drawn without the study's file."""
        rows = []
        for study, point, seed in wanted:
            if not any(record.read is not None for record in study.own):
                continue
            spec = point.run(self.data.spec, seed)
            key = own_key(study, spec)
            history = self.records.get(spec.key)
            if history is not None and self.records.get_measurement(key) is None:
                values = json.dumps(own_values(study, history))
                rows.append((key, f"measures of {study.name}", spec_text(spec), values))
        if rows:
            self.records.put_measurements(rows)

    def _of_train(self, progress: TrainProgress, before: float) -> None:
        """`train` has begun, or one of its runs has ended."""
        if progress.spec is not None and progress.spec.key in self.missing:
            self.missing.discard(progress.spec.key)
            self.done += 1
            self.work_done += estimated_work(progress.spec)
        self.work_done = max(self.work_done, before)
        self.tell(progress.lost_workers)

    def tell(self, lost_workers: int = 0) -> None:
        if self.progress is not None:
            share = min(self.work_done / self.work, 1.0) if self.missing else 1.0
            done = self.reused + self.done
            self.progress(
                Progress(self.stage, done, len(self.specs), self.reused, share, lost_workers)
            )


def look_at_fresh(looks: Sequence[Look], data: Dataset) -> list[list[dict[str, Any]]]:
    """What the probes find on nets before their first update."""
    return [
        [_function(probe)(spec, prepared(spec, data)) for probe in probes] for spec, probes in looks
    ]


def train_and_look(
    look: Look, data: Dataset, engine: str = "auto"
) -> tuple[History, list[dict[str, Any]]]:
    """The run's history, and what the probes find on the net that it leaves."""
    spec, probes = look
    history, net = trained_net(spec, data, engine)
    own = prepared(spec, data)
    return history, [_function(probe)(spec, own, net) for probe in probes]


def _function(probe: Probe) -> Callable[..., dict[str, Any]]:
    if probe.measure is None:
        raise RecordsError(
            f"the probe {probe.name!r} comes from stored records, without its function: give the "
            f"study's own file to "
            f"measure more"
        )
    return probe.measure


def _measurement(probe: Probe, text: str, found: dict[str, Any]) -> tuple[str, str, str, str]:
    """What a probe found, as the records keep it: key, kind, what was measured, and the result."""
    return measurement_key(probe, text), probe.name, text, json.dumps(found)
