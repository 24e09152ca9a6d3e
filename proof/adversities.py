"""What may happen to the main job besides SIGKILL: no room, no rights, no handles, a wrong clock, a request to end.

Each time the command must say so in a sentence or do its work all the same; every run that was
recorded must still be there; and the same command, where nothing is in its way, must end with the
undisturbed table.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from normlab.cli.exit_codes import STOPPED
from normlab.selftest.lean_process import lean_process
from normlab.selftest.measured import Measured
from proof.commands import REFERENCE, Circumstances, Said, table_of

Table = list[dict[str, Any]]
_JOB = ("reproduce", "--seeds", "1", "--quiet", *REFERENCE)


def rows(full: bool) -> Iterator[Measured]:
    """The main job without room, rights or handles, under a wrong clock, and asked to end, loses nothing."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # so that a user without rights can look inside
        with lean_process("proof.commands:command", folder, {"PYTHONWARNINGS": "ignore"}) as call:
            bench = Bench(Path(folder), call)
            yield bench.no_room(full)
            yield bench.full_disk(full)
            yield bench.no_rights()
            yield bench.no_handles(full)
            yield bench.clock_set_back()
            yield bench.asked_to_end(full)


class Bench:
    """A folder to work in, the command, and the table that an undisturbed job leaves."""

    def __init__(self, folder: Path, call: Callable[[list[str], Circumstances], Said]) -> None:
        self.folder, self.call = folder, call
        self.number = 0
        self.good = self.fresh()
        self.job(self.good)
        self.expected = table_of(self.good)
        assert len(self.expected) > 1

    def fresh(self) -> Path:
        """A folder that does not exist yet."""
        self.number += 1
        return self.folder / f"results-{self.number}"

    def job(self, out: Path, **circumstances: Any) -> Said:
        """The main job."""
        return self.call([*_JOB, "--out", str(out)], Circumstances(**circumstances))  # type: ignore[typeddict-item]

    def no_room(self, full: bool) -> Measured:
        """Files may not grow beyond some size."""
        wrong: list[str] = []
        sizes = range(4_000, 60_000, 2_000) if full else (40_000,)
        for size in sizes:
            out = self.fresh()
            wrong += self.refused(self.job(out, file_size=size), "is full")
            wrong += self.kept_and_continued(out)
        promise = "where files cannot grow, the job says so, and keeps what is recorded"
        return _row(
            promise, "job", wrong, len(sizes), f"files of {sizes[0]:,} to {sizes[-1]:,} bytes"
        )

    def full_disk(self, full: bool) -> Measured:
        """A real disk without room: a file system in memory, which needs root."""
        promise = "on a full disk the job says so, and keeps what is recorded; so does saving a checkpoint"
        wrong: list[str] = []
        sizes = range(8, 72, 4) if full else (48,)
        for size in sizes:
            with small_disk(self.folder / "disk", size) as disk:
                if disk is None:
                    return Measured(
                        "crashes",
                        promise,
                        "",
                        "",
                        None,
                        0,
                        note="needs root on Linux, to make a small disk",
                    )
                wrong += self.refused(self.job(disk), "is full")
                out = self.fresh()
                shutil.copytree(disk, out)
                wrong += [f"with {size} kB: {what}" for what in full_disk_checkpoint(disk)]
            wrong += self.kept_and_continued(out)
        return _row(promise, "disk", wrong, len(sizes), f"disks of {sizes[0]} to {sizes[-1]} kB")

    def no_rights(self) -> Measured:
        """A folder that may be read and not written, as a user without rights."""
        closed = self.fresh()
        shutil.copytree(self.good, closed)
        whole = self.call(["results", str(closed)], {})
        for path in (*closed.iterdir(), closed):
            path.chmod(0o555 if path.is_dir() else 0o444)
        wrong = self.refused(self.job(closed, nobody=True), "read-only")
        wrong += self.refused(self.job(closed / "deeper", nobody=True), "cannot be made")
        export = ["results", str(closed), "--export", str(closed / "runs.csv")]
        wrong += self.refused(self.call(export, {"nobody": True}), "cannot be written")
        wrong += (
            []
            if self.call(["results", str(closed)], {"nobody": True}) == whole
            else ["it cannot be read"]
        )
        wrong += [] if table_of(closed) == self.expected else ["the table has changed"]
        for path in (closed, *closed.iterdir()):
            path.chmod(0o755)
        return _row(
            "a folder without write permission is a sentence, and can still be read",
            "command",
            wrong,
            4,
            "",
        )

    def no_handles(self, full: bool) -> Measured:
        """No file can be opened, or only a few."""
        wrong: list[str] = []
        cases = 0
        for handles in range(8) if full else range(2):
            out = self.fresh()
            for words in (
                [*_JOB, "--out", str(out)],
                ["results", str(self.good)],
                ["report", str(self.good), "--quiet"],
            ):
                said = self.call(words, {"handles": handles})
                wrong += self.refused(said, "too many") if said["code"] else []
                cases += 1
            wrong += self.kept_and_continued(out)
        return _row(
            "without free file handles a command says so or works",
            "command",
            wrong,
            cases,
            "0 handles and more",
        )

    def clock_set_back(self) -> Measured:
        """Each look at the clock shows an earlier day; half of the job is done under the right time."""
        out = self.fresh()
        self.job(out, file_size=40_000)
        began = len(table_of(out))
        said = self.job(out, clock=True)
        wrong = [] if said["code"] == 0 else [said["err"]]
        wrong += [] if table_of(out) == self.expected else ["another table"]
        draws = self.call(["report", str(out)], {})["out"].splitlines()[0]
        wrong += (
            []
            if draws == self.call(["report", str(self.good)], {})["out"].splitlines()[0]
            else ["other findings"]
        )
        promise = "a clock set back, again and again, changes no result and no finding"
        return _row(promise, "table", wrong, 1, f"{began - 1} runs recorded before it was set back")

    def asked_to_end(self, full: bool) -> Measured:
        """SIGTERM, as a scheduler sends it, at random instants."""
        rng, wrong, polite = random.Random(8), list[str](), 0
        times = 40 if full else 2
        for _ in range(times):
            out = self.fresh()
            said = self.job(out, terminate_after=rng.uniform(0, 0.8))
            polite += said["code"] == STOPPED
            # before the job has begun, and after it has ended, the signal does what it does to any
            # program
            wrong += (
                []
                if said["code"] in (0, -15, STOPPED) and "Traceback" not in said["err"]
                else [said["err"]]
            )
            wrong += self.kept_and_continued(out)
        promise = "SIGTERM at random instants: a clean end, nothing lost"
        return _row(
            promise, "job", wrong, times, f"{polite} ended by the job itself, with status {STOPPED}"
        )

    def refused(self, said: Said, word: str) -> list[str]:
        """What is wrong with a refusal, which should be one sentence and exit code 2."""
        sentence = said["err"].startswith("normlab: ") and said["err"].count("\n") == 1
        if said["code"] == 2 and sentence and word.lower() in said["err"].lower():
            return []
        return [f"exit code {said['code']}, and it said {said['err'][-300:]!r}"]

    def kept_and_continued(self, out: Path) -> list[str]:
        """What is wrong with the records in a folder: they hold nothing but runs of the table, and can be completed."""
        kept = table_of(out)[:-1]
        if any(row not in self.expected for row in kept):
            return ["a run is recorded that is not one of the undisturbed table"]
        said = self.job(out)
        if said["code"] != 0:
            return [f"the job cannot be continued: {said['err']}"]
        return [] if table_of(out) == self.expected else ["continued, it ends with another table"]


