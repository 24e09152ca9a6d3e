"""The exit codes of every command, and the one way to be stopped."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

BROKEN = 1
"""The command did its work, and what it looked at is wrong: a layer, a promise."""
REFUSED = 2
"""Nothing was done, for a reason that the person can mend."""
CRASHED = 70
"""This program's own mistake; no verdict of `check` has this exit code."""
STOPPED = 130
"""Ctrl-C or a request to end; what a shell says of a program that Ctrl-C ended."""


@contextmanager
def stoppable(say: Callable[[], object]) -> Iterator[None]:
    """Ctrl-C, and SIGTERM as schedulers send it: `say` tells what is kept, and the command ends."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        say()
        raise typer.Exit(STOPPED) from None
    finally:
        signal.signal(signal.SIGTERM, before)
