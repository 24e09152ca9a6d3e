"""The command line under circumstances: a limit, another user, a clock that runs backwards, a signal.

The command is run in a forked child of a process that has run it before, so that every module is
loaded: a user without rights could not load them from someone else's folder, and it takes a second
less.
"""

from __future__ import annotations

import functools
import os
import resource
import signal
import sys
import tempfile
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict

from proof import small_study
from proof.forking import in_a_child

NOBODY = 65534
REFERENCE = ("--engine", "reference", "--workers", "1")


class Circumstances(TypedDict, total=False):
    """What the command meets; nothing of it by default."""

    handles: int  # file handles it may open on top of those it has
    file_size: int  # bytes a file may grow to
    nobody: bool  # run as a user without rights, where this one has all
    clock: bool  # each look at the clock shows a day earlier than the one before
    terminate_after: float  # seconds until it gets SIGTERM


class Said(TypedDict):
    """What a command left behind; `code` is negative for a signal."""

    code: int
    out: str
    err: str


def command(words: list[str], circumstances: Circumstances) -> Said:
    """Run `normlab WORDS` in a child of this process, with the small study as its only one."""
    _warm_up()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        ended = in_a_child(
            _run,
            words,
            circumstances,
            (out.fileno(), err.fileno()),
            kill_after=circumstances.get("terminate_after"),
            how=signal.SIGTERM,
        )
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    return Said(
        code=-ended.signal if ended.signal else int(ended.value), out=texts[0], err=texts[1]
    )


@functools.cache
def _warm_up() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for words in (
            ["reproduce", "--out", folder, "--quiet", *REFERENCE],
            ["results", folder],
            ["report", folder],
        ):
            with open(os.devnull, "w") as nowhere:
                ended = _run(words, {}, (nowhere.fileno(), nowhere.fileno()))
            if ended != 0:
                raise RuntimeError(
                    f"`normlab {' '.join(words)}` ended with {ended} without any circumstances"
                )


def _run(words: list[str], circumstances: Circumstances, files: tuple[int, int]) -> int:
    before = os.dup(1), os.dup(2)
    sys.stdout.flush()
    os.dup2(files[0], 1)
    os.dup2(files[1], 2)
    sys.argv = ["normlab", *words]
    try:
        _meet(circumstances)
        small_study.main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    except BaseException:  # as the interpreter itself would do at its end
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(before[0], 1)
    os.dup2(before[1], 2)
    os.close(before[0])
    os.close(before[1])
    return code


def _meet(circumstances: Circumstances) -> None:
    if "handles" in circumstances:
        most = max(map(int, os.listdir("/dev/fd"))) + circumstances["handles"]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if "file_size" in circumstances:
        resource.setrlimit(resource.RLIMIT_FSIZE, (circumstances["file_size"],) * 2)
    if circumstances.get("nobody") and os.geteuid() == 0:
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    if circumstances.get("clock"):
        _set_the_clock_back()


def _set_the_clock_back() -> None:
    """The records' clock, where times are taken that are not mere durations."""
    from normlab.records import store

    class Backwards(datetime):
        looks = 0

        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            cls.looks += 1
            return datetime(2020, 1, 1, tzinfo=tz or UTC) - timedelta(days=cls.looks)

    vars(store)["datetime"] = Backwards


def table_of(folder: Path) -> list[dict[str, Any]]:
    """The results table in a folder of results, empty where there is none yet."""
    from normlab.errors import RecordsError
    from normlab.selftest import small_sweep

    path = folder / "records.sqlite"
    try:
        return small_sweep.table(path) if path.exists() else []
    except RecordsError as error:
        if "holds no records" in str(error):  # made, and nothing in it yet
            return []
        raise
