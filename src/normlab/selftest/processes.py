"""Processes for experiments that a program cannot survive or must not disturb.

`lean_process` starts a fresh interpreter that answers calls of one function. Within it, `in_a_child` runs a function
in a process of its own: forked, hence started in a millisecond, where an interpreter takes a fifth of a second.
Forking needs POSIX and a process without threads, which the fresh interpreter is.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

CAN_FORK = sys.platform in ("linux", "darwin")
NO_FORK = "needs fork, as Linux and macOS have it"
NO_PROC = "needs Linux, which tells how large a process is"

_ANSWER = """
import importlib, json, os, sys
answers = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what anything else prints is no answer
module, name = sys.argv[1].split(":")
function = getattr(importlib.import_module(module), name)
for line in sys.stdin:
    print(json.dumps(function(*json.loads(line))), file=answers, flush=True)
"""


class Ended(NamedTuple):
    """How a child ended: what it returned, or the signal that ended it, and the error it wrote where it failed."""

    value: Any
    signal: int
    failed: bool


@contextmanager
def lean_process(
    function: str, folder: str | os.PathLike[str], environment: Mapping[str, str] | None = None
) -> Iterator[Callable[..., Any]]:
    """A callable that calls `function` ("module:name") in a fresh interpreter, with arguments and results as JSON.

    It works in `folder`, and its BLAS on one thread unless the environment says otherwise. Raises RuntimeError where
    the process ends.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", _ANSWER, function],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=clean_environment() | dict(environment or {}),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def call(*arguments: Any) -> Any:
        stdin.write(json.dumps(arguments) + "\n")
        stdin.flush()
        answer = stdout.readline()
        if not answer:
            raise RuntimeError(f"the process that should answer {function} ended with status {process.wait()}")
        return json.loads(answer)

    try:
        yield call
    finally:
        stdin.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        stdout.close()


def clean_environment() -> dict[str, str]:
    """This process's environment with one BLAS thread, and without what would choose data or kernels."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NORMLAB_DATA", "OPENBLAS_CORETYPE")}
    return kept | {"OPENBLAS_NUM_THREADS": "1", "COLUMNS": "200"}


def in_a_child(
    function: Callable[..., Any], *arguments: Any, kill_after: float | None = None, how: int = signal.SIGKILL
) -> Ended:
    """What the function returned, as JSON has it, in a child of this process; with `kill_after`, a signal that late.

    The child leaves without cleaning up, as the parent's buffers are in it too.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _work_and_leave(writing, function, arguments)
    os.close(writing)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, how)
    with open(reading, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return Ended(None, os.WTERMSIG(status), False)
    return Ended(json.loads(said) if said else None, 0, os.WEXITSTATUS(status) != 0)


def _work_and_leave(writing: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """What the child does; it never returns."""
    failed = 1
    try:
        value = json.dumps(function(*arguments))
        failed = 0
    except BaseException as error:
        value = json.dumps(f"{type(error).__name__}: {error}")
    finally:
        with open(writing, "wb") as pipe:
            pipe.write(value.encode())
        os._exit(failed)


def memory_in_mb(peak: bool) -> float:
    """This process's resident memory, or its peak since the process began (in a forked child: since the fork)."""
    # not ru_maxrss, which begins with the size of the process that started this one
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:" if peak else "VmRSS:")[2].split()[0]) / 1000
