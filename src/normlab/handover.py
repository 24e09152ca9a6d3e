"""An object given to all worker processes, with its arrays in one copy.

The object is pickled with its arrays' memory apart, and all of it is written to an anonymous file
in memory. Workers map that file, so that the arrays they get lie in the same memory, read-only. The
file has no name in any folder and goes with the process that made it, however that ends. Where a
system has no such files, each worker gets a copy.
"""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

ALIGNMENT = 64  # bytes: where an array may begin


class Handle(NamedTuple):
    """Where an object lies."""

    path: str
    number: int  # of the handovers of this process: another one may get the same path
    parts: tuple[
        tuple[int, int], ...
    ]  # first byte and length of the pickle itself, then of each array


_numbers = itertools.count()
_taken: dict[Handle, Any] = {}  # the last object taken, for all tasks it comes with


@contextmanager
def handed_over(value: Any) -> Iterator[Any]:
    """A handle for `value` that can be pickled.

    `taken(handle)` gives the value back, in any process, until this context ends.
    """
    with contextlib.ExitStack() as stack:
        try:
            given = _written(value, stack)
        except OSError:  # no handle or no memory left for it: then as on systems without such files
            given = value
        yield given


def _written(value: Any, stack: contextlib.ExitStack) -> Any:
    if not hasattr(os, "memfd_create"):  # Linux only
        return value
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    descriptor = os.memfd_create("normlab")
    stack.callback(os.close, descriptor)
    parts = []
    with open(descriptor, "wb", closefd=False) as file:
        for part in (memoryview(head), *(buffer.raw() for buffer in buffers)):
            file.seek(-(-file.tell() // ALIGNMENT) * ALIGNMENT)
            parts.append((file.tell(), len(part)))
            file.write(part)
    path = f"/proc/{os.getpid()}/fd/{descriptor}"
    return Handle(path, next(_numbers), tuple(parts)) if os.path.exists(path) else value


def taken(given: Any) -> Any:
    """The object that was handed over; its arrays are read-only where they are shared."""
    if not isinstance(given, Handle):
        return given
    if given not in _taken:
        _taken.clear()
        with open(given.path, "rb") as file:
            memory = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        head, *arrays = (memory[first : first + length] for first, length in given.parts)
        _taken[given] = pickle.loads(head, buffers=arrays)
    return _taken[given]
