"""Update rules as one pass each, with the operations of their rule in `optim`, in their order: every
one is rounded as NumPy rounds it, in float32 and in float64. Compiled into their callers."""

from __future__ import annotations

import numpy as np
from numba import njit

from normlab.engines.layout import PASSES, Pass32, Pass64

_SGD, _MOMENTUM, _RMSPROP, _ADAGRAD, _ADAM = (
    PASSES.index(rule) for rule in ("sgd", "sgd_momentum", "rmsprop", "adagrad", "adam")
)


def _update(given):
    w, dw, a, b, settings = given.w, given.dw, given.first, given.second, given.settings
    number = w.dtype.type
    rate = number(settings[0])
    if given.rule == _SGD:
        for k in range(w.size):
            w[k] = w[k] - rate * dw[k]
    elif given.rule == _MOMENTUM:
        momentum = number(settings[1])
        for k in range(w.size):
            a[k] = momentum * a[k] - rate * dw[k]
            w[k] = w[k] + a[k]
    elif given.rule == _RMSPROP:
        decay, rest, epsilon = number(settings[1]), number(settings[2]), number(settings[3])
        for k in range(w.size):
            a[k] = decay * a[k] + rest * (dw[k] * dw[k])
            w[k] = w[k] - rate * dw[k] / (np.sqrt(a[k]) + epsilon)
    elif given.rule == _ADAGRAD:
        epsilon = number(settings[1])
        for k in range(w.size):
            a[k] = a[k] + dw[k] * dw[k]
            w[k] = w[k] - rate * dw[k] / (np.sqrt(a[k]) + epsilon)
    elif given.rule == _ADAM:
        beta1, rest1 = number(settings[1]), number(settings[2])
        beta2, rest2 = number(settings[3]), number(settings[4])
        correction1, correction2 = number(settings[5]), number(settings[6])
        epsilon = number(settings[7])
        for k in range(w.size):
            a[k] = beta1 * a[k] + rest1 * dw[k]
            b[k] = beta2 * b[k] + rest2 * (dw[k] * dw[k])
            w[k] = w[k] - rate * (a[k] / correction1) / (np.sqrt(b[k] / correction2) + epsilon)


update_pass = njit(error_model="numpy", _nrt=False)(_update)


@njit(error_model="numpy", _nrt=False)
def pass_32(given: Pass32) -> None:
    """One pass in float32."""
    update_pass(given)


@njit(error_model="numpy", _nrt=False)
def pass_64(given: Pass64) -> None:
    """One pass in float64."""
    update_pass(given)
