"""Functions in forked processes, which may be killed: started in a millisecond.

An interpreter takes a fifth of a second. Forking needs POSIX and a process without threads, as a
fresh `normlab.request_server.Child` is.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

CAN_FORK = sys.platform in ("linux", "darwin")
NO_FORK = "needs fork, as Linux and macOS have it"


class Ended(NamedTuple):
    """How a child ended: what it returned, or the signal that ended it, and the error it wrote where it failed."""

    value: Any
    signal: int
    failed: bool


def in_a_child(
    function: Callable[..., Any],
    *arguments: Any,
    kill_after: float | None = None,
    how: int = signal.SIGKILL,
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
