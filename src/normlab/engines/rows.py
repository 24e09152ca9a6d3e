"""Layer, group and RMS norm of the compiled engine: sixteen units at a time, a row an example.

Each function names the reference formula that it mirrors. Statistics, and everything between them
and the one rounding of a result, are float64, as in the reference: 29 bits more than the float32
numbers they are taken of, so that a plain two-pass sum is as good here as the reference's. Compiled
into their callers.

Letters: n examples, d units, in `groups` of as many. Example i begins at x0 + i * step, and
likewise in the other arrays. Mean and rstd of a row's groups lie at s0 of `statistics`, all means
first.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from normlab.lanes import COUNT, first, load, multiply_add, positive, spread, store, total
from normlab.typing import Array


@njit(error_model="numpy", _nrt=False)
def standardize_rows(
    x: Array, x0: int, step: int, n: int, d: int, groups: int, centred: bool, eps: float,
    statistics: Array, mean: int, rstd: int,
) -> None:  # fmt: skip
    """Mean and 1/std of each group of each row: `layers.layernorm_forward`, `groupnorm_forward`; not
    `centred`, the mean is 0 and the result that of `rmsnorm_forward`."""
    members = d // groups
    whole, tail = members - members % COUNT, members % COUNT
    for i in range(n):
        for g in range(groups):
            start = x0 + i * step + g * members
            m = 0.0
            if centred:
                sums = load(x, start + whole, tail)
                for j in range(start, start + whole, COUNT):
                    sums = sums + load(x, j)
                m = total(sums) / members
            centre = spread(m)
            c = first(load(x, start + whole, tail) - centre, tail)
            squares = c * c
            for j in range(start, start + whole, COUNT):
                c = load(x, j) - centre
                squares = multiply_add(c, c, squares)
            statistics[mean + i * groups + g] = m
            statistics[rstd + i * groups + g] = 1.0 / math.sqrt(total(squares) / members + eps)


@njit(error_model="numpy", _nrt=False)
def rows_forward(
    x: Array, x0: int, step: int, n: int, d: int, groups: int, statistics: Array, mean: int, rstd: int,
    gamma: Array, beta: Array, out: Array, o0: int, relu: bool,
) -> None:  # fmt: skip
    """gamma * (x - mean) * rstd + beta, statistics a group of a row: layer, group or RMS norm; then
    ReLU, if it comes next."""
    members = d // groups
    for i in range(n):
        row, target = x0 + i * step, o0 + i * step
        for g in range(groups):
            m, r = (
                spread(statistics[mean + i * groups + g]),
                spread(statistics[rstd + i * groups + g]),
            )
            for j in range(g * members, (g + 1) * members, COUNT):
                count = min(COUNT, (g + 1) * members - j)
                xhat = (load(x, row + j, count) - m) * r
                y = multiply_add(load(gamma, j, count), xhat, load(beta, j, count))
                store(out, target + j, positive(y) if relu else y, count)


@njit(error_model="numpy", _nrt=False)
def rows_backward(
    dout: Array, d0: int, x: Array, x0: int, step: int, n: int, d: int, groups: int, centred: bool,
    statistics: Array, mean: int, rstd: int, gamma: Array, dgamma: Array, dbeta: Array, dx: Array,
    o0: int, sums: Array,
) -> None:  # fmt: skip
    """`layers.layernorm_backward`: dx = rstd * (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)), where
    dxhat = gamma * dout; not `centred`, without mean(dxhat), `layers.rmsnorm_backward`.

    `sums` is scratch, float64, two halves of `step` or more.
    """
    members, half = d // groups, sums.size // 2
    for j in range(d):
        sums[j] = 0.0
        sums[half + j] = 0.0
    for i in range(n):
        row, upstream, target = x0 + i * step, d0 + i * step, o0 + i * step
        for g in range(groups):
            m, r = (
                spread(statistics[mean + i * groups + g]),
                spread(statistics[rstd + i * groups + g]),
            )
            begin, end = g * members, (g + 1) * members
            total_dxhat, total_dxhat_xhat = spread(0.0), spread(0.0)
            for j in range(begin, end, COUNT):
                count = min(COUNT, end - j)
                # the lanes beyond the row hold 0 in dxhat, whatever xhat is there
                dxhat = load(gamma, j, count) * load(dout, upstream + j, count)
                total_dxhat = total_dxhat + dxhat
                xhat = (load(x, row + j, count) - m) * r
                total_dxhat_xhat = multiply_add(dxhat, xhat, total_dxhat_xhat)
            level = spread(-total(total_dxhat) / members if centred else 0.0)
            slope = spread(-total(total_dxhat_xhat) / members)
            for j in range(begin, end, COUNT):
                count = min(COUNT, end - j)
                dy, xhat = load(dout, upstream + j, count), (load(x, row + j, count) - m) * r
                store(sums, j, load(sums, j, count) + dy, count)
                with_xhat = multiply_add(dy, xhat, load(sums, half + j, count))
                store(sums, half + j, with_xhat, count)
                inner = multiply_add(load(gamma, j, count), dy, multiply_add(xhat, slope, level))
                store(dx, target + j, inner * r, count)
    for j in range(d):
        dbeta[j] = np.float32(sums[j]) if centred else np.float32(0)  # RMS norm has no beta
        dgamma[j] = np.float32(sums[half + j])
