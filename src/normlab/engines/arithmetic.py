"""Norms of rows, loss and update rules of the fast engine, a loop each over float32 arrays. Compiled into its callers.

Each names the formula of the book that it mirrors. Statistics, and everything between them and the one rounding of a
result, are float64, as in the book: 29 bits more than the numbers they are taken of, so that a plain two-pass sum
is as good here as the book's sums without an order.

Letters: n examples, d units; rows of x may be longer than d.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from normlab.typing import Array

EPS = 1e-5
MOMENTUM = 0.9


# Sums along a row are the one place where the compiler may add in an order of its own choosing, always the same: with
# one sum a lane instead of one in all, layer norm takes a third of the time.
ANY_ORDER = {"reassoc"}


@njit(error_model="numpy", fastmath=ANY_ORDER)
def _row_mean(x: Array) -> float:
    total = 0.0
    for j in range(x.size):
        total += np.float64(x[j])
    return total / x.size


@njit(error_model="numpy", fastmath=ANY_ORDER)
def _row_variance(x: Array, mean: float) -> float:
    total = 0.0
    for j in range(x.size):
        c = np.float64(x[j]) - mean
        total += c * c
    return total / x.size


@njit(error_model="numpy", fastmath=ANY_ORDER)
def _row_means_backward(dout: Array, x: Array, mean: float, rstd: float, gamma: Array) -> tuple[float, float]:
    """The means of dxhat and of dxhat * xhat, with dxhat = gamma * dout."""
    total, total_xhat = 0.0, 0.0
    for j in range(x.size):
        dxhat = np.float64(dout[j]) * gamma[j]
        total += dxhat
        total_xhat += dxhat * ((x[j] - mean) * rstd)
    return total / x.size, total_xhat / x.size


@njit(error_model="numpy")
def standardize_rows(x: Array, n: int, d: int, groups: int, centred: bool, mean: Array, rstd: Array) -> None:
    """Mean and 1/std of each group of each row: `layers.layernorm_forward`, `groupnorm_forward`; not `centred`, the
    mean is 0 and the result that of `rmsnorm_forward`."""
    members = d // groups
    for i in range(n):
        for g in range(groups):
            row = x[i, g * members : (g + 1) * members]
            m = _row_mean(row) if centred else 0.0
            mean[i * groups + g] = m
            rstd[i * groups + g] = 1.0 / math.sqrt(_row_variance(row, m) + EPS)


@njit(error_model="numpy")
def rows_forward(
    x: Array, n: int, d: int, groups: int, mean: Array, rstd: Array, gamma: Array, beta: Array, out: Array
) -> None:
    """relu(gamma * (x - mean) * rstd + beta), statistics a group of a row: layer, group or RMS norm, then ReLU."""
    members = d // groups
    for i in range(n):
        for g in range(groups):
            m, r = mean[i * groups + g], rstd[i * groups + g]
            for j in range(g * members, (g + 1) * members):
                y = np.float32(gamma[j] * ((x[i, j] - m) * r) + beta[j])
                out[i, j] = np.float32(0) if y <= 0 else y


@njit(error_model="numpy")
def rows_backward(
    dout: Array, x: Array, n: int, d: int, groups: int, centred: bool, mean: Array, rstd: Array, gamma: Array,
    dgamma: Array, dbeta: Array, dx: Array, sums: Array,
) -> None:  # fmt: skip
    """`layers.layernorm_backward`: dx = rstd * (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)), dxhat = gamma * dout;
    not `centred`, without mean(dxhat), `layers.rmsnorm_backward`."""
    members = d // groups
    sum_dout, sum_dout_xhat = sums[0], sums[1]
    for j in range(d):
        sum_dout[j] = 0.0
        sum_dout_xhat[j] = 0.0
    for i in range(n):
        for g in range(groups):
            m, r = mean[i * groups + g], rstd[i * groups + g]
            first, last = g * members, (g + 1) * members
            mean_dxhat, mean_dxhat_xhat = _row_means_backward(
                dout[i, first:last], x[i, first:last], m, r, gamma[first:last]
            )
            if not centred:
                mean_dxhat = 0.0
            for j in range(first, last):
                xhat = (x[i, j] - m) * r
                dy = np.float64(dout[i, j])
                sum_dout[j] += dy
                sum_dout_xhat[j] += dy * xhat
                dx[i, j] = np.float32(r * (dy * gamma[j] - mean_dxhat - xhat * mean_dxhat_xhat))
    for j in range(d):
        dbeta[j] = np.float32(sum_dout[j]) if centred else np.float32(0)  # RMS norm has no beta
        dgamma[j] = np.float32(sum_dout_xhat[j])


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
    epsilon = np.float32(1e-8)
    if rule == 0:
        for k in range(w.size):
            w[k] -= rate * dw[k]
    elif rule == 1:
        momentum = np.float32(0.9)
        for k in range(w.size):
            first[k] = momentum * first[k] - rate * dw[k]
            w[k] += first[k]
    elif rule == 2:
        decay, rest = np.float32(0.99), np.float32(1 - 0.99)
        for k in range(w.size):
            second[k] = decay * second[k] + rest * (dw[k] * dw[k])
            w[k] -= rate * dw[k] / (np.sqrt(second[k]) + epsilon)
    else:
        beta1, beta2 = np.float32(0.9), np.float32(0.999)
        rest1, rest2 = np.float32(1 - 0.9), np.float32(1 - 0.999)
        for k in range(w.size):
            g = dw[k]
            m = beta1 * first[k] + rest1 * g
            v = beta2 * second[k] + rest2 * (g * g)
            first[k] = m
            second[k] = v
            w[k] -= rate * m / (np.sqrt(v) * correction + epsilon)
