"""Loss and update rules of the compiled engine. Compiled into their callers.

Each names the reference formula that it mirrors.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from normlab import optim
from normlab.engines.functions import exp, log
from normlab.engines.layout import RULES
from normlab.lanes import COUNT, first, load, multiply_add, spread, store, total
from normlab.typing import Array

SGD, SGD_MOMENTUM, RMSPROP, ADAM = (
    RULES[rule] for rule in ("sgd", "sgd_momentum", "rmsprop", "adam")
)
BETA1, REST1 = (
    np.float32(optim.ADAM.defaults["beta1"]),
    np.float32(1 - optim.ADAM.defaults["beta1"]),
)
BETA2, REST2 = (
    np.float32(optim.ADAM.defaults["beta2"]),
    np.float32(1 - optim.ADAM.defaults["beta2"]),
)
EPSILON = np.float32(optim.ADAM.defaults["epsilon"])
MOMENTUM = np.float32(optim.SGD_MOMENTUM.defaults["momentum"])
DECAY = np.float32(optim.RMSPROP.defaults["decay_rate"])
REST = np.float32(1 - optim.RMSPROP.defaults["decay_rate"])
RMS_EPSILON = np.float32(optim.RMSPROP.defaults["epsilon"])


@njit(error_model="numpy", _nrt=False)
def softmax_loss(
    scores: Array, s0: int, step: int, labels: Array, n: int, classes: int, dscores: Array, d0: int,
    norms: Array,
) -> float:  # fmt: skip
    """Mean cross-entropy and its gradient: `layers.softmax_loss`.

    Rows of scores begin at s0 + i * step, those of their gradient at d0 + i * step. `norms` is
    scratch, a number a row and COUNT more.
    """
    loss = 0.0
    for i in range(n):
        row, out = s0 + i * step, d0 + i * step
        largest = scores[row]
        for c in range(1, classes):
            if scores[row + c] > largest:
                largest = scores[row + c]
        loss -= np.float64(scores[row + labels[i]]) - np.float64(largest)
        sums = spread(0.0)
        for c in range(0, classes, COUNT):
            # NaN where a score is NaN or the largest infinite
            shifted = load(scores, row + c) - spread(np.float64(largest))
            sums = sums + first(exp(shifted), classes - c)
        norm = total(sums)
        for c in range(0, classes, COUNT):
            shifted = load(scores, row + c) - spread(np.float64(largest))
            share = first(exp(shifted), classes - c) / spread(norm)
            store(dscores, out + c, share / spread(np.float64(n)))
        c = labels[i]
        shifted = spread(np.float64(scores[row + c])) - spread(np.float64(largest))
        share = (exp(shifted) / spread(norm) - spread(1.0)) / spread(np.float64(n))
        store(dscores, out + c, share, 1)
        norms[i] = norm
    for i in range(0, n, COUNT):
        store(norms, i, log(load(norms, i)))
    for i in range(n):
        loss += norms[i]
    return loss / n


@njit(error_model="numpy", _nrt=False)
def power(base: float, exponent: int) -> float:
    """base to a whole power, by squaring: the same bits everywhere."""
    value = 1.0
    while exponent > 0:
        if exponent % 2 == 1:
            value *= base
        base *= base
        exponent //= 2
    return value


@njit(error_model="numpy", _nrt=False)
def squared_sum(w: Array) -> float:
    """Σ w², sixteen sums side by side."""
    sums, whole = spread(0.0), w.size - w.size % COUNT
    for k in range(0, whole, COUNT):
        sums = multiply_add(load(w, k), load(w, k), sums)
    if whole < w.size:
        rest = load(w, whole, w.size - whole)
        sums = multiply_add(rest, rest, sums)
    return total(sums)


@njit(error_model="numpy", _nrt=False)
def update(
    rule: int,
    rate: np.float32,
    correction: np.float32,
    w: Array,
    dw: Array,
    first: Array,
    second: Array,
) -> None:
    """One step of an update rule with its default settings, in place: `optim.sgd`, `sgd_momentum`,
    `rmsprop`, `adam`.

    rate is the learning rate; for Adam it is learning_rate / (1 - beta1^t), and correction is
    1 / sqrt(1 - beta2^t): the bias correction folded into two numbers.
    """
    if rule == SGD:
        for k in range(w.size):
            w[k] -= rate * dw[k]
    elif rule == SGD_MOMENTUM:
        for k in range(w.size):
            first[k] = MOMENTUM * first[k] - rate * dw[k]
            w[k] += first[k]
    elif rule == RMSPROP:
        for k in range(w.size):
            second[k] = DECAY * second[k] + REST * (dw[k] * dw[k])
            w[k] -= rate * dw[k] / (np.sqrt(second[k]) + RMS_EPSILON)
    else:
        for k in range(w.size):
            g = dw[k]
            m = BETA1 * first[k] + REST1 * g
            v = BETA2 * second[k] + REST2 * (g * g)
            first[k] = m
            second[k] = v
            w[k] -= rate * m / (np.sqrt(v) * correction + EPSILON)
