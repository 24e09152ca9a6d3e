"""Loss and update rules of the compiled engine, a loop each over float32 arrays. Compiled into its callers.

Each names the formula of the book that it mirrors.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from normlab import optim
from normlab.engines.compiling import COMPILED_RULES
from normlab.typing import Array

RULES = {rule: number for number, rule in enumerate(COMPILED_RULES)}
SGD, SGD_MOMENTUM, RMSPROP, ADAM = (RULES[rule] for rule in ("sgd", "sgd_momentum", "rmsprop", "adam"))
BETA1, REST1 = np.float32(optim.ADAM.defaults["beta1"]), np.float32(1 - optim.ADAM.defaults["beta1"])
BETA2, REST2 = np.float32(optim.ADAM.defaults["beta2"]), np.float32(1 - optim.ADAM.defaults["beta2"])
EPSILON = np.float32(optim.ADAM.defaults["epsilon"])
MOMENTUM = np.float32(optim.SGD_MOMENTUM.defaults["momentum"])
DECAY = np.float32(optim.RMSPROP.defaults["decay_rate"])
REST = np.float32(1 - optim.RMSPROP.defaults["decay_rate"])
RMS_EPSILON = np.float32(optim.RMSPROP.defaults["epsilon"])


@njit(error_model="numpy")
def softmax_loss(scores: Array, labels: Array, n: int, classes: int, dscores: Array) -> float:
    """Mean cross-entropy and its gradient: `layers.softmax_loss`."""
    total = 0.0
    p = np.empty(classes)
    for i in range(n):
        largest = np.float64(scores[i, 0])
        for c in range(1, classes):
            if scores[i, c] > largest:
                largest = np.float64(scores[i, c])
        norm = 0.0
        for c in range(classes):
            p[c] = math.exp(scores[i, c] - largest)  # NaN where a score is NaN or the largest infinite
            norm += p[c]
        total -= scores[i, labels[i]] - largest - math.log(norm)
        for c in range(classes):
            share = p[c] / norm
            if c == labels[i]:
                share -= 1.0
            dscores[i, c] = np.float32(share / n)
    return total / n


@njit(error_model="numpy")
def update(
    rule: int, rate: np.float32, correction: np.float32, w: Array, dw: Array, first: Array, second: Array
) -> None:
    """One step of an update rule with its default settings, in place: `optim.sgd`, `sgd_momentum`, `rmsprop`, `adam`.

    rate is the learning rate; for Adam it is learning_rate / (1 - beta1^t), and correction is 1 / sqrt(1 - beta2^t):
    the bias correction folded into two numbers.
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
