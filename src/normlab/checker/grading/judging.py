"""`grade`: a folder of submissions, each judged by a fresh process in a sandbox.

Interrupted, it continues.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import normlab
from normlab.checker.api import check_path, lost_before_start, not_read
from normlab.checker.grading import records, submissions, tables
from normlab.checker.grading.records import Graded
from normlab.checker.grading.rubric import OWN, Rubric
from normlab.checker.grading.submissions import Submission
from normlab.checker.process import HOME, ONE_THREAD, PACKAGES, ChildSubject, Limits, NoSandbox
from normlab.errors import DataError, OptionError, UserError
from normlab.files import write_atomically

ISOLATIONS = ("sandbox", "container", "none")
LIMITS = Limits(
    seconds_a_call=4.0, seconds_to_load=15.0, seconds_in_all=60.0, memory=2 * 2**30, processes=None
)
REFUSED = OWN
ONE = Path(__file__).with_name("one.py")


class Progress(NamedTuple):
    """How far grading is: submissions done, in all, and the seconds left (None at first)."""

    done: int
    total: int
    remaining: float | None
    last: str


def grade(
    folder: Path,
    out: Path,
    *,
    rubric: Rubric | None = None,
    workers: int = 2,
    isolation: str = "sandbox",
    seed: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    leave_out: Collection[Path] = (),
) -> list[Graded]:
    """Judge every submission in `folder`, and write the tables, records and results below `out`.

    Every entry of the folder is a submission, but `out` itself and those in `leave_out`.

    Submissions whose record is already there, for the same content, rubric and seed, are not judged
    again. `isolation` is 'sandbox' (Landlock and seccomp; an error where the machine lacks them),
    'container' (you say that this whole program runs in one) or 'none' (you trust the code).
    Without a seed the folder's own is used: drawn at the first run and kept in `out`, so that all
    submissions are asked the same questions.
    """
    if isolation not in ISOLATIONS:
        raise OptionError(f"isolation={isolation!r} is not one of {', '.join(ISOLATIONS)}")
    rubric = rubric or Rubric()
    found = submissions.find(folder, leave_out=(out, *leave_out))
    if isolation == "sandbox":
        require_sandbox()
    kept = out / "records"
    kept.mkdir(parents=True, exist_ok=True)
    seed = _seed(out) if seed is None else seed
    graded: dict[str, Graded] = {}
    salt = json.dumps([records.VERSION, records.judge(), rubric.as_values(), seed, isolation])
    open_ = []
    for submission in found:
        content = records.fingerprint(submission.path, salt)
        earlier = records.load(submission.name, kept, content)
        if earlier is None:
            open_.append((submission, content))
        else:
            graded[submission.name] = earlier
    _judge_all(open_, kept, rubric, workers, isolation, seed, graded, len(found), progress)
    ordered = [graded[submission.name] for submission in found]
    tables.write_all(ordered, rubric, out)
    return ordered


def grade_one(
    path: Path,
    *,
    name: str = "",
    rubric: Rubric | None = None,
    isolation: str = "sandbox",
    seed: int | None = None,
    content: str = "",
) -> Graded:
    """Judge one submission (a folder, zip or file), here and now."""
    rubric, seed = rubric or Rubric(), secrets.randbits(31) if seed is None else seed
    name = name or submissions.safe_name(path.stem)
    with tempfile.TemporaryDirectory(prefix="normlab-") as scratch:
        place, left_out = Path(scratch) / "submission", []
        place.mkdir()
        try:
            found = submissions.collect(path)
            submissions.write(found, place)
            left_out = found.left_out
        except (DataError, OSError) as error:
            report = not_read(name, str(error), seed)
            return Graded(name, content, rubric.score(report), rubric.total, (), report)
        only = [place.joinpath(*parts) for parts in found.files]
        confine = {"read": [str(place.resolve())], "packages": list(rubric.packages)}
        report = check_path(
            only[0] if len(only) == 1 and only[0].parent == place else place,
            seed=seed,
            limits=LIMITS,
            confine=confine if isolation == "sandbox" else None,
            refused=REFUSED,
            working_folder=place,
        )
        if not report.findings:
            reasons = [*left_out, *report.notes] or [
                f"files read: {', '.join(report.read) or 'none'}"
            ]
            told = "; ".join(["nothing of the assignment is in it", *reasons[:10]])
            report = replace(not_read(name, told, seed), held=report.held)
    notes = (*report.notes, *(f"left out: {reason}" for reason in left_out[:20]))
    report = replace(report, subject=name, notes=notes)
    protections = (
        *report.held,
        *(() if isolation == "sandbox" else (f"isolation: {isolation}, by the instructor's word",)),
    )
    return Graded(name, content, rubric.score(report), rubric.total, protections, report)


def require_sandbox() -> tuple[str, ...]:
    """What the sandbox holds on this machine; a UserError where it cannot be had."""
    with tempfile.TemporaryDirectory(prefix="normlab-") as scratch:
        probe = Path(scratch) / "probe.py"
        probe.write_text("def relu_forward(x):\n    return x, x\n")
        try:
            with ChildSubject(probe, confine={"read": [scratch]}) as subject:
                return subject.held
        except NoSandbox as error:
            raise UserError(
                "grading runs other people's code, and this machine has no sandbox for it: "
                f"{error}. Run it on Linux with Landlock and seccomp; or inside a container, with "
                "--isolation container; or, for code that you trust, with --isolation none"
            ) from None


def _judge_all(
    waiting: list[tuple[Submission, str]], kept: Path, rubric: Rubric, workers: int,
    isolation: str, seed: int,
    graded: dict[str, Graded], total: int, progress: Callable[[Progress], None] | None,
) -> None:  # fmt: skip
    """Each in an interpreter of its own, several at a time.

    Each record is on the disk before the next begins.
    """
    started, before = time.monotonic(), len(graded)
    packages = os.pathsep.join(dict.fromkeys([str(Path(normlab.__file__).parents[1]), PACKAGES]))
    rubric_text = json.dumps(rubric.as_values())

    running: set[subprocess.Popen[bytes]] = set()

    def judge(submission: Submission, content: str) -> Graded:
        order = [str(submission.path.absolute()), submission.name, str(kept.resolve())]
        order += [rubric_text, isolation, str(seed), content]
        allowed = LIMITS.seconds_in_all + LIMITS.seconds_to_load + 60
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-B", str(ONE), packages, *order],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **dict.fromkeys(ONE_THREAD, "1")},
                cwd=HOME,
                start_new_session=True,  # Ctrl-C is this program's to handle
            )
            running.add(process)
            status = process.wait(allowed)
            reason = f"the judging process ended with status {status}"
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            reason = f"judging took more than {allowed:g} seconds"
        except (OSError, ValueError) as error:
            reason = f"judging could not begin: {error}"
        record = records.load(submission.name, kept, content)
        if record is None:  # nothing is kept of this: the next run judges it again
            report = lost_before_start(submission.name, reason, seed)
            points = rubric.score(report)
            record = Graded(submission.name, content, points, rubric.total, (), report)
        return record

    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        futures: set[Future[Graded]] = {pool.submit(judge, *pair) for pair in waiting}
        try:
            while futures:
                done, futures = wait(futures, return_when=FIRST_COMPLETED)
                for future in done:
                    record = future.result()
                    graded[record.name] = record
                    each = (time.monotonic() - started) / (len(graded) - before)
                    if progress is not None:
                        progress(
                            Progress(len(graded), total, each * (total - len(graded)), record.name)
                        )
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in running:
                process.kill()
            raise


def _seed(out: Path) -> int:
    """The seed of this folder of results."""
    path = out / "seed.txt"
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        seed = secrets.randbits(31)
        write_atomically(path, f"{seed}\n".encode())
        return seed
