"""Shares of one array for several threads, and arrays to write to."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from normlab.errors import OptionError
from normlab.machine import available_cores
from normlab.typing import Array

CACHE_BYTES = 8 << 20  # larger results would only push out of the caches what is still needed
LINE_BYTES = 64


def threads_for(size: int, threads: int | None, worth: int) -> int:
    """How many threads work on an array of so many numbers, if `worth` of them are worth waking another thread, which
    takes 50 to 100 microseconds. Raises OptionError for an impossible number."""
    if threads is None:
        return _cores() if size >= worth else 1
    if not (isinstance(threads, int) and threads >= 1):
        raise OptionError(f"threads={threads!r} is neither None nor a whole number >= 1")
    return threads


def shared(work: Callable[[int, int], Any], length: int, unit: int, threads: int) -> list[Any]:
    """[work(begin, end), …] over 0 … length, in up to `threads` shares of whole units, one a thread."""
    units = -(-length // unit)
    threads = min(threads, units)
    if threads == 1:
        return [work(0, length)]
    cuts = [min(length, unit * (units * share // threads)) for share in range(threads + 1)]
    others = [_pool().submit(work, cuts[n], cuts[n + 1]) for n in range(1, threads)]
    own = work(cuts[0], cuts[1])
    return [own, *(other.result() for other in others)]


_cores = functools.cache(available_cores)  # looking takes longer than a small kernel


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=max(1, _cores() - 1), thread_name_prefix="normlab-kernel")


def empty_like(x: Array) -> Array:
    """An array for results of x's shape and type, at the start of a cache line."""
    if x.nbytes < CACHE_BYTES:
        return np.empty(x.shape, x.dtype)
    buffer = np.empty(x.nbytes + LINE_BYTES, dtype=np.uint8)
    offset = -buffer.ctypes.data % LINE_BYTES
    return buffer[offset : offset + x.nbytes].view(x.dtype).reshape(x.shape)


def past_caches(out: Array) -> bool:
    """Whether results go past the caches: large ones, whose rows are whole cache lines."""
    row_bytes = out.shape[1] * out.itemsize
    return (
        out.nbytes >= CACHE_BYTES
        and out.ctypes.data % LINE_BYTES == 0
        and row_bytes % LINE_BYTES == 0
    )  # fmt: skip


def fits(x: Any, gamma: Array, beta: Array) -> bool:
    """Whether the kernels take this input: a batch of at least two rows, in the machine's own floats, with parameters
    of one number a feature. The reference takes all others, or says why not."""
    return (
        isinstance(x, np.ndarray)
        and x.ndim == 2
        and x.dtype.char in "fd"
        and x.dtype.isnative
        and x.shape[0] >= 2
        and x.shape[1] >= 1
        and gamma.shape == beta.shape == x.shape[1:]
    )


def plain(parameter: Array, x: Array) -> Array:
    """gamma or beta as compiled code takes it: contiguous, of x's type or else of float64. For what is read once a
    column; what is read with every row is better made float64 beforehand."""
    if parameter.dtype == x.dtype and parameter.flags.c_contiguous:
        return parameter
    return np.ascontiguousarray(parameter, np.float64)


def destination(given: Array | None, x: Array) -> Array:
    """`given`, if it can take results of x's shape and type, or a new array. Raises OptionError."""
    if given is None:
        return empty_like(x)
    if not (
        isinstance(given, np.ndarray)
        and given.shape == x.shape
        and given.dtype == x.dtype
        and given.flags.c_contiguous
        and given.flags.writeable
        and not np.may_share_memory(given, x)
    ):
        raise OptionError(
            f"out must be a writable, contiguous array of x's shape {x.shape} and type {x.dtype} "
            "that shares no memory with the input; leave it out for a new one"
        )
    return given


def by_the_reference(results: tuple[Any, ...], out: Array | None) -> Any:
    """What the reference returned, its first array put where the caller wants it."""
    if out is None:
        return results
    np.copyto(destination(out, results[0]), results[0])
    return (out, *results[1:])
