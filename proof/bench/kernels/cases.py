"""What both sides compute: the grid of cases, their inputs, and what their accuracy is measured against."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from normlab import layers
from normlab.typing import Array

EPS = 1e-5
NORMS = ("batchnorm", "layernorm")
PASSES = ("forward", "backward")
DTYPES = ("float32", "float64")
SHAPES = tuple((n, d) for n in (50, 200, 1000, 4096) for d in (100, 500, 1024, 4096))
BATCHES = 5
ARRAYS = {"forward": 2, "backward": 3}
"""Arrays that a pass cannot but move: x and y; x, dout and dx."""


class Inputs(NamedTuple):
    """What a norm's two passes take: x and dout (N, D), gamma and beta (D,)."""

    x: Array
    dout: Array
    gamma: Array
    beta: Array


def inputs(n: int, d: int, dtype: str, mean: float = 0.0) -> Inputs:
    """Standard normal numbers around `mean`, the same on both sides."""
    rng = np.random.default_rng(0)
    x, dout = (rng.standard_normal((n, d), dtype=np.float32).astype(dtype) for _ in range(2))
    gamma, beta = (rng.standard_normal(d).astype(dtype) for _ in range(2))
    return Inputs(x + np.asarray(mean, dtype), dout, gamma, beta)


def seconds_a_call(call: Callable[[], object], least: float) -> float:
    """The time of a call: the mean of a batch, over the quickest of BATCHES batches that take `least` seconds together.

    The quickest, because what disturbs a batch on a machine with other work is not the kernel, and
    would be laid at the door of whoever waits for two threads. The first call is not counted.
    """
    call()
    calls = 1
    while (spent := _batch(call, calls)) < least / BATCHES:
        calls = min(
            2 * calls, max(calls + 1, int(1.1 * calls * least / BATCHES / max(spent, 1e-7)))
        )
    return min(spent, *(_batch(call, calls) for _ in range(BATCHES - 1))) / calls


def _batch(call: Callable[[], object], calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        call()
    return time.perf_counter() - began


def errors(given: Inputs, norm: str, y: Array, dx: Array) -> tuple[float, float]:
    """The largest errors of y and dx, over the largest of each, against the reference in float64."""
    right_y, right_dx = _by_the_reference(
        Inputs(*(array.astype(np.float64) for array in given)), norm
    )
    return _error(y, right_y), _error(dx, right_dx)


def _by_the_reference(given: Inputs, norm: str) -> tuple[Array, Array]:
    x, dout, gamma, beta = given
    if norm == "batchnorm":
        y, columns = layers.batchnorm_forward(x, gamma, beta, {"mode": "train", "eps": EPS})
        return y, layers.batchnorm_backward_alt(dout, columns)[0]
    y, rows = layers.layernorm_forward(x, gamma, beta, {"eps": EPS})
    return y, layers.layernorm_backward(dout, rows)[0]


def _error(found: Array, right: Array) -> float:
    return float(np.abs(found - right).max() / np.abs(right).max())
