"""Statistics over the batch, a column a feature: batch norm's passes over memory.

Each pass takes the columns from `begin` to `end` of row-major arrays laid flat, `step` numbers a
row, sixteen columns side by side and a few rows at a time, so that sums stay in registers and
memory is read along its rows. Sums are float64, of a few terms at a time, and the blocks' sums are
added with their rounding errors carried along, wherever those could count: what a sum loses does
not grow with the batch. Every column is treated alike, whatever its neighbours: columns may be
shared out among threads without a change of a bit.
"""

# ruff: noqa: ARG001  (`sources`: see kernels.sources)
from __future__ import annotations

import math

import numpy as np
from numba import njit

from normlab.kernels.sources import KERNELS, kept
from normlab.lanes import (
    COUNT,
    Lanes,
    first,
    inverse_root,
    load,
    multiply_add,
    positive,
    spread,
    store,
    stream,
    total,
)
from normlab.typing import Array

# Rows at a time, as measured: with fewer, reading what belongs to the columns costs more than the
# rows themselves; with more, there are more streams than the processor follows.
ROWS = 8
ROWS_OF_SEVERAL = 4  # arrays, read or written side by side
LONG = 1 << 16  # rows
HUGE = 1e108  # times which a variance is to be finite: below 1e200


@njit(error_model="numpy")
def _carries(x: Array, n: int) -> bool:
    """Whether rounding errors of the blocks' sums are carried; of float32 terms they count only in long batches."""
    return x.itemsize == 8 or n > LONG


