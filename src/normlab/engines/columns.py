"""Batch norm of the compiled engine: sixteen units side by side, their sums going down the batch.

Each function names the reference formula that it mirrors; everything up to the one rounding of a
result is float64, as in `rows`. Every unit is treated alike, whatever its neighbours. Lanes beyond
the last unit work on whatever is there, and what they make of it is never read. Compiled into their
callers.

Letters: n examples, d units; example i begins at x0 + i * step, and likewise in the other arrays.
Means of the units lie at `mean` in `statistics`, their rstd at `rstd`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from normlab.lanes import COUNT, load, multiply_add, positive, root, spread, store
from normlab.typing import Array


@njit(error_model="numpy", _nrt=False)
def standardize_columns(
    x: Array, x0: int, step: int, n: int, pieces: int, d: int, eps: float, momentum: float,
    statistics: Array, mean: int, rstd: int, running: Array, r0: int, population: int, begun: bool,
) -> None:  # fmt: skip
    """Mean and 1/std of each unit, and its running mean and variance, which lie at r0 and r0 +
    step: `layers.batchnorm_forward`, train mode. A unit whose statistics are not finite keeps the
    running ones that it had.

    Of `pieces` ghost batches, each of n examples has statistics of its own, `step` apart, and the
    running ones follow their mean. For `population`, statistics are the running ones as they were
    before, or the batch's own where training has not `begun`.
    """
    count = spread(np.float64(n))
    keep, rest = momentum, 1 - momentum
    for piece in range(pieces):
        start, place = x0 + piece * n * step, piece * step
        for j in range(0, d, COUNT):
            sums, squares = spread(0.0), spread(0.0)
            for i in range(n):
                sums = sums + load(x, start + i * step + j)
            m = sums / count
            for i in range(n):
                c = load(x, start + i * step + j) - m
                squares = multiply_add(c, c, squares)
            var = squares / count
            store(statistics, mean + place + j, m)
            store(statistics, rstd + place + j, var)
    for j in range(d):
        centre, variance = 0.0, 0.0
        for piece in range(pieces):
            v = statistics[rstd + piece * step + j]
            centre += statistics[mean + piece * step + j]
            variance += v
            statistics[rstd + piece * step + j] = 1.0 / math.sqrt(v + eps)
        centre, variance = centre / pieces, variance / pieces
        finite = math.isfinite(centre) and math.isfinite(variance)
        if population == 1 and begun:
            statistics[mean + j] = running[r0 + j]
            statistics[rstd + j] = 1.0 / math.sqrt(running[r0 + step + j] + eps)
        if finite and population == 1 and not begun:
            running[r0 + j], running[r0 + step + j] = centre, variance
        elif finite:
            running[r0 + j] = keep * running[r0 + j] + rest * centre
            running[r0 + step + j] = keep * running[r0 + step + j] + rest * variance


@njit(error_model="numpy", _nrt=False)
def columns_forward(
    x: Array, x0: int, step: int, n: int, d: int, statistics: Array, mean: int, rstd: int,
    gamma: Array, beta: Array, out: Array, o0: int, relu: bool,
) -> None:  # fmt: skip
    """gamma * (x - mean) * rstd + beta: `layers.batchnorm_forward`; then ReLU, if it comes next."""
    for j in range(0, d, COUNT):
        m, level = load(statistics, mean + j), load(beta, j)
        slope = load(gamma, j) * load(statistics, rstd + j)
        for i in range(n):
            y = multiply_add(load(x, x0 + i * step + j) - m, slope, level)
            store(out, o0 + i * step + j, positive(y) if relu else y)


@njit(error_model="numpy", _nrt=False)
def columns_backward(
    dout: Array, d0: int, x: Array, x0: int, step: int, n: int, d: int, statistics: Array,
    mean: int, rstd: int, gamma: Array, dgamma: Array, dbeta: Array, dx: Array, o0: int,
    frozen: int, more: bool,
) -> None:  # fmt: skip
    """dx = gamma * rstd * (dout - dbeta / n - xhat * dgamma / n): `layers.batchnorm_backward_alt`;
    where statistics are `frozen`, gamma * rstd * dout. `more` adds to the gradients of gamma and
    beta."""
    share = spread(0.0 if frozen == 1 else 1.0 / n)
    for j in range(0, d, COUNT):
        m, r = load(statistics, mean + j), load(statistics, rstd + j)
        sums, sums_xhat = spread(0.0), spread(0.0)
        for i in range(n):
            dy = load(dout, d0 + i * step + j)
            sums = sums + dy
            sums_xhat = multiply_add(dy, load(x, x0 + i * step + j) - m, sums_xhat)
        sums_xhat = sums_xhat * r
        store(dbeta, j, sums + load(dbeta, j) if more else sums)
        store(dgamma, j, sums_xhat + load(dgamma, j) if more else sums_xhat)
        # dx = steep * dout + (x - mean) * slope + level
        steep = load(gamma, j) * r
        slope = spread(0.0) - steep * r * sums_xhat * share
        level = spread(0.0) - steep * sums * share
        for i in range(n):
            inner = multiply_add(steep, load(dout, d0 + i * step + j), level)
            c = load(x, x0 + i * step + j) - m
            store(dx, o0 + i * step + j, multiply_add(c, slope, inner))


@njit(error_model="numpy", _nrt=False)
def columns_of_examples(
    x: Array, examples: int, d: int, bias: Array, running: Array, r0: int, step: int, eps: float,
    gamma: Array, beta: Array, relu: bool,
) -> None:  # fmt: skip
    """In place, gamma * (x + b - mean) / sqrt(var + eps) + beta: `layers.batchnorm_forward`, test
    mode; then ReLU, if it comes next. Here a row is a unit, and its examples are the lanes."""
    for j in range(d):
        slope = gamma[j] / math.sqrt(running[r0 + step + j] + eps)
        a, b = spread(slope), spread(beta[j] + (bias[j] - running[r0 + j]) * slope)
        for e in range(0, examples, COUNT):
            at = j * examples + e
            y = multiply_add(load(x, at), a, b)
            store(x, at, positive(y) if relu else y)


@njit(error_model="numpy", _nrt=False)
def rows_of_examples(
    x: Array, examples: int, d: int, bias: Array, groups: int, centred: bool, eps: float,
    gamma: Array, beta: Array, relu: bool,
) -> None:  # fmt: skip
    """In place, layer, group or RMS norm of each example's x + b; then ReLU, if it comes next. Here
    a row is a unit, and its examples are the lanes."""
    members = d // groups
    size = spread(np.float64(members))
    for g in range(groups):
        begin, end = g * members, (g + 1) * members
        for e in range(0, examples, COUNT):
            sums, squares = spread(0.0), spread(0.0)
            for j in range(begin, end):
                # the sum of two float32 in float64 and stored as float32 is rounded as if once
                at = j * examples + e
                store(x, at, load(x, at) + spread(np.float64(bias[j])))
                sums = sums + load(x, at)
            mean = sums / size if centred else spread(0.0)
            for j in range(begin, end):
                c = load(x, j * examples + e) - mean
                squares = multiply_add(c, c, squares)
            rstd = spread(1.0) / root(squares / size + spread(eps))
            for j in range(begin, end):
                xhat = (load(x, j * examples + e) - mean) * rstd
                a, b = spread(np.float64(gamma[j])), spread(np.float64(beta[j]))
                y = multiply_add(a, xhat, b)
                store(x, j * examples + e, positive(y) if relu else y)
