"""Statistics over the batch, a column a feature: batch norm's passes over memory.

Each pass takes the columns from `begin` to `end` of row-major arrays laid flat, `step` numbers a row, sixteen columns
side by side and a few rows at a time, so that sums stay in registers and memory is read along its rows. Sums are
float64, of ROWS terms at a time, and the blocks' sums are added with their rounding errors carried along, wherever
those could count: what a sum loses does not grow with the batch. Every column is treated alike, whatever its
neighbours: columns may be shared out among threads without a change of a bit.
"""

# ruff: noqa: ARG001  (`sources`: see kernels.sources)
from __future__ import annotations

import math

import numpy as np
from numba import njit

from normlab.kernels.lanes import COUNT, Lanes, first, load, multiply_add, positive, spread, store, stream
from normlab.kernels.sources import KERNELS
from normlab.typing import Array

ROWS = 4  # at a time: more streams than the processor follows, or lines of one cache set, would cost twice the time
LONG = 1 << 16  # rows


@njit(error_model="numpy")
def _carries(x: Array, n: int) -> bool:
    """Whether rounding errors of the blocks' sums are carried; of float32 terms they count only in long batches."""
    return x.itemsize == 8 or n > LONG


@njit(error_model="numpy", nogil=True, cache=True)
def moments(
    x: Array, n: int, step: int, begin: int, end: int, eps: float, statistics: Array, sources: int = KERNELS
) -> bool:
    """Mean, biased variance and 1 / sqrt(var + eps) of each column: `layers.batchnorm_forward`, train mode.

    The mean is about + shift, kept as two numbers: x - about is exact where the mean is large against the spread, and
    shift is what float64 could not hold beside such a mean. With c = x - about, shift = Σc / n and
    var = Σc² / n - shift², which loses digits only where shift is large against the spread. One pass measures about the
    first rows' mean; where that was not near enough, a second about the first one's.

    Fills the rows of `statistics`, (4, columns) float64: about, shift, var and rstd. Returns whether all is finite.
    """
    about, shift, var, rstd = statistics[0], statistics[1], statistics[2], statistics[3]
    for j in range(begin, end):
        about[j] = x[j]
    few = min(n, max(8, min(64, n // 16)))
    # how much of Σc² may be shift's: float32 has sixteen of float64's bits to spare, float64 one
    bearable = n * (1 - 2.0**-16 if x.itemsize == 4 else 0.5)
    _sums(x, few, step, begin, end, about, shift, var)
    for j in range(begin, end):
        about[j] += shift[j] / few  # a constant column stays exactly its own mean
    _sums(x, n, step, begin, end, about, shift, var)
    finite = True
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
        for j in range(block, last):
            shift[j] /= n
            var[j] = max(var[j] / n - shift[j] * shift[j], 0.0)
            d = math.sqrt(var[j] + eps)
            rstd[j] = 1.0 / d if d > 0 else 0.0
            finite = finite and math.isfinite(about[j] + shift[j]) and math.isfinite(var[j])
    return finite


@njit(error_model="numpy")
def _sums(x: Array, n: int, step: int, begin: int, end: int, about: Array, total: Array, squares: Array) -> None:
    """Σ (x - about) and Σ (x - about)² of each column."""
    lost, squares_lost = np.zeros(end - begin), np.zeros(end - begin)
    careful = _carries(x, n)
    for j in range(begin, end):
        total[j] = 0.0
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
            if careful:
                _carry(total, lost, j, j - begin, s, count)
                _carry(squares, squares_lost, j, j - begin, q, count)
            else:
                store(total, j, load(total, j, count) + s, count)
                store(squares, j, load(squares, j, count) + q, count)
    for j in range(begin, end):
        total[j] += lost[j - begin]
        squares[j] += squares_lost[j - begin]


@njit(error_model="numpy")
def _carry(total: Array, lost: Array, j: int, k: int, term: Array, count: int) -> None:
    """total[j], … += term, and what the additions rounded away to lost[k], … (Knuth's two-sum)."""
    before = load(total, j, count)
    after = before + term
    part = after - before
    error = (before - (after - part)) + (term - part)
    store(total, j, after, count)
    store(lost, k, load(lost, k, count) + error, count)


# The mean is about + shift. Of a float64 x they are subtracted one after the other. Of a float32 x it is enough to
# subtract their rounded sum, in one step, and to put right by `_left` what that rounding left of the mean: a constant
# of the column, which matters where the mean is large and dout nearly constant.
@njit(error_model="numpy")
def _centred(x: Array, at: int, count: int, centre: Lanes, shift: Lanes) -> Lanes:
    """x - mean, but for `_left`."""
    c = load(x, at, count) - centre
    return c - shift if x.itemsize == 8 else c


@njit(error_model="numpy")
def _centre(x: Array, j: int, count: int, about: Array, shift: Array) -> Lanes:
    """What `_centred` takes for centre."""
    m = load(about, j, count)
    return m if x.itemsize == 8 else m + load(shift, j, count)


@njit(error_model="numpy")
def _left(x: Array, j: int, count: int, about: Array, shift: Array) -> Lanes:
    """The mean less `_centre`."""
    m, t = load(about, j, count), load(shift, j, count)
    return spread(0.0) if x.itemsize == 8 else t - ((m + t) - m)


@njit(error_model="numpy", nogil=True, cache=True)
def normalize(
    x: Array, n: int, step: int, begin: int, end: int, statistics: Array, gamma: Array, beta: Array, out: Array,
    relu: bool, past_caches: bool, sources: int = KERNELS,
) -> None:  # fmt: skip
    """out = gamma * (x - mean) * rstd + beta, or with `relu` the positive part of it: `layers.batchnorm_forward` and
    `layers.relu_forward`."""
    about, shift, rstd = statistics[0], statistics[1], statistics[3]
    blocks = (n + ROWS - 1) // ROWS
    # backwards, because the last rows are those still in the cache
    for block in range(blocks - 1, -1, -1):
        row, last = block * ROWS, min(n, (block + 1) * ROWS)
        for j in range(begin, end, COUNT):
            count = min(COUNT, end - j)
            m, t = _centre(x, j, count, about, shift), load(shift, j, count)
            a = load(gamma, j, count) * load(rstd, j, count)
            b = load(beta, j, count) - a * _left(x, j, count, about, shift)
            if count < COUNT:
                for i in range(row, last):
                    y = multiply_add(_centred(x, i * step + j, count, m, t), a, b)
                    store(out, i * step + j, positive(y) if relu else y, count)
            else:
                for i in range(row, last):
                    y = multiply_add(_centred(x, i * step + j, COUNT, m, t), a, b)
                    if relu:
                        y = positive(y)
                    if past_caches:
                        stream(out, i * step + j, y)
                    else:
                        store(out, i * step + j, y)


@njit(error_model="numpy", nogil=True, cache=True)
def sums_backward(
    dout: Array,
    x: Array,
    n: int,
    step: int,
    begin: int,
    end: int,
    statistics: Array,
    dgamma: Array,
    dbeta: Array,
    sources: int = KERNELS,
) -> None:
    """dbeta = Σ dout and dgamma = Σ dout * xhat of each column: `layers.batchnorm_backward_alt`."""
    about, shift, rstd = statistics[0], statistics[1], statistics[3]
    lost, lost_too = np.zeros(end - begin), np.zeros(end - begin)
    careful = _carries(x, n)
    for j in range(begin, end):
        dgamma[j] = 0.0
        dbeta[j] = 0.0
    for row in range(0, n, ROWS):
        last = min(n, row + ROWS)
        for j in range(begin, end, COUNT):
            count = min(COUNT, end - j)
            m, t = _centre(x, j, count, about, shift), load(shift, j, count)
            s, q = spread(0.0), spread(0.0)
            if count == COUNT:
                for i in range(row, last):
                    g = load(dout, i * step + j)
                    s = s + g
                    q = multiply_add(g, _centred(x, i * step + j, COUNT, m, t), q)
            else:
                for i in range(row, last):
                    g = load(dout, i * step + j, count)
                    s = s + g
                    q = multiply_add(g, _centred(x, i * step + j, count, m, t), q)
            if careful:
                _carry(dbeta, lost, j, j - begin, s, count)
                _carry(dgamma, lost_too, j, j - begin, q, count)
            else:
                store(dbeta, j, load(dbeta, j, count) + s, count)
                store(dgamma, j, load(dgamma, j, count) + q, count)
    for j in range(begin, end):
        dbeta[j] += lost[j - begin]
    for j in range(begin, end, COUNT):
        count = min(COUNT, end - j)
        q = load(dgamma, j, count) + load(lost_too, j - begin, count)
        q = q - _left(x, j, count, about, shift) * load(dbeta, j, count)
        store(dgamma, j, q * load(rstd, j, count), count)


@njit(error_model="numpy", nogil=True, cache=True)
def gradient(
    dout: Array, x: Array, n: int, step: int, begin: int, end: int, statistics: Array, gamma: Array, dgamma: Array,
    dbeta: Array, fixed: bool, dx: Array, past_caches: bool, sources: int = KERNELS,
) -> None:  # fmt: skip
    """dx = gamma * rstd * (dout - dbeta / n - xhat * dgamma / n): `layers.batchnorm_backward_alt`; with the statistics
    `fixed`, as in test mode, dx = gamma * rstd * dout."""
    about, shift, rstd = statistics[0], statistics[1], statistics[3]
    share = 0.0 if fixed else 1.0 / n
    blocks = (n + ROWS - 1) // ROWS
    for block in range(blocks - 1, -1, -1):
        row, last = block * ROWS, min(n, (block + 1) * ROWS)
        for j in range(begin, end, COUNT):
            count = min(COUNT, end - j)
            m, t, r = _centre(x, j, count, about, shift), load(shift, j, count), load(rstd, j, count)
            a = load(gamma, j, count) * r
            # dx = a * dout - (x - m) * slope - level
            slope = a * r * load(dgamma, j, count) * spread(share)
            level = a * load(dbeta, j, count) * spread(share) - _left(x, j, count, about, shift) * slope
            if count < COUNT:
                for i in range(row, last):
                    c = _centred(x, i * step + j, count, m, t)
                    g = multiply_add(a, load(dout, i * step + j, count), spread(0.0) - level)
                    store(dx, i * step + j, first(multiply_add(c, spread(0.0) - slope, g), count), count)
            else:
                for i in range(row, last):
                    c = _centred(x, i * step + j, COUNT, m, t)
                    g = multiply_add(a, load(dout, i * step + j), spread(0.0) - level)
                    if past_caches:
                        stream(dx, i * step + j, multiply_add(c, spread(0.0) - slope, g))
                    else:
                        store(dx, i * step + j, multiply_add(c, spread(0.0) - slope, g))


@njit(error_model="numpy", nogil=True, cache=True)
def follow(statistics: Array, momentum: float, running: Array, sources: int = KERNELS) -> None:
    """running, (2, columns): the mean and variance after a batch, momentum * running + (1 - momentum) * batch's.

    A column whose statistics are not finite keeps what it had.
    """
    rest = 1 - momentum
    for j in range(running.shape[1]):
        mean, var = statistics[0, j] + statistics[1, j], statistics[2, j]
        if math.isfinite(mean) and math.isfinite(var):
            running[0, j] = momentum * running[0, j] + rest * mean
            running[1, j] = momentum * running[1, j] + rest * var
