# ruff: noqa
"""Correct update rules in the course's later form: eps before the bias correction, one step size."""

import numpy as np


def sgd(w, dw, config=None):
    if config is None:
        config = {}
    return w - config.setdefault("learning_rate", 0.01) * dw, config


def sgd_momentum(w, dw, config=None):
    config = dict(config or {})
    lr, mu = config.setdefault("learning_rate", 0.01), config.setdefault("momentum", 0.9)
    velocity = mu * config.get("velocity", 0 * w) - lr * dw
    config["velocity"] = velocity
    return w + velocity, config


def rmsprop(w, dw, config=None):
    config = dict(config or {})
    lr, rho = config.setdefault("learning_rate", 0.01), config.setdefault("decay_rate", 0.99)
    eps = config.setdefault("epsilon", 1e-8)
    old = config.get("cache", np.zeros(w.shape))
    config["cache"] = old + (1 - rho) * (dw**2 - old)
    return w - lr / (eps + config["cache"] ** 0.5) * dw, config


def adam(w, dw, config=None):
    config = {} if config is None else config
    lr, b1 = config.setdefault("learning_rate", 1e-3), config.setdefault("beta1", 0.9)
    b2, eps = config.setdefault("beta2", 0.999), config.setdefault("epsilon", 1e-8)
    config["t"] = config.get("t", 0) + 1
    config["m"] = b1 * config.get("m", np.zeros_like(w)) + (1.0 - b1) * dw
    config["v"] = b2 * config.get("v", np.zeros_like(w)) + (1.0 - b2) * np.square(dw)
    step = lr * np.sqrt(1 - b2 ** config["t"]) / (1 - b1 ** config["t"])
    return w - step * config["m"] / (np.sqrt(config["v"]) + eps), config
