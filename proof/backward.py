"""How much faster the simplified backward pass of batch norm is than the staged one.

    python -m proof.backward

Prints, for some shapes and types, the median time of each over alternating rounds, and the median
of their ratios.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from normlab.layers import batchnorm_backward, batchnorm_backward_alt, batchnorm_forward

ROUNDS = 15
SECONDS_A_ROUND = 0.03


def seconds_a_call(call: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls


def main() -> None:
    print(f"{'shape':>12} {'type':>8} {'staged µs':>10} {'simplified µs':>14} {'ratio':>6}")
    for N, D in [(50, 100), (100, 500), (1000, 1000)]:
        for dtype in (np.float32, np.float64):
            rng = np.random.RandomState(0)
            x, dout = rng.randn(N, D).astype(dtype), rng.randn(N, D).astype(dtype)
            _, cache = batchnorm_forward(
                x, np.ones(D, dtype), np.zeros(D, dtype), {"mode": "train"}
            )
            passes = [
                lambda c=cache, d=dout: batchnorm_backward(d, c),
                lambda c=cache, d=dout: batchnorm_backward_alt(d, c),
            ]
            calls = max(1, int(SECONDS_A_ROUND / seconds_a_call(passes[0], 2)))
            rounds = [[seconds_a_call(one, calls) for one in passes] for _ in range(ROUNDS)]
            staged, simplified = (
                statistics.median(times) * 1e6 for times in zip(*rounds, strict=True)
            )
            ratio = statistics.median(a / b for a, b in rounds)
            print(
                f"{f'{N}×{D}':>12} {np.dtype(dtype).name:>8} {staged:10.0f} {simplified:14.0f} "
                f"{ratio:6.2f}"
            )


if __name__ == "__main__":
    main()
