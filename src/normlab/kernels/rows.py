"""Statistics over the features, a row an example: layer norm's passes over memory.

Each pass takes whole rows of row-major arrays laid flat, d numbers each. A row is small enough to
stay in the nearest caches from the first pass over it to the last. Sums are float64, sixteen at a
time, and where the terms themselves are float64, of at most FEW terms at a time, whose rounding
errors are carried along. The gradients of gamma and beta, which are sums over rows, are added
within a chunk of rows, and then over the chunks in their order: rows may be shared out among
threads, chunk by chunk, without a change of a bit.

Forward, rows go by fours: gamma and beta are then read once for all of them, and what one row waits
for (its sums, a root, a division) is hidden behind the others: up to 1.7 times as fast where rows
are short. Backward they go by twos: more rows would need more registers than there are, and where d
is a power of two more lines of one cache set. What is done once a row is compiled into its caller
(`forceinline`): short rows are done in 0.7 to 0.8 of the time.
"""

# ruff: noqa: ARG001  (`sources`: see kernels.sources)
from __future__ import annotations

import math

from numba import njit

from normlab.kernels.sources import KERNELS, kept
from normlab.lanes import (
    COUNT,
    Lanes,
    first,
    load,
    multiply_add,
    spread,
    store,
    stream,
    total,
)
from normlab.typing import Array

FEW = 8
ROWS = 4
CHUNK = 256  # rows of float32
CHUNK_OF_DOUBLES = 64


