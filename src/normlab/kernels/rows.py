"""Statistics over the features, a row an example: layer norm's passes over memory.

Each pass takes whole rows of row-major arrays laid flat, d numbers each. A row is small enough to stay in the nearest
cache from the first pass over it to the last. Sums are float64, sixteen at a time, and where the terms themselves are
float64, of at most FEW terms at a time, whose rounding errors are carried along. The gradients of gamma and beta,
which are sums over rows, are added within a chunk of rows here and over the chunks by the caller: rows may be shared
out among threads, chunk by chunk, without a change of a bit.
"""

# ruff: noqa: ARG001  (`sources`: see kernels.sources)
from __future__ import annotations

import math

from numba import njit

from normlab.kernels.lanes import COUNT, Lanes, first, load, multiply_add, spread, store, stream, total
from normlab.kernels.sources import KERNELS
from normlab.typing import Array

FEW = 8
CHUNK = 256  # rows of float32
CHUNK_OF_DOUBLES = 32


def chunk(x: Array) -> int:
    """How many rows' gradients are added up before their sum is put aside."""
    return CHUNK if x.itemsize == 4 else CHUNK_OF_DOUBLES


@njit(error_model="numpy", nogil=True, cache=True)
def forward(
    x: Array, d: int, begin: int, end: int, eps: float, gamma: Array, beta: Array, statistics: Array,
    out: Array, past_caches: bool, sources: int = KERNELS,
) -> bool:  # fmt: skip
    """Rows begin to end of gamma * (x - mean) / sqrt(var + eps) + beta: `layers.layernorm_forward`.

    gamma and beta are float64. Fills the three rows of `statistics`, (3, rows of x) float64: about, shift and rstd, of
    which the mean is about + shift. Returns whether all is finite.
    """
    about, shift, rstd = statistics[0], statistics[1], statistics[2]
    finite = True
    whole, tail = d - d % COUNT, d % COUNT
    for i in range(begin, end):
        m, t, v = _moments(x, i * d, d)
        size = math.sqrt(v + eps)
        r = 1.0 / size if size > 0 else 0.0
        about[i], shift[i], rstd[i] = m, t, r
        finite = finite and math.isfinite(m + t) and math.isfinite(v)
        centre, rest, scale, left = spread(_centre(x, m, t)), spread(t), spread(r), spread(-r * _left(x, m, t))
        for j in range(0, whole, COUNT):
            xhat = multiply_add(_centred(x, i * d + j, COUNT, centre, rest), scale, left)
            y = multiply_add(xhat, load(gamma, j), load(beta, j))
            if past_caches:
                stream(out, i * d + j, y)
            else:
                store(out, i * d + j, y)
        if tail:
            xhat = multiply_add(_centred(x, i * d + whole, tail, centre, rest), scale, left)
            y = multiply_add(xhat, load(gamma, whole, tail), load(beta, whole, tail))
            store(out, i * d + whole, y, tail)
    return finite


# As in `columns`: what the rounded sum of about and shift leaves of the mean of float32 numbers is one number a row.
@njit(error_model="numpy")
def _centred(x: Array, at: int, count: int, centre: Lanes, shift: Lanes) -> Lanes:
    """x - mean, but for `_left`."""
    c = load(x, at, count) - centre
    return c - shift if x.itemsize == 8 else c


@njit(error_model="numpy")
def _centre(x: Array, about: float, shift: float) -> float:
    """What `_centred` takes for centre."""
    return about if x.itemsize == 8 else about + shift


@njit(error_model="numpy")
def _left(x: Array, about: float, shift: float) -> float:
    """The mean less `_centre`."""
    return 0.0 if x.itemsize == 8 else shift - ((about + shift) - about)


@njit(error_model="numpy")
def _moments(x: Array, start: int, d: int) -> tuple[float, float, float]:
    """about, shift and biased variance of d numbers, as in `columns.moments`."""
    few = min(d, COUNT)
    about = float(x[start])
    about += total(first(load(x, start, few) - spread(about), few)) / few
    s, q = _sums(x, start, d, about)
    if s * s > q * d / 4:
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


