"""How much memory processes have and have had: as psutil tells it, and as Linux alone does."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

TELLS_PEAKS = sys.platform == "linux"


def resident_bytes(pid: int | None = None) -> int:
    """What a process, by default this one, has in memory now."""
    return int(psutil.Process(pid).memory_info().rss)


def peak_bytes(pid: int | None = None) -> int:
    """The most it has had, for a forked process since the fork. Linux only.

    psutil does not tell it, and ru_maxrss begins with the size of the process that started it.
    """
    status = Path(f"/proc/{'self' if pid is None else pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def tree(pid: int | None = None) -> list[int]:
    """A process and all that it started, directly or not."""
    process = psutil.Process(pid)
    return [process.pid, *(child.pid for child in process.children(recursive=True))]


def tree_peak_bytes(pid: int) -> int | None:
    """The peaks of a process and all that it started, added up; None where nobody tells."""
    try:
        return sum(peak_bytes(each) for each in tree(pid))
    except (OSError, IndexError, psutil.Error):  # no Linux, or one has just ended
        return None