def chunk(x: Array) -> int:
    """How many rows' gradients are added up before their sum is put aside: a quarter of the batch, if that is less."""
    quarter = -(-len(x) // (4 * ROWS)) * ROWS
    return min(max(quarter, 4 * ROWS), CHUNK if x.itemsize == 4 else CHUNK_OF_DOUBLES)


@kept
def forward(
    x: Array, d: int, begin: int, end: int, eps: float, gamma: Array, beta: Array, statistics: Array,
    out: Array, past_caches: bool, sources: int = KERNELS,
) -> bool:  # fmt: skip
    """Rows begin to end of gamma * (x - mean) / sqrt(var + eps) + beta: `layers.layernorm_forward`.

    gamma and beta are float64. Fills the three rows of `statistics`, (3, rows of x) float64: about,
    shift and rstd, of which the mean is about + shift. Returns whether all is finite.
    """
    finite = True
    tail = d % COUNT
    whole = d - tail
    for i in range(begin, end, ROWS):
        # where fewer are left, the last one again
        i1, i2, i3 = min(i + 1, end - 1), min(i + 2, end - 1), min(i + 3, end - 1)
        r0, r1 = _measured(x, i, d, eps, statistics), _measured(x, i1, d, eps, statistics)
        r2, r3 = _measured(x, i2, d, eps, statistics), _measured(x, i3, d, eps, statistics)
        finite = finite and r0[3] and r1[3] and r2[3] and r3[3]
        for j in range(0, whole, COUNT):
            g, b = load(gamma, j), load(beta, j)
            _normalize(x, i * d + j, COUNT, r0, g, b, out, past_caches)
            _normalize(x, i1 * d + j, COUNT, r1, g, b, out, past_caches)
            _normalize(x, i2 * d + j, COUNT, r2, g, b, out, past_caches)
            _normalize(x, i3 * d + j, COUNT, r3, g, b, out, past_caches)
        if tail:
            g, b = load(gamma, whole, tail), load(beta, whole, tail)
            _normalize(x, i * d + whole, tail, r0, g, b, out, False)
            _normalize(x, i1 * d + whole, tail, r1, g, b, out, False)
            _normalize(x, i2 * d + whole, tail, r2, g, b, out, False)
            _normalize(x, i3 * d + whole, tail, r3, g, b, out, False)
    return finite


@njit(error_model="numpy", forceinline=True)
def _measured(
    x: Array, i: int, d: int, eps: float, statistics: Array
) -> tuple[float, float, float, bool]:
    """Row i's statistics, written down; what `_normalize` takes of them, and whether they are finite."""
    about, shift, var = _moments(x, i * d, d)
    size = math.sqrt(var + eps)
    r = 1.0 / size if size > 0 else 0.0
    statistics[0, i], statistics[1, i], statistics[2, i] = about, shift, r
    centre, left = _centre(x, about, shift)
    return centre, r, -r * left, math.isfinite(about + shift) and math.isfinite(var)


@njit(error_model="numpy", forceinline=True)
def _normalize(
    x: Array, at: int, count: int, row: tuple[float, float, float, bool], gamma: Lanes, beta: Lanes, out: Array,
    past_caches: bool,
) -> None:  # fmt: skip
    """Some lanes of gamma * xhat + beta."""
    centre, r, left, _ = row
    y = multiply_add(_xhat(x, at, count, centre, r, left), gamma, beta)
    if past_caches:
        stream(out, at, y)
    else:
        store(out, at, y, count)


@njit(error_model="numpy", forceinline=True)
def _xhat(x: Array, at: int, count: int, centre: float, r: float, left: float) -> Lanes:
    return multiply_add(load(x, at, count) - spread(centre), spread(r), spread(left))


@njit(error_model="numpy", forceinline=True)
def _centre(x: Array, about: float, shift: float) -> tuple[float, float]:
    """What is subtracted from x, and what that leaves of the mean: one number a row, which is put right later.

    x - about is exact for float64 where the mean is large. Of float32 numbers any float64
    difference is good enough, and what its rounding leaves of the mean still counts where dout is
    nearly constant.
    """
    if x.itemsize == 8:
        return about, shift
    centre = about + shift
    return centre, shift - (centre - about)


@njit(error_model="numpy")
def _moments(x: Array, start: int, d: int) -> tuple[float, float, float]:
    """about, shift and biased variance of d numbers, as in `columns.moments`.

    float32 has so many of float64's bits to spare that any of the numbers will do for a first guess of the mean."""
    about = float(x[start])
    bearable = d * (1 - 2.0**-16)
    if x.itemsize == 8:
        few = min(d, COUNT)
        about += total(first(load(x, start, few) - spread(about), few)) / few
        bearable = d * 0.25
    s, q = _sums(x, start, d, about)
    if s * s > q * bearable:
        about += s / d
        s, q = _sums(x, start, d, about)
    shift = s / d
    return about, shift, max(q / d - shift * shift, 0.0)


@njit(error_model="numpy")
def _sums(x: Array, start: int, d: int, about: float) -> tuple[float, float]:
    """Σ (x - about) and Σ (x - about)² of d numbers."""
    whole, tail = d - d % COUNT, d % COUNT
    centre = spread(about)
    s, q, s_odd, q_odd = spread(0.0), spread(0.0), spread(0.0), spread(0.0)
    sums, squares, lost, squares_lost = spread(0.0), spread(0.0), spread(0.0), spread(0.0)
    terms = 0
    for j in range(0, whole - COUNT, 2 * COUNT):
        c, c_odd = load(x, start + j) - centre, load(x, start + j + COUNT) - centre
        s, s_odd = s + c, s_odd + c_odd
        q, q_odd = multiply_add(c, c, q), multiply_add(c_odd, c_odd, q_odd)
        if x.itemsize == 8:
            terms += 1
            if terms == FEW:
                sums, lost = _carried(sums, lost, s + s_odd)
                squares, squares_lost = _carried(squares, squares_lost, q + q_odd)
                s, q, s_odd, q_odd, terms = spread(0.0), spread(0.0), spread(0.0), spread(0.0), 0
    if whole // COUNT % 2:
        c = load(x, start + whole - COUNT) - centre
        s = s + c
        q = multiply_add(c, c, q)
    if tail:
        c = first(load(x, start + whole, tail) - centre, tail)
        s = s + c
        q = multiply_add(c, c, q)
    if x.itemsize == 4:
        return total(s + s_odd), total(q + q_odd)
    sums, lost = _carried(sums, lost, s + s_odd)
    squares, squares_lost = _carried(squares, squares_lost, q + q_odd)
    return total(sums + lost), total(squares + squares_lost)


@njit(error_model="numpy")
def _carried(sums: Lanes, lost: Lanes, term: Lanes) -> tuple[Lanes, Lanes]:
    """sums + term, and lost with what that addition rounded away (Knuth's two-sum)."""
    after = sums + term
    part = after - sums
    return after, lost + ((sums - (after - part)) + (term - part))


@kept
def backward(
    dout: Array, x: Array, d: int, begin: int, end: int, height: int, statistics: Array, gamma: Array, dx: Array,
    dgamma: Array, dbeta: Array, past_caches: bool, sources: int = KERNELS,
) -> None:  # fmt: skip
    """Rows begin to end of dx = rstd * (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)) with dxhat = gamma * dout, and
    what they add to dgamma and dbeta, float64, a row of whole lanes for each chunk of `height` rows:
    `layers.layernorm_backward`.

    begin is a multiple of height, which is one of ROWS.
    """
    tail = d % COUNT
    whole = d - tail
    for i in range(begin, end, 2):
        # two rows at a time, where there are two: half the traffic to the sums over rows
        other = min(i + 1, end - 1)
        one = _row_constants(dout, x, i, d, statistics, gamma)
        two = _row_constants(dout, x, other, d, statistics, gamma)
        sums = i // height * (whole + COUNT if tail else whole)
        fresh = i % height == 0
        for j in range(0, whole, COUNT):
            g = load(gamma, j)
            b, dg = spread(0.0), spread(0.0)
            if not fresh:
                b, dg = load(dbeta, sums + j), load(dgamma, sums + j)
            dy, xhat = _row_gradient(dout, x, i * d + j, COUNT, one, g, dx, past_caches)
            b, dg = b + dy, multiply_add(dy, xhat, dg)
            if other > i:
                dy, xhat = _row_gradient(dout, x, other * d + j, COUNT, two, g, dx, past_caches)
                b, dg = b + dy, multiply_add(dy, xhat, dg)
            store(dbeta, sums + j, b)
            store(dgamma, sums + j, dg)
        if tail:
            j = whole
            g = load(gamma, j, tail)
            b, dg = spread(0.0), spread(0.0)
            if not fresh:
                b, dg = load(dbeta, sums + j), load(dgamma, sums + j)
            dy, xhat = _row_gradient(dout, x, i * d + j, tail, one, g, dx, False)
            b, dg = b + dy, multiply_add(dy, xhat, dg)
            if other > i:
                dy, xhat = _row_gradient(dout, x, other * d + j, tail, two, g, dx, False)
                b, dg = b + dy, multiply_add(dy, xhat, dg)
            store(dbeta, sums + j, b)
            store(dgamma, sums + j, dg)


@njit(error_model="numpy", forceinline=True)
def _row_constants(
    dout: Array, x: Array, i: int, d: int, statistics: Array, gamma: Array
) -> tuple[float, float, float, float, float]:
    """centre, rstd and left, which make xhat; with it dx = rstd * gamma * dout + xhat * steep + down."""
    r = statistics[2, i]
    centre, left = _centre(x, statistics[0, i], statistics[1, i])
    level, slope = _means(dout, x, i * d, d, centre, gamma)
    slope = (slope - left * level) * r
    return centre, r, -r * left, -r * slope, -r * level


@njit(error_model="numpy", forceinline=True)
def _row_gradient(
    dout: Array, x: Array, at: int, count: int, row: tuple[float, float, float, float, float], gamma: Lanes, dx: Array,
    past_caches: bool,
) -> tuple[Lanes, Lanes]:  # fmt: skip
    """Writes some lanes of dx; returns those of dout and xhat."""
    centre, r, left, steep, down = row
    dy, xhat = load(dout, at, count), _xhat(x, at, count, centre, r, left)
    gradient = multiply_add(gamma * spread(r), dy, multiply_add(xhat, spread(steep), spread(down)))
    if count == COUNT and past_caches:
        stream(dx, at, gradient)
    else:
        store(dx, at, gradient, count)
    return dy, xhat


@njit(error_model="numpy", forceinline=True)
def _means(
    dout: Array, x: Array, start: int, d: int, centre: float, gamma: Array
) -> tuple[float, float]:
    """The means of dxhat and of dxhat * (x - centre) over a row."""
    tail = d % COUNT
    whole = d - tail
    m, s, q = spread(centre), spread(0.0), spread(0.0)
    sums, products, lost, products_lost = spread(0.0), spread(0.0), spread(0.0), spread(0.0)
    terms = 0
    for j in range(0, whole, COUNT):
        dxhat = load(gamma, j) * load(dout, start + j)
        s = s + dxhat
        q = multiply_add(dxhat, load(x, start + j) - m, q)
        if x.itemsize == 8:
            terms += 1
            if terms == FEW:
                sums, lost = _carried(sums, lost, s)
                products, products_lost = _carried(products, products_lost, q)
                s, q, terms = spread(0.0), spread(0.0), 0
    if tail:
        dxhat = load(gamma, whole, tail) * load(dout, start + whole, tail)
        s = s + dxhat
        q = multiply_add(dxhat, load(x, start + whole, tail) - m, q)
    if x.itemsize == 4:
        return total(s) / d, total(q) / d
    sums, lost = _carried(sums, lost, s)
    products, products_lost = _carried(products, products_lost, q)
    return total(sums + lost) / d, total(products + products_lost) / d


@kept
def over_chunks(sums: Array, d: int, result: Array, sources: int = KERNELS) -> None:
    """result[k] = the sum of the rows of sums[k], d numbers each and some to fill the lanes, in their order, rounding
    errors carried along. sums is (2, chunks, width), result (2, d)."""
    chunks, width = sums.shape[1], sums.shape[2]
    for k in range(2):
        rows, out = sums[k].reshape(chunks * width), result[k]
        for j in range(0, d, COUNT):
            count = min(COUNT, d - j)
            s, lost = load(rows, j), spread(0.0)
            for row in range(1, chunks):
                s, lost = _carried(s, lost, load(rows, row * width + j))
            store(out, j, s + lost, count)
