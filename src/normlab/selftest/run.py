"""The parts of the self-test, two at a time, each in a process of its own; and what a run was made with.

A part is a module with `rows(full: bool) -> Iterator[Measured]`. One that breaks down, even one that takes its process
with it, is a broken promise like any other: it becomes a row, and the others go on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, get_args

from normlab.errors import not_one_of
from normlab.machine import machine, versions
from normlab.selftest.measured import Area, Measured
from normlab.selftest.part import broken, read

PARTS: list[tuple[Area, str]] = [
    ("numerics", "normlab.selftest.numerics"),
    ("identities", "normlab.selftest.identities"),
    ("conformance", "normlab.selftest.conformance"),
    ("conversion", "normlab.selftest.conversion"),
    ("files", "normlab.selftest.files"),
    ("crashes", "normlab.selftest.crashes"),
    ("determinism", "normlab.selftest.determinism"),
]

AT_ONCE = 2
PATIENCE = 5.0  # seconds that a part gets to clean up when it is stopped
FOREIGN = ("torch", "onnx", "jax", "keras")  # measured beside, where they are installed


def run(full: bool = False, only: Iterable[str] = ()) -> Iterator[Measured]:
    """The rows of all parts, or of the areas in `only`, part by part. Raises OptionError for an area that is none."""
    wanted = areas(only)
    children: list[subprocess.Popen[bytes]] = []
    with TemporaryDirectory(prefix="normlab-selftest-") as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        coming = [
            pool.submit(_in_a_process, area, module, full, Path(folder), children)
            for area, module in PARTS
            if area in wanted
        ]
        try:
            for part in coming:
                yield from part.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in children:
                _stop(child)


def areas(only: Iterable[str]) -> tuple[str, ...]:
    """The areas asked for, all if none is. Raises OptionError for one that does not exist."""
    only = tuple(only)
    for area in only:
        if area not in get_args(Area):
            raise not_one_of("only", area, get_args(Area))
    return only or get_args(Area)


def provenance(full: bool, only: Iterable[str]) -> dict[str, Any]:
    """What was asked, when, with which versions and on which machine."""
    return {
        "command": " ".join(["normlab selftest", *(["--full"] if full else []), *(f"--only {area}" for area in only)]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions() | dict(_foreign_versions()),
        "machine": machine(),
    }


def _in_a_process(
    area: Area, module: str, full: bool, folder: Path, children: list[subprocess.Popen[bytes]]
) -> list[Measured]:
    """The rows of one part, and one more if its process ended badly."""
    path = folder / area
    command = [sys.executable, "-m", "normlab.selftest.part", module, area, "full" if full else "quick", str(path)]
    with open(folder / f"{area}.log", "w+b") as log:
        # a session of its own: Ctrl-C reaches this process, which then interrupts the part, once
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        children.append(child)
        code = child.wait()
        ending = [broken(area, _ending(code), _last_line(log))] if code else []
    return read(path) + ending


def _ending(code: int) -> str:
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _last_line(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it left no word")


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Interrupt a part that is still at work, and end it if it does not end."""
    if child.poll() is not None:
        return
    if os.name == "nt":
        child.terminate()
    else:
        child.send_signal(signal.SIGINT)
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()


def _foreign_versions() -> Iterator[tuple[str, str]]:
    for package in FOREIGN:
        with contextlib.suppress(PackageNotFoundError):
            yield package, version(package)
