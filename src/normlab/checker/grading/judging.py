"""`grade`: a folder of submissions, each judged by a fresh process in a sandbox; interrupted, it continues."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from normlab.checker.api import check_path, lost_before_start
from normlab.checker.grading import records, submissions, tables
from normlab.checker.grading.records import Graded
from normlab.checker.grading.rubric import Rubric
from normlab.checker.grading.submissions import Submission
from normlab.checker.subject import ChildSubject, Limits, NoSandbox
from normlab.errors import DataError, OptionError, UserError
from normlab.files import write_atomically

ISOLATIONS = ("sandbox", "container", "none")
LIMITS = Limits(seconds_a_call=4.0, seconds_to_load=15.0, seconds_in_all=60.0, memory=2 * 2**30, processes=None)
REFUSED = ("normlab", "cs682")


class Progress(NamedTuple):
    """How far grading is: submissions done, in all, and the seconds that the rest will take (None at first)."""

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
) -> list[Graded]:
    """Judge every submission in `folder`, and write the tables, records and results below `out`.

    Submissions whose record is already there, for the same content, rubric and seed, are not judged again.
    `isolation` is 'sandbox' (Landlock and seccomp; an error where the machine lacks them), 'container' (you say
    that this whole program runs in one) or 'none' (you trust the code). Without a seed the folder's own is used:
    drawn at the first run and kept in `out`, so that all submissions are asked the same questions.
    """
    if isolation not in ISOLATIONS:
        raise OptionError(f"isolation={isolation!r} is not one of {', '.join(ISOLATIONS)}")
    rubric = rubric or Rubric()
    found = submissions.find(folder)
    if isolation == "sandbox":
        require_sandbox()
    kept = out / "records"
    kept.mkdir(parents=True, exist_ok=True)
    seed = _seed(out) if seed is None else seed
    graded: dict[str, Graded] = {}
    salt = json.dumps([records.VERSION, dict(rubric.points), dict(rubric.keeps), seed, isolation])
    open_ = []
    for submission in found:
        earlier = records.load(submission.name, kept, records.fingerprint(submission.path, salt))
        if earlier is None:
            open_.append(submission)
        else:
            graded[submission.name] = earlier
    _judge_all(open_, kept, rubric, workers, isolation, seed, salt, graded, len(found), progress)
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
    name = name or path.stem
    with tempfile.TemporaryDirectory(prefix="normlab-") as scratch:
        place = path
        if path.suffix == ".zip":
            place = Path(scratch) / "submission"
            place.mkdir()
            try:
                submissions.unpack(path, place)
            except DataError as error:
                report = lost_before_start(name, str(error), seed)
                return Graded(name, content, rubric.score(report), rubric.total, (), report)
        confine = {"read": [str(place.resolve())]} if isolation == "sandbox" else None
        report = check_path(
            place,
            seed=seed,
            limits=LIMITS,
            confine=confine,
            refused=REFUSED,
            working_folder=Path(scratch) if confine is None else None,
        )
    protections = (
        *report.held,
        *(() if isolation == "sandbox" else (f"isolation: {isolation}, by the instructor's word",)),
    )
    return Graded(name, content, rubric.score(report), rubric.total, protections, replace(report, subject=name))


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
                f"grading runs other people's code, and this machine has no sandbox for it: {error}. "
                "Run it on Linux with "
                "Landlock and seccomp; or inside a container, with --isolation container; or, for code that you "
                "trust, with --isolation none"
            ) from None


def _judge_all(
    waiting: list[Submission], kept: Path, rubric: Rubric, workers: int, isolation: str, seed: int, salt: str,
    graded: dict[str, Graded], total: int, progress: Callable[[Progress], None] | None,
) -> None:  # fmt: skip
    """Each in an interpreter of its own, several at a time; each record is on the disk before the next begins."""
    started, before = time.monotonic(), len(graded)
    rubric_text = json.dumps({"points": dict(rubric.points), "keeps": dict(rubric.keeps)})

    def judge(submission: Submission) -> Graded:
        content = records.fingerprint(submission.path, salt)
        order = [str(submission.path), submission.name, str(kept), rubric_text, isolation, str(seed), content]
        allowed = LIMITS.seconds_in_all + LIMITS.seconds_to_load + 60
        try:
            done = subprocess.run(
                [sys.executable, "-m", "normlab.checker.grading.one", *order],
                capture_output=True,
                timeout=allowed,
                check=False,
            )
            reason = f"the judging process ended with status {done.returncode}"
        except subprocess.TimeoutExpired:
            reason = f"judging took more than {allowed:g} seconds"
        record = records.load(submission.name, kept, content)
        if record is None:
            report = lost_before_start(submission.name, reason, seed)
            record = Graded(submission.name, content, rubric.score(report), rubric.total, (), report)
            records.save(record, kept)
        return record

    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        futures: set[Future[Graded]] = {pool.submit(judge, submission) for submission in waiting}
        try:
            while futures:
                done, futures = wait(futures, return_when=FIRST_COMPLETED)
                for future in done:
                    record = future.result()
                    graded[record.name] = record
                    each = (time.monotonic() - started) / (len(graded) - before)
                    if progress is not None:
                        progress(Progress(len(graded), total, each * (total - len(graded)), record.name))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
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
