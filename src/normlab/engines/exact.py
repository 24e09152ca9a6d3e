"""One run in float64: the book's own net and Solver, to the bit, with the passes over memory compiled.

In float64 the engine promises the Solver's losses to 1e-9, and rounding alone can break that: with batch norm on
batches of five, a change of the initial weights in their last bit grows to a hundredth of the loss within 200 steps. So
nothing is rounded differently here. Products, norms and losses are the book's; the update rules, whose dozen passes
over every parameter take longest, are one compiled pass each, with the same operations in the same order.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from normlab import optim
from normlab.optim import Config
from normlab.typing import Array


def sgd(w: Array, dw: Array, config: Config) -> tuple[Array, Config]:
    """`optim.sgd`, in place."""
    _sgd_pass(w.reshape(-1), _flat(dw), w.dtype.type(config["learning_rate"]))
    return w, config


def sgd_momentum(w: Array, dw: Array, config: Config) -> tuple[Array, Config]:
    """`optim.sgd_momentum`, in place."""
    number = w.dtype.type
    velocity = _state(config, "velocity", w)
    momentum = number((optim.SGD_MOMENTUM.defaults | config)["momentum"])
    _momentum_pass(w.reshape(-1), _flat(dw), velocity, momentum, number(config["learning_rate"]))
    return w, config


def rmsprop(w: Array, dw: Array, config: Config) -> tuple[Array, Config]:
    """`optim.rmsprop`, in place."""
    number, own = w.dtype.type, optim.RMSPROP.defaults | config
    decay, epsilon = own["decay_rate"], number(own["epsilon"])
    settings = number(config["learning_rate"]), number(decay), number(1 - decay), epsilon
    _rmsprop_pass(w.reshape(-1), _flat(dw), _state(config, "cache", w), settings)
    return w, config


def adagrad(w: Array, dw: Array, config: Config) -> tuple[Array, Config]:
    """`optim.adagrad`, in place."""
    number, own = w.dtype.type, optim.ADAGRAD.defaults | config
    settings = number(config["learning_rate"]), number(own["epsilon"])
    _adagrad_pass(w.reshape(-1), _flat(dw), _state(config, "cache", w), *settings)
    return w, config


def adam(w: Array, dw: Array, config: Config) -> tuple[Array, Config]:
    """`optim.adam`, in place."""
    number, own = w.dtype.type, optim.ADAM.defaults | config
    beta1, beta2 = own["beta1"], own["beta2"]
    t = config["t"] = config.get("t", 0) + 1
    betas = number(beta1), number(1 - beta1), number(beta2), number(1 - beta2)
    settings = number(config["learning_rate"]), number(1 - beta1**t), number(1 - beta2**t), number(own["epsilon"])
    _adam_pass(w.reshape(-1), _flat(dw), _state(config, "m", w), _state(config, "v", w), betas, settings)
    return w, config


UPDATE_RULES = {"sgd": sgd, "sgd_momentum": sgd_momentum, "rmsprop": rmsprop, "adagrad": adagrad, "adam": adam}


def _flat(dw: Array) -> Array:
    return np.ascontiguousarray(dw).reshape(-1)


def _state(config: Config, name: str, w: Array) -> Array:
    """The state of this name, flat; zeros before the first step."""
    return config.setdefault(name, np.zeros(w.size, dtype=w.dtype))


# Each pass has the operations of its rule in `optim`, in their order: every one is rounded as NumPy rounds it.


@njit(error_model="numpy", nogil=True, cache=True)
def _sgd_pass(w, dw, rate):
    for k in range(w.size):
        w[k] = w[k] - rate * dw[k]


@njit(error_model="numpy", nogil=True, cache=True)
def _momentum_pass(w, dw, v, momentum, rate):
    for k in range(w.size):
        v[k] = momentum * v[k] - rate * dw[k]
        w[k] = w[k] + v[k]


@njit(error_model="numpy", nogil=True, cache=True)
def _rmsprop_pass(w, dw, cache, settings):
    rate, decay, rest, epsilon = settings
    for k in range(w.size):
        cache[k] = decay * cache[k] + rest * (dw[k] * dw[k])
        w[k] = w[k] - rate * dw[k] / (np.sqrt(cache[k]) + epsilon)


@njit(error_model="numpy", nogil=True, cache=True)
def _adagrad_pass(w, dw, cache, rate, epsilon):
    for k in range(w.size):
        cache[k] = cache[k] + dw[k] * dw[k]
        w[k] = w[k] - rate * dw[k] / (np.sqrt(cache[k]) + epsilon)


@njit(error_model="numpy", nogil=True, cache=True)
def _adam_pass(w, dw, m, v, betas, settings):
    beta1, rest1, beta2, rest2 = betas
    rate, correction1, correction2, epsilon = settings
    for k in range(w.size):
        m[k] = beta1 * m[k] + rest1 * dw[k]
        v[k] = beta2 * v[k] + rest2 * (dw[k] * dw[k])
        w[k] = w[k] - rate * (m[k] / correction1) / (np.sqrt(v[k] / correction2) + epsilon)
