"""One hostile file, read in a process of its own that is watched: its memory, its time, and all that it does.

Python tells an audit hook of every file opened, module imported, name unpickled, program started,
socket made and code compiled (PEP 578). Reading a data file needs one of these: opening that file.
"""

from __future__ import annotations

import pickle
import resource
import sys
import tarfile  # noqa: F401  # normlab loads it with the first archive; it is not laid to a file's charge
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

from normlab.data import cifar10, digits, mnist
from normlab.errors import DataError
from proof.forking import in_a_child
from proof.process_memory import peak_bytes, resident_bytes

READERS: dict[str, Callable[[Path], object]] = {
    "batch": cifar10.read_batch,
    "archive": lambda path: [len(chunk.labels) for chunk in cifar10.chunks(path)],
    "idx": lambda path: mnist.read_idx(path, (20,)),
    "digits": lambda path: [len(chunk.labels) for chunk in digits.chunks(path)],
    "pickle.load": lambda path: pickle.loads(path.read_bytes()),  # what the readers are not
}
# A reader that runs away is ended: by the kernel beyond these, and counted as failed.
SECONDS, ADDRESS_SPACE = 20, 8 << 30
_warm: set[str] = set()


class Reading(TypedDict):
    """What became of a file: the sentence of its refusal (None: it was read), what it cost, what it did."""

    refusal: str | None
    crash: str | None
    before_mb: float
    peak_mb: float
    seconds: float
    did: list[str]


def read_watched(reader: str, path: str, good: str) -> Reading:
    """Read the file in a child of this process. `good` is a file for this reader that is all right.

    It is read first, once, so that what Python loads on first use is not laid to the hostile file's
    charge.
    """
    if reader not in _warm and good:
        READERS[reader](Path(good))
        _warm.add(reader)
    ended = in_a_child(_read, reader, path)
    if ended.failed or ended.signal:
        crash = f"ended by signal {ended.signal}" if ended.signal else str(ended.value)
        return Reading(refusal=None, crash=crash, before_mb=0, peak_mb=0, seconds=SECONDS, did=[])
    reading: Reading = ended.value
    return reading


def _read(reader: str, path: str) -> Reading:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    did: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and not (
            event == "open" and str(arguments[0]) == path and arguments[1] in ("r", "rb")
        ):
            did.append(f"{event} {str(arguments)[:80]}")

    before, refusal, crash = resident_bytes() / 1e6, None, None
    sys.addaudithook(watch)
    began = time.perf_counter()
    try:
        READERS[reader](Path(path))
    except DataError as error:
        refusal = str(error)
    except Exception as error:
        crash = f"{type(error).__name__}: {error}"[:200]
    seconds = time.perf_counter() - began
    watching = False
    return Reading(
        refusal=refusal,
        crash=crash,
        before_mb=before,
        peak_mb=peak_bytes() / 1e6,
        seconds=seconds,
        did=did,
    )
