"""Layer, group and RMS norm of the compiled engine: sixteen units at a time, a row an example.

Compiled into its callers.

Each function names the formula of the book that it mirrors. Statistics, and everything between them and the one
rounding of a result, are float64, as in the book: 29 bits more than the float32 numbers they are taken of, so that a
plain two-pass sum is as good here as the book's sums without an order.

Letters: n examples, d units, in `groups` of as many; rows of x may be longer than d.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from normlab.kernels.lanes import COUNT, first, load, multiply_add, positive, spread, store, total
from normlab.layers.checks import EPS
from normlab.typing import Array


@njit(error_model="numpy")
def standardize_rows(x: Array, n: int, d: int, groups: int, centred: bool, mean: Array, rstd: Array) -> None:
    """Mean and 1/std of each group of each row: `layers.layernorm_forward`, `groupnorm_forward`; not `centred`, the
    mean is 0 and the result that of `rmsnorm_forward`."""
    members, width, flat = d // groups, x.shape[1], x.reshape(x.size)
    whole, tail = members - members % COUNT, members % COUNT
    for i in range(n):
        for g in range(groups):
            start = i * width + g * members
            m = 0.0
            if centred:
                sums = load(flat, start + whole, tail)
                for j in range(start, start + whole, COUNT):
                    sums = sums + load(flat, j)
                m = total(sums) / members
            centre = spread(m)
            c = first(load(flat, start + whole, tail) - centre, tail)
            squares = c * c
            for j in range(start, start + whole, COUNT):
                c = load(flat, j) - centre
                squares = multiply_add(c, c, squares)
            mean[i * groups + g] = m
            rstd[i * groups + g] = 1.0 / math.sqrt(total(squares) / members + EPS)


@njit(error_model="numpy")
def rows_forward(
    x: Array, n: int, d: int, groups: int, mean: Array, rstd: Array, gamma: Array, beta: Array, out: Array
) -> None:
    """relu(gamma * (x - mean) * rstd + beta), statistics a group of a row: layer, group or RMS norm, then ReLU."""
    members, width, flat, flat_out = d // groups, x.shape[1], x.reshape(x.size), out.reshape(out.size)
    for i in range(n):
        for g in range(groups):
            m, r = spread(mean[i * groups + g]), spread(rstd[i * groups + g])
            for j in range(g * members, (g + 1) * members, COUNT):
                count = min(COUNT, (g + 1) * members - j)
                xhat = (load(flat, i * width + j, count) - m) * r
                y = multiply_add(load(gamma, j, count), xhat, load(beta, j, count))
                store(flat_out, i * width + j, positive(y), count)


@njit(error_model="numpy")
def rows_backward(
    dout: Array, x: Array, n: int, d: int, groups: int, centred: bool, mean: Array, rstd: Array, gamma: Array,
    dgamma: Array, dbeta: Array, dx: Array, sums: Array,
) -> None:  # fmt: skip
    """`layers.layernorm_backward`: dx = rstd * (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)), dxhat = gamma * dout;
    not `centred`, without mean(dxhat), `layers.rmsnorm_backward`. `sums` is scratch, (2, d or more) float64."""
    members, width = d // groups, x.shape[1]
    flat, flat_dout, flat_dx = x.reshape(x.size), dout.reshape(dout.size), dx.reshape(dx.size)
    sum_dout, sum_dout_xhat = sums[0], sums[1]
    for j in range(d):
        sum_dout[j] = 0.0
        sum_dout_xhat[j] = 0.0
    for i in range(n):
        row = i * width
        for g in range(groups):
            m, r = spread(mean[i * groups + g]), spread(rstd[i * groups + g])
            begin, end = g * members, (g + 1) * members
            total_dxhat, total_dxhat_xhat = spread(0.0), spread(0.0)
            for j in range(begin, end, COUNT):
                count = min(COUNT, end - j)
                # the lanes beyond the row hold 0 in dxhat, whatever xhat is there
                dxhat = load(gamma, j, count) * load(flat_dout, row + j, count)
                total_dxhat = total_dxhat + dxhat
                xhat = (load(flat, row + j, count) - m) * r
                total_dxhat_xhat = multiply_add(dxhat, xhat, total_dxhat_xhat)
            level = spread(-total(total_dxhat) / members if centred else 0.0)
            slope = spread(-total(total_dxhat_xhat) / members)
            for j in range(begin, end, COUNT):
                count = min(COUNT, end - j)
                dy, xhat = load(flat_dout, row + j, count), (load(flat, row + j, count) - m) * r
                store(sum_dout, j, load(sum_dout, j, count) + dy, count)
                store(sum_dout_xhat, j, multiply_add(dy, xhat, load(sum_dout_xhat, j, count)), count)
                inner = multiply_add(load(gamma, j, count), dy, multiply_add(xhat, slope, level))
                store(flat_dx, row + j, inner * r, count)
    for j in range(d):
        dbeta[j] = np.float32(sum_dout[j]) if centred else np.float32(0)  # RMS norm has no beta
        dgamma[j] = np.float32(sum_dout_xhat[j])
