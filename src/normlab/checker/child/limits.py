"""Limits that the operating system holds for us: memory, processor time, files, core dumps."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.machinery
import os
import signal
import sys
from typing import Any


def end_with_parent() -> None:
    """On Linux the kernel ends this process when its parent ends, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG


def refuse_answers(packages: tuple[str, ...]) -> None:
    """No file of these installed packages is opened from now on.

    The hook cannot be taken out from Python.

    Confined, they cannot be read at all. This is for the isolations in which they could be.
    """
    folders = []
    for name in packages:
        spec = importlib.machinery.PathFinder.find_spec(name)
        folders += [
            os.path.realpath(place) + os.sep
            for place in (spec and spec.submodule_search_locations) or ()
        ]

    def watch(event: str, args: tuple[Any, ...], folders: tuple[str, ...] = tuple(folders)) -> None:
        if event == "open" and isinstance(args[0], str) and realpath(args[0]).startswith(folders):
            raise PermissionError(
                "this file is not available here: a submission answers for itself"
            )

    realpath = os.path.realpath
    sys.addaudithook(watch)


def apply(limits: dict[str, Any]) -> list[str]:
    """Set the limits the platform has; return the names of those that now hold.

    `memory` and `file_size` are bytes, `seconds` processor time. Raises nothing: Windows has none
    of them.
    """
    try:
        import resource
    except ImportError:
        return []
    wanted = [
        ("memory", resource.RLIMIT_AS, limits.get("memory")),
        ("seconds", resource.RLIMIT_CPU, limits.get("seconds")),
        ("file size", resource.RLIMIT_FSIZE, limits.get("file_size", 0)),
        ("open files", resource.RLIMIT_NOFILE, limits.get("open_files", 64)),
        ("core dumps", resource.RLIMIT_CORE, 0),
    ]
    if limits.get("processes") is not None:
        wanted.append(("processes", resource.RLIMIT_NPROC, limits["processes"]))
    held = []
    for name, which, value in wanted:
        if value is None:
            continue
        with contextlib.suppress(ValueError, OSError):
            hard = resource.getrlimit(which)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(which, (value, value))
            held.append(name)
    return held
