"""Activations, and the squashings that stand in the place of a norm, in the compiled engine.

Each function names the reference formula that it mirrors. Everything between the float32 numbers
that it reads and those that it writes is float64. Compiled into their callers.

Letters: n examples, d units; example i begins at x0 + i * step, and likewise in the other arrays.
Lanes beyond the last unit work on whatever is there, and what they make of it is never read.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from normlab.engines.compiling import COMPILED_ACTIVATIONS, COMPILED_NORMS
from normlab.engines.functions import erf, exp, logistic, tanh
from normlab.lanes import (
    COUNT,
    Lanes,
    first,
    load,
    multiply_add,
    positive,
    size_of,
    spread,
    store,
    total,
    where_above,
)
from normlab.typing import Array

SIGMOID, TANH = COMPILED_ACTIVATIONS["sigmoid"], COMPILED_ACTIVATIONS["tanh"]
DYT, DERF = COMPILED_NORMS["dyt"], COMPILED_NORMS["derf"]
_ERF_SLOPE = 2 / math.sqrt(math.pi)


@njit(error_model="numpy", _nrt=False)
def activated(y: Lanes, activation: int) -> Lanes:
    """`layers.activations`, forward."""
    if activation == SIGMOID:
        return logistic(y)
    if activation == TANH:
        return tanh(y)
    return positive(y)


@njit(error_model="numpy", _nrt=False)
def activate(
    y: Array, y0: int, step: int, n: int, d: int, activation: int, out: Array, o0: int
) -> None:
    """out = activation(y)."""
    for i in range(n):
        for j in range(0, d, COUNT):
            at = i * step + j
            store(out, o0 + at, activated(load(y, y0 + at), activation))


@njit(error_model="numpy", _nrt=False)
def activation_backward(
    dout: Array, d0: int, y: Array, y0: int, step: int, n: int, d: int, activation: int
) -> None:
    """In place, dy = dout * slope(y): `layers.activations`, backward."""
    zero, one = spread(0.0), spread(1.0)
    for i in range(n):
        for j in range(0, d, COUNT):
            at = i * step + j
            dh, value = load(dout, d0 + at), load(y, y0 + at)
            if activation == SIGMOID:
                e = exp(zero - size_of(value))
                dy = dh * (e / ((one + e) * (one + e)))
            elif activation == TANH:
                t = tanh(value)
                dy = dh * multiply_add(zero - t, t, one)
            else:
                dy = where_above(value, zero, dh, zero)  # chosen: an infinite dh times 0 is NaN
            store(dout, d0 + at, dy)


@njit(error_model="numpy", _nrt=False)
def _squashed(z: Lanes, norm: int) -> Lanes:
    return tanh(z) if norm == DYT else erf(z)


@njit(error_model="numpy", _nrt=False)
def _squash_slope(z: Lanes, t: Lanes, norm: int) -> Lanes:
    """The derivative of the squashing at z, where it is t."""
    zero, one = spread(0.0), spread(1.0)
    if norm == DYT:
        return multiply_add(zero - t, t, one)
    return spread(_ERF_SLOPE) * exp(zero - z * z)


@njit(error_model="numpy", _nrt=False)
def squash_forward(
    x: Array, x0: int, step: int, n: int, d: int, norm: int, alpha: float, s: float, gamma: Array,
    beta: Array, out: Array, o0: int,
) -> None:  # fmt: skip
    """gamma * tanh(alpha * x) + beta, or gamma * erf(alpha * x + s) + beta."""
    for i in range(n):
        for j in range(0, d, COUNT):
            z = multiply_add(spread(alpha), load(x, x0 + i * step + j), spread(s))
            y = multiply_add(load(gamma, j), _squashed(z, norm), load(beta, j))
            store(out, o0 + i * step + j, y)


@njit(error_model="numpy", _nrt=False)
def squash_backward(
    dout: Array, d0: int, x: Array, x0: int, step: int, n: int, d: int, norm: int, alpha: float,
    s: float, gamma: Array, dgamma: Array, dbeta: Array, scalar_grads: Array, a0: int, s0: int,
    dx: Array, o0: int,
) -> None:  # fmt: skip
    """`dyt_backward`, `derf_backward`; dalpha goes to a0 of `scalar_grads`, ds to s0."""
    zero = spread(0.0)
    sums_alpha, sums_s = zero, zero
    for j in range(0, d, COUNT):
        sums_gamma, sums_beta = zero, zero
        for i in range(n):
            dy, value = load(dout, d0 + i * step + j), load(x, x0 + i * step + j)
            z = multiply_add(spread(alpha), value, spread(s))
            t = _squashed(z, norm)
            sums_beta = sums_beta + dy
            sums_gamma = multiply_add(dy, t, sums_gamma)
            slope = _squash_slope(z, t, norm)
            dz = dy * load(gamma, j) * slope
            store(dx, o0 + i * step + j, spread(alpha) * dz)
            # what is squashed flat has no part in dalpha, not even an infinite x
            part = where_above(slope, zero, dz * value, zero)
            sums_alpha = sums_alpha + first(part, d - j)
            sums_s = sums_s + first(dz, d - j)
        store(dgamma, j, sums_gamma)
        store(dbeta, j, sums_beta)
    scalar_grads[a0] = np.float32(total(sums_alpha))
    scalar_grads[s0] = np.float32(total(sums_s)) if norm == DERF else np.float32(0)


@njit(error_model="numpy", _nrt=False)
def squash_of_examples(
    x: Array, examples: int, d: int, bias: Array, norm: int, alpha: float, s: float, gamma: Array,
    beta: Array,
) -> None:  # fmt: skip
    """In place, `squash_forward` of x + b. Here a row is a unit, and its examples are the lanes."""
    for j in range(d):
        a, b = spread(np.float64(gamma[j])), spread(np.float64(beta[j]))
        for e in range(0, examples, COUNT):
            at = j * examples + e
            # rounded to float32 in between, as where the lanes are units
            store(x, at, load(x, at) + spread(np.float64(bias[j])))
            z = multiply_add(spread(alpha), load(x, at), spread(s))
            store(x, at, multiply_add(a, _squashed(z, norm), b))


@njit(error_model="numpy", _nrt=False)
def add(x: Array, x0: int, y: Array, y0: int, step: int, n: int, d: int) -> None:
    """In place, x + y."""
    for i in range(n):
        target, row = x[x0 + i * step : x0 + i * step + d], y[y0 + i * step : y0 + i * step + d]
        for j in range(d):
            target[j] += row[j]
