"""Loops over memory and nothing else, compiled: what bandwidth is measured with."""

# ruff: noqa: ARG001  (`sources`: see kernels.sources)
from __future__ import annotations

from numba import njit

from normlab.kernels.sources import KERNELS
from normlab.lanes import COUNT, load, stream
from normlab.typing import Array


@njit(nogil=True, cache=True)
def triad(a: Array, b: Array, c: Array, s: float, times: int) -> None:
    """a = b + s * c, `times` over. Flat arrays of one type."""
    for time in range(times):
        factor = a.dtype.type(s + time)  # another each time, so that no turn can be left out
        for i in range(len(a)):
            a[i] = b[i] + factor * c[i]


@njit(nogil=True, cache=True)
def copy_past_caches(x: Array, y: Array, times: int, sources: int = KERNELS) -> None:
    """y = x, `times` over, in stores that go past the caches: whole cache lines, which y starts and ends with."""
    for _ in range(times):
        for i in range(0, len(x), COUNT):
            stream(y, i, load(x, i))