@njit(error_model="numpy", nogil=True, cache=True)
def backward(
    dout: Array, x: Array, d: int, begin: int, end: int, statistics: Array, gamma: Array, dx: Array, dgamma: Array,
    dbeta: Array, past_caches: bool, sources: int = KERNELS,
) -> None:  # fmt: skip
    """Rows begin to end of dx = rstd * (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)) with dxhat = gamma * dout, and
    their shares of dgamma and dbeta, flat (chunks * d,) float64, zeros at first: `layers.layernorm_backward`.

    begin is a multiple of the chunk.
    """
    whole, tail = d - d % COUNT, d % COUNT
    height = CHUNK if x.itemsize == 4 else CHUNK_OF_DOUBLES
    i = begin
    while i < end:
        # two rows at a time, where there are two: half the traffic to the sums over rows
        other = min(i + 1, end - 1)
        one = _row_constants(dout, x, i, d, statistics, gamma)
        two = _row_constants(dout, x, other, d, statistics, gamma)
        sums = i // height * d
        for j in range(0, whole, COUNT):
            g = load(gamma, j)
            dy, xhat = _row_gradient(dout, x, i * d + j, COUNT, one, g, dx, past_caches)
            b, dg = load(dbeta, sums + j) + dy, multiply_add(dy, xhat, load(dgamma, sums + j))
            if other > i:
                dy, xhat = _row_gradient(dout, x, other * d + j, COUNT, two, g, dx, past_caches)
                b, dg = b + dy, multiply_add(dy, xhat, dg)
            store(dbeta, sums + j, b)
            store(dgamma, sums + j, dg)
        if tail:
            j = whole
            g = load(gamma, j, tail)
            dy, xhat = _row_gradient(dout, x, i * d + j, tail, one, g, dx, False)
            b, dg = load(dbeta, sums + j, tail) + dy, multiply_add(dy, xhat, load(dgamma, sums + j, tail))
            if other > i:
                dy, xhat = _row_gradient(dout, x, other * d + j, tail, two, g, dx, False)
                b, dg = b + dy, multiply_add(dy, xhat, dg)
            store(dbeta, sums + j, b, tail)
            store(dgamma, sums + j, dg, tail)
        i += 2


@njit(error_model="numpy")
def _row_constants(
    dout: Array, x: Array, i: int, d: int, statistics: Array, gamma: Array
) -> tuple[float, float, float, float, float, float]:
    """centre, shift, left, rstd, and with them dx = rstd * gamma * dout + xhat * steep + down."""
    about, t, r = statistics[0, i], statistics[1, i], statistics[2, i]
    m, left = _centre(x, about, t), _left(x, about, t)
    level, slope = _means(dout, x, i * d, d, m, t, gamma)
    slope = (slope - left * level) * r
    return m, t, -r * left, r, -r * slope, -r * level


@njit(error_model="numpy")
def _row_gradient(
    dout: Array, x: Array, at: int, count: int, constants: tuple[float, float, float, float, float, float],
    gamma: Lanes, dx: Array, past_caches: bool,
) -> tuple[Lanes, Lanes]:  # fmt: skip
    """Writes some lanes of dx; returns those of dout and xhat."""
    m, t, left, r, steep, down = constants
    dy, xhat = (
        load(dout, at, count),
        multiply_add(_centred(x, at, count, spread(m), spread(t)), spread(r), spread(left)),
    )
    gradient = multiply_add(gamma * spread(r), dy, multiply_add(xhat, spread(steep), spread(down)))
    if count == COUNT and past_caches:
        stream(dx, at, gradient)
    else:
        store(dx, at, gradient, count)
    return dy, xhat


@njit(error_model="numpy")
def _means(dout: Array, x: Array, start: int, d: int, centre: float, shift: float, gamma: Array) -> tuple[float, float]:
    """The means of dxhat and of dxhat * (x - centre - shift) over a row."""
    whole, tail = d - d % COUNT, d % COUNT
    m, t, s, q = spread(centre), spread(shift), spread(0.0), spread(0.0)
    sums, products, lost, products_lost = spread(0.0), spread(0.0), spread(0.0), spread(0.0)
    terms = 0
    for j in range(0, whole, COUNT):
        dxhat = load(gamma, j) * load(dout, start + j)
        s = s + dxhat
        q = multiply_add(dxhat, _centred(x, start + j, COUNT, m, t), q)
        if x.itemsize == 8:
            terms += 1
            if terms == FEW:
                sums, lost = _carried(sums, lost, s)
                products, products_lost = _carried(products, products_lost, q)
                s, q, terms = spread(0.0), spread(0.0), 0
    if tail:
        dxhat = load(gamma, whole, tail) * load(dout, start + whole, tail)
        s = s + dxhat
        q = multiply_add(dxhat, _centred(x, start + whole, tail, m, t), q)
    if x.itemsize == 4:
        return total(s) / d, total(q) / d
    sums, lost = _carried(sums, lost, s)
    products, products_lost = _carried(products, products_lost, q)
    return total(sums + lost) / d, total(products + products_lost) / d