@contextlib.contextmanager
def small_disk(place: Path, kilobytes: int) -> Iterator[Path | None]:
    """A file system of that size at `place`; None where this user may not make one."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0 or shutil.which("mount") is None:
        yield None
        return
    place.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(place)]
    if (
        subprocess.run(mount, capture_output=True, check=False).returncode != 0
    ):  # root in a container
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def full_disk_checkpoint(disk: Path) -> list[str]:
    """What is wrong after saving a checkpoint on a disk without room for it."""
    import numpy as np

    from normlab import checkpoints
    from normlab.errors import RecordsError

    path = disk / "net.safetensors"
    for name in ("records.sqlite", "records.sqlite-journal"):
        (disk / name).unlink(missing_ok=True)
    checkpoints.save(path, {"x": np.arange(10)}, {"epoch": 1})
    before = path.read_bytes()
    try:
        checkpoints.save(path, {"x": np.zeros(100_000)}, {"epoch": 2})
    except RecordsError as error:
        if "cannot be written: No space left" not in str(error):
            return [str(error)]
        left = [each.name for each in disk.iterdir() if each != path]
        return (
            []
            if path.read_bytes() == before and not left
            else [f"the checkpoint changed, or left {left}"]
        )
    return ["a checkpoint larger than the disk was saved"]


def _row(promise: str, what: str, wrong: list[str], cases: int, note: str) -> Measured:
    measured = f"{len(wrong)} of {cases} wrong"
    return Measured(
        "crashes",
        promise,
        f"every {what} as promised",
        measured,
        not wrong,
        cases,
        note="; ".join(wrong[:2]) or note,
    )