@kept
def moments(
    x: Array,
    n: int,
    step: int,
    begin: int,
    end: int,
    eps: float,
    statistics: Array,
    sources: int = KERNELS,
) -> bool:
    """Mean, biased variance and 1 / sqrt(var + eps) of each column: `layers.batchnorm_forward`, train mode.

    The mean is about + shift, kept as two numbers: x - about is exact where the mean is large
    against the spread, and shift is what float64 could not hold beside such a mean. With c = x -
    about, shift = Σc / n and var = Σc² / n - shift², which loses digits only where shift is large
    against the spread. One pass measures about the first rows' mean; where that was not near
    enough, a second about the first one's.

    Fills the rows of `statistics`, (4, columns) float64: about, shift, var and rstd. Returns
    whether all is finite, and no variance huge.
    """
    about, shift, var = statistics[0], statistics[1], statistics[2]
    for j in range(begin, end):
        about[j] = x[j]
    # how much of Σc² may be shift's: float32 has so many of float64's bits to spare that the first
    # row will do; of float64, shift's own rounding is what an outlier's xhat makes of a gradient
    # that should be zero
    bearable = n * (1 - 2.0**-16)
    if x.itemsize == 8:
        few = min(n, max(16, min(256, n // 4)))
        bearable = n / 8
        _sums(x, few, step, begin, end, about, shift, var)
        for j in range(begin, end):
            about[j] += shift[j] / few  # a constant column stays exactly its own mean
    _sums(x, n, step, begin, end, about, shift, var)
    for block in range(begin, end, COUNT):
        last = min(end, block + COUNT)
        again = False
        for j in range(block, last):
            # only its own column's: the others are to get the same sums once more
            if shift[j] * shift[j] > var[j] * bearable:
                again = True
                about[j] += shift[j] / n
        if again:
            _sums(x, n, step, block, last, about, shift, var)
    return _finish(n, begin, end, eps, statistics)


@njit(error_model="numpy")
def _finish(n: int, begin: int, end: int, eps: float, statistics: Array) -> bool:
    """shift, var and rstd of the sums; whether all is finite, and no variance huge."""
    about, shift, var, rstd = statistics[0], statistics[1], statistics[2], statistics[3]
    terms, zero, nothing = spread(float(n)), spread(0.0), spread(0.0)
    for j in range(begin, end, COUNT):
        count = min(COUNT, end - j)
        t = load(shift, j, count) / terms
        v = positive(load(var, j, count) / terms - t * t)
        store(shift, j, t, count)
        store(var, j, v, count)
        store(rstd, j, inverse_root(v + spread(eps)), count)
        # NaN, unless all is finite; gamma / var, which the gradient is made of, may be lost where
        # var is huge
        nothing = nothing + (load(about, j, count) + t) * zero + v * spread(HUGE) * zero
    return total(nothing) == 0


@njit(error_model="numpy")
def _sums(
    x: Array, n: int, step: int, begin: int, end: int, about: Array, sums: Array, squares: Array
) -> None:
    """Σ (x - about) and Σ (x - about)² of each column."""
    lost, squares_lost = np.zeros(end - begin), np.zeros(end - begin)
    careful = _carries(x, n)
    for j in range(begin, end):
        sums[j] = 0.0
        squares[j] = 0.0
    for row in range(0, n, ROWS):
        last = min(n, row + ROWS)
        for j in range(begin, end, COUNT):
            count = min(COUNT, end - j)
            centre, s, q = load(about, j, count), spread(0.0), spread(0.0)
            if count == COUNT:
                for i in range(row, last):
                    d = load(x, i * step + j) - centre
                    s = s + d
                    q = multiply_add(d, d, q)
            else:
                for i in range(row, last):
                    d = load(x, i * step + j, count) - centre
                    s = s + d
                    q = multiply_add(d, d, q)
            _add(sums, lost, j, j - begin, s, count, careful)
            _add(squares, squares_lost, j, j - begin, q, count, careful)
    for j in range(begin, end):
        sums[j] += lost[j - begin]
        squares[j] += squares_lost[j - begin]


@njit(error_model="numpy")
def _add(sums: Array, lost: Array, j: int, k: int, term: Lanes, count: int, careful: bool) -> None:
    """sums[j], … += term, and where one is careful, what the additions rounded away to lost[k], … (Knuth's two-sum)."""
    before = load(sums, j, count)
    after = before + term
    store(sums, j, after, count)
    if careful:
        part = after - before
        error = (before - (after - part)) + (term - part)
        store(lost, k, load(lost, k, count) + error, count)


@njit(error_model="numpy")
def _centre(x: Array, j: int, count: int, about: Array, shift: Array) -> Lanes:
    """What is subtracted from x: of float64 about, which is exact where the mean is large; of float32, any float64."""
    m = load(about, j, count)
    return m if x.itemsize == 8 else m + load(shift, j, count)


@njit(error_model="numpy")
def _left(x: Array, j: int, count: int, about: Array, shift: Array) -> Lanes:
    """The mean less `_centre`: a constant of the column, put right once, and of float32 the rounding of about + shift,
    which counts where the mean is large and dout nearly constant."""
    m, t = load(about, j, count), load(shift, j, count)
    return t if x.itemsize == 8 else t - ((m + t) - m)


@kept
def normalize(
    x: Array, n: int, step: int, begin: int, end: int, statistics: Array, gamma: Array, beta: Array, out: Array,
    relu: bool, past_caches: bool, sources: int = KERNELS,
) -> None:  # fmt: skip
    """out = gamma * (x - mean) * rstd + beta, or with `relu` the positive part of it: `layers.batchnorm_forward` and
    `layers.relu_forward`."""
    about, shift, rstd = statistics[0], statistics[1], statistics[3]
    # out = (x - centre) * slope + level: three numbers a column to read beside x, instead of five
    centre, slope, level = np.empty(end - begin), np.empty(end - begin), np.empty(end - begin)
    for j in range(begin, end, COUNT):
        count = min(COUNT, end - j)
        a = load(gamma, j, count) * load(rstd, j, count)
        store(centre, j - begin, _centre(x, j, count, about, shift), count)
        store(slope, j - begin, a, count)
        store(level, j - begin, load(beta, j, count) - a * _left(x, j, count, about, shift), count)
    blocks = (n + ROWS_OF_SEVERAL - 1) // ROWS_OF_SEVERAL
    # backwards, because the last rows are those still in the cache
    for block in range(blocks - 1, -1, -1):
        row, last = block * ROWS_OF_SEVERAL, min(n, (block + 1) * ROWS_OF_SEVERAL)
        for j in range(begin, end, COUNT):
            count, k = min(COUNT, end - j), j - begin
            m, a, b = load(centre, k, count), load(slope, k, count), load(level, k, count)
            if count < COUNT:
                for i in range(row, last):
                    y = multiply_add(load(x, i * step + j, count) - m, a, b)
                    store(out, i * step + j, positive(y) if relu else y, count)
            else:
                for i in range(row, last):
                    y = multiply_add(load(x, i * step + j) - m, a, b)
                    if relu:
                        y = positive(y)
                    if past_caches:
                        stream(out, i * step + j, y)
                    else:
                        store(out, i * step + j, y)


@kept
def sums_backward(
    dout: Array, x: Array, n: int, step: int, begin: int, end: int, statistics: Array, dgamma: Array, dbeta: Array,
    sources: int = KERNELS,
) -> None:  # fmt: skip
    """dbeta = Σ dout and dgamma = Σ dout * xhat of each column: `layers.batchnorm_backward_alt`."""
    about, shift, rstd = statistics[0], statistics[1], statistics[3]
    lost, lost_too = np.zeros(end - begin), np.zeros(end - begin)
    careful = _carries(x, n)
    for j in range(begin, end):
        dgamma[j] = 0.0
        dbeta[j] = 0.0
    for row in range(0, n, ROWS_OF_SEVERAL):
        last = min(n, row + ROWS_OF_SEVERAL)
        for j in range(begin, end, COUNT):
            count = min(COUNT, end - j)
            m, s, q = _centre(x, j, count, about, shift), spread(0.0), spread(0.0)
            if count == COUNT:
                for i in range(row, last):
                    g = load(dout, i * step + j)
                    s = s + g
                    q = multiply_add(g, load(x, i * step + j) - m, q)
            else:
                for i in range(row, last):
                    g = load(dout, i * step + j, count)
                    s = s + g
                    q = multiply_add(g, load(x, i * step + j, count) - m, q)
            _add(dbeta, lost, j, j - begin, s, count, careful)
            _add(dgamma, lost_too, j, j - begin, q, count, careful)
    for j in range(begin, end):
        dbeta[j] += lost[j - begin]
    for j in range(begin, end, COUNT):
        count = min(COUNT, end - j)
        q = load(dgamma, j, count) + load(lost_too, j - begin, count)
        q = q - _left(x, j, count, about, shift) * load(dbeta, j, count)
        store(dgamma, j, q * load(rstd, j, count), count)


@kept
def gradient(
    dout: Array, x: Array, n: int, step: int, begin: int, end: int, statistics: Array, gamma: Array, dgamma: Array,
    dbeta: Array, fixed: bool, dx: Array, past_caches: bool, sources: int = KERNELS,
) -> None:  # fmt: skip
    """dx = gamma * rstd * (dout - dbeta / n - xhat * dgamma / n): `layers.batchnorm_backward_alt`; with the statistics
    `fixed`, as in test mode, dx = gamma * rstd * dout."""
    about, shift, rstd = statistics[0], statistics[1], statistics[3]
    share = spread(0.0 if fixed else 1.0 / n)
    # dx = steep * dout + (x - centre) * slope + level
    steep, centre = np.empty(end - begin), np.empty(end - begin)
    slope, level = np.empty(end - begin), np.empty(end - begin)
    for j in range(begin, end, COUNT):
        count, k = min(COUNT, end - j), j - begin
        r = load(rstd, j, count)
        a = load(gamma, j, count) * r
        c = spread(0.0) - a * r * load(dgamma, j, count) * share
        store(steep, k, a, count)
        store(centre, k, _centre(x, j, count, about, shift), count)
        store(slope, k, c, count)
        store(
            level,
            k,
            spread(0.0) - a * load(dbeta, j, count) * share - _left(x, j, count, about, shift) * c,
            count,
        )
    blocks = (n + ROWS_OF_SEVERAL - 1) // ROWS_OF_SEVERAL
    for block in range(blocks - 1, -1, -1):
        row, last = block * ROWS_OF_SEVERAL, min(n, (block + 1) * ROWS_OF_SEVERAL)
        for j in range(begin, end, COUNT):
            count, k = min(COUNT, end - j), j - begin
            a, m = load(steep, k, count), load(centre, k, count)
            c, b = load(slope, k, count), load(level, k, count)
            if count < COUNT:
                for i in range(row, last):
                    at = i * step + j
                    inner = multiply_add(a, load(dout, at, count), b)
                    store(
                        dx, at, first(multiply_add(load(x, at, count) - m, c, inner), count), count
                    )
            else:
                for i in range(row, last):
                    at = i * step + j
                    inner = multiply_add(a, load(dout, at), b)
                    if past_caches:
                        stream(dx, at, multiply_add(load(x, at) - m, c, inner))
                    else:
                        store(dx, at, multiply_add(load(x, at) - m, c, inner))


@kept
def follow(
    statistics: Array, begin: int, end: int, momentum: float, running: Array, sources: int = KERNELS
) -> None:  # fmt: skip
    """running, (2, columns): the mean and variance after a batch, momentum * running + (1 - momentum) * batch's.

    A column whose statistics are not finite keeps what it had.
    """
    rest = 1 - momentum
    for j in range(begin, end):
        mean, var = statistics[0, j] + statistics[1, j], statistics[2, j]
        if math.isfinite(mean) and math.isfinite(var):
            running[0, j] = momentum * running[0, j] + rest * mean
            running[1, j] = momentum * running[1, j] + rest * var


# Each pass in one call: between two, threads would wait for each other, to be let into and out of
# compiled code.
@kept
def forward(
    x: Array, n: int, step: int, begin: int, end: int, eps: float, statistics: Array, gamma: Array, beta: Array,
    momentum: float, running: Array, out: Array, past_caches: bool, sources: int = KERNELS,
) -> bool:  # fmt: skip
    """`moments`, `follow` and `normalize`."""
    finite = moments(x, n, step, begin, end, eps, statistics)
    follow(statistics, begin, end, momentum, running)
    normalize(x, n, step, begin, end, statistics, gamma, beta, out, False, past_caches)
    return finite


@kept
def backward(
    dout: Array, x: Array, n: int, step: int, begin: int, end: int, statistics: Array, gamma: Array, dgamma: Array,
    dbeta: Array, fixed: bool, dx: Array, past_caches: bool, sources: int = KERNELS,
) -> None:  # fmt: skip
    """`sums_backward` and `gradient`."""
    sums_backward(dout, x, n, step, begin, end, statistics, dgamma, dbeta)
    gradient(dout, x, n, step, begin, end, statistics, gamma, dgamma, dbeta, fixed, dx, past_caches)
