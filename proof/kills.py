"""SIGKILL, which no program can prepare for, at random instants: while a checkpoint is saved, and during a sweep.

The functions here are called in a lean process (`processes`), which forks what is to be killed.
"""

from __future__ import annotations

import functools
import mmap
import os
import signal
import struct
import time
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import psutil

from normlab import checkpoints, machine
from normlab.errors import RecordsError
from normlab.records import Records
from normlab.selftest import small_sweep
from normlab.sweep import LostRunsError, train
from normlab.typing import Array
from proof.forking import Ended, in_a_child

# Where in a save the child is; it tells its parent through shared memory, which outlives it.
OUTSIDE, BEFORE_RENAME, RENAMING, RENAMED = range(4)
# In checkpoints of three sizes, from some kB, which a save mostly waits for the disk with, to a few
# hundred.
NUMBERS = [np.random.RandomState(size).rand(size) for size in (100, 5_000, 50_000)]


class KilledSave(TypedDict):
    """What a kill left: where it struck, the temporary files beside the checkpoint, and what is wrong, if anything."""

    stage: int
    temporary: int
    wrong: str | None


class KilledSweep(TypedDict):
    """Whether the kill found the sweep alive, how many of its runs were recorded by then, and what is wrong."""

    alive: bool
    recorded: int
    wrong: str | None


def content(epoch: int) -> dict[str, Array]:
    """The tensors of a checkpoint: every one of their bits depends on the epoch."""
    return {"params/W1": NUMBERS[epoch % len(NUMBERS)] + epoch, "rng/key": np.full(7, epoch)}


def save_killed(folder: str, after: float) -> KilledSave:
    """Let a child save one checkpoint after another, kill it that many seconds later, and look at what is there."""
    path = Path(folder, "net.safetensors")
    if not path.exists():
        checkpoints.save(path, content(0), {"epoch": 0})
    first = int(checkpoints.load(path)[1]["epoch"])
    notes = mmap.mmap(-1, 4096)
    in_a_child(_save_for_ever, path, first, notes, kill_after=after)
    stage, saved = struct.unpack("<2q", notes[:16])
    temporary = [part for part in Path(folder).iterdir() if part != path]
    for part in temporary:
        part.unlink()
    return KilledSave(
        stage=stage, temporary=len(temporary), wrong=_wrong_with(path, stage, max(saved, first))
    )


def _wrong_with(path: Path, stage: int, saved: int) -> str | None:
    """The checkpoint must be the last saved or the one being saved, by where the kill struck, bit for bit."""
    expected = {
        OUTSIDE: (saved,),
        BEFORE_RENAME: (saved,),
        RENAMING: (saved, saved + 1),
        RENAMED: (saved + 1,),
    }[stage]
    try:
        tensors, state = checkpoints.load(path)
    except RecordsError as error:
        return str(error)
    epoch = state["epoch"]
    if epoch not in expected:
        return f"it is of epoch {epoch}, and should be of {' or '.join(map(str, expected))}"
    whole = content(epoch)
    if tensors.keys() != whole.keys() or any(
        tensors[name].tobytes() != whole[name].tobytes() for name in whole
    ):
        return f"its tensors are not those of epoch {epoch}"
    return None


def _save_for_ever(path: Path, epoch: int, notes: mmap.mmap) -> None:
    replace = os.replace

    def note(stage: int) -> None:
        notes[:8] = struct.pack("<q", stage)

    def noting_replace(*arguments: Any) -> None:
        note(RENAMING)
        replace(*arguments)
        note(RENAMED)

    os.replace = noting_replace  # type: ignore[assignment]
    while True:
        tensors = content(epoch + 1)
        note(BEFORE_RENAME)
        checkpoints.save(path, tensors, {"epoch": epoch + 1})
        epoch += 1
        # both in one write, lest the kill comes between them
        notes[:16] = struct.pack("<2q", OUTSIDE, epoch)


def sweep(path: str, workers: int, seeds: int = 2) -> str | None:
    """Train what is missing in the records at `path`; a sentence where runs were set aside."""
    with Records(path) as records:
        try:
            train(
                small_sweep.specs(seeds),
                small_sweep.data(),
                records=records,
                workers=workers,
                engine="reference",
            )
        except LostRunsError as error:
            return str(error)
    return None


def sweep_killed(path: str, workers: int, after: float) -> KilledSweep:
    """Start the sweep, kill its process that many seconds later, and wait until every worker of it is gone, too."""
    _warm_up()
    ended = in_a_child(_sweep_in_a_group, path, workers, kill_after=after)
    recorded = 0
    if Path(path).exists():
        try:
            recorded = len(small_sweep.table(Path(path))) - 1
        except RecordsError as error:  # killed before there was a table in the file
            if "holds no records" not in str(error):
                return KilledSweep(alive=True, recorded=0, wrong=str(error))
    return KilledSweep(
        alive=ended.signal == signal.SIGKILL, recorded=recorded, wrong=_failure(ended)
    )


def sweep_losing_workers(path: str, seeds: int, most: int, seed: int) -> tuple[int, str | None]:
    """Run the sweep to its end on two workers while up to `most` are killed; how many were, and what went wrong."""
    group = mmap.mmap(-1, 8)
    killer = os.fork()
    if killer == 0:
        _kill_workers(group, most, seed)
    ended = in_a_child(_sweep_in_a_group, path, 2, seeds, group)
    os.kill(killer, signal.SIGTERM)
    os.waitpid(killer, 0)
    return struct.unpack("<i", group[4:])[0], _failure(ended)


def _sweep_in_a_group(
    path: str, workers: int, seeds: int = 2, group: mmap.mmap | None = None
) -> str | None:
    os.setsid()
    if group is not None:
        group[:4] = struct.pack("<i", os.getpid())
    return sweep(path, workers, seeds)


def _failure(ended: Ended) -> str | None:
    return str(ended.value) if ended.failed else None


@functools.cache
def _warm_up() -> None:
    """What takes long the first time is done before forking, so that kills strike the sweep and not its start."""
    train(small_sweep.specs(1), small_sweep.data(), workers=1, engine="reference")
    machine.machine()


def _kill_workers(group: mmap.mmap, most: int, seed: int) -> None:
    """In a process of its own, until it is ended: kill a worker of the sweep now and then, and count them."""
    rng, killed = np.random.RandomState(seed), 0
    while True:
        time.sleep(rng.uniform(0.1, 1.5))
        workers = _workers_of(struct.unpack("<i", group[:4])[0])
        if workers and killed < most:
            os.kill(workers[rng.randint(len(workers))], signal.SIGKILL)
            killed += 1
            group[4:] = struct.pack("<i", killed)


def _workers_of(parent: int) -> list[int]:
    """The worker processes of a process; none of process 0."""
    try:
        children = psutil.Process(parent).children() if parent else []
        return [
            each.pid for each in children if any("popen_loky" in word for word in each.cmdline())
        ]
    except psutil.Error:  # one has just ended
        return []
