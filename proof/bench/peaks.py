"""What the machine can do: its arithmetic in float32, and its memory, on all its cores at once.

A child's work (`processes.MEASURES`): BLAS has one thread, and as many Python threads as there are
cores call it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np

from normlab import engines
from normlab.machine import available_cores, one_blas_thread
from normlab.typing import Array

GEMM = 2048
SIZES = tuple(1 << power for power in (20, 22, 24, 26, 28))
"""Bytes of one array, all threads together: from the second cache to far beyond the last."""
MOVED = 1 << 30  # bytes at least, before the clock is read
LINE = 128  # bytes: two cache lines, as many as a turn of a compiled copy


class Peaks:
    """sgemm, copy and triad, in units a second."""

    def __init__(self, threads: int | None = None, quick: bool = False) -> None:
        """`quick` multiplies and moves little: to see that it works, not to be quoted."""
        self.threads = available_cores() if threads is None else threads
        self.edge, self.moved = (GEMM // 8, MOVED >> 6) if quick else (GEMM, MOVED)
        rng = np.random.default_rng(0)
        self.factors = [
            rng.standard_normal((self.edge, self.edge), dtype=np.float32)
            for _ in range(self.threads)
        ]
        self.products = [np.empty_like(factor) for factor in self.factors]

    def sgemm(self, times: int = 5) -> float:
        """Operations a second, each core multiplying its own 2048 × 2048 float32 matrices; the best of some turns."""

        def work(thread: int) -> None:
            np.matmul(self.factors[thread], self.factors[thread], out=self.products[thread])

        with one_blas_thread():
            return self.threads * 2 * self.edge**3 / min(self._seconds(work) for _ in range(times))

    def copy(self, size: int) -> float:
        """Bytes a second, read and written, of the fastest copy of about `size` bytes that is known here.

        NumPy's own, or stores that go past the caches as the norm kernels' do: which one wins
        depends on the size.
        """
        ways: list[Callable[..., None]] = [_plain_copy]
        if engines.COMPILED.why_not() is None:
            from proof.bench.streams import copy_past_caches

            ways.append(copy_past_caches)
        return max(self._bandwidth(way, 2, size) for way in ways)

    def triad(self, size: int) -> float | None:
        """Bytes a second of a = b + s * c in float32 arrays of about `size` bytes; None without Numba."""
        if engines.COMPILED.why_not() is not None:
            return None
        from proof.bench.streams import triad

        return self._bandwidth(
            lambda a, b, c, times: triad(a, b, c, 0.5, times), 3, size, np.float32
        )

    def _bandwidth(
        self, move: Callable[..., None], arrays: int, size: int, dtype: type = np.float64
    ) -> float:
        """Bytes a second of move(*arrays, times), each thread in its own arrays."""
        share = max(LINE, size // self.threads // LINE * LINE)
        own = [[_aligned(share, dtype) for _ in range(arrays)] for _ in range(self.threads)]
        times = max(2, self.moved // (arrays * share * self.threads))
        for mine in own:
            move(*mine, 1)  # compiled, and its pages there
        seconds = self._seconds(lambda thread: move(*own[thread], times))
        return arrays * share * self.threads * times / seconds

    def _seconds(self, work: Callable[[int], None]) -> float:
        """How long all threads take, once all are ready."""
        ready = Barrier(self.threads + 1)

        def started(thread: int) -> None:
            ready.wait()
            work(thread)

        with ThreadPoolExecutor(self.threads) as pool:
            waiting = [pool.submit(started, thread) for thread in range(self.threads)]
            ready.wait()
            began = time.perf_counter()
            for each in waiting:
                each.result()
            return time.perf_counter() - began


def _plain_copy(x: Array, y: Array, times: int) -> None:
    for _ in range(times):
        np.copyto(y, x)


def _aligned(size: int, dtype: type) -> Array:
    """Ones, `size` bytes of them, from the start of a cache line on."""
    buffer = np.empty(size + LINE, dtype=np.uint8)
    offset = -buffer.ctypes.data % LINE
    array: Array = buffer[offset : offset + size].view(dtype)
    array[:] = 1
    return array
