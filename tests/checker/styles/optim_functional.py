# ruff: noqa
"""Correct update rules that return a fresh config, or keep their state in other orders and spellings."""

import numpy as np


def sgd(w, dw, config=None):
    config = {"learning_rate": 1e-2, **(config or {})}
    return np.subtract(w, np.multiply(config["learning_rate"], dw)), config


def sgd_momentum(w, dw, config=None):
    config = {"learning_rate": 1e-2, "momentum": 0.9, "velocity": np.zeros(w.shape), **(config or {})}
    config["velocity"] = config["velocity"] * config["momentum"]
    config["velocity"] -= config["learning_rate"] * dw
    return w + config["velocity"], config


def rmsprop(w, dw, config=None):
    config = {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8, "cache": np.zeros(w.shape), **(config or {})}
    rest = 1 - config["decay_rate"]
    config["cache"] = config["cache"] + rest * (np.square(dw) - config["cache"])
    return w - dw * config["learning_rate"] / (config["epsilon"] + config["cache"] ** 0.5), config


def adam(w, dw, config=None):
    start = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8,
             "m": np.zeros(w.shape), "v": np.zeros(w.shape), "t": 0}
    config = {**start, **(config or {})}
    t = config["t"] + 1
    m = np.average([config["m"], dw], axis=0, weights=[config["beta1"], 1 - config["beta1"]])
    v = np.average([config["v"], dw * dw], axis=0, weights=[config["beta2"], 1 - config["beta2"]])
    scale = config["learning_rate"] / (1 - np.power(config["beta1"], t))
    divisor = np.sqrt(v) / np.sqrt(1 - np.power(config["beta2"], t)) + config["epsilon"]
    return w - scale * m / divisor, {**config, "m": m, "v": v, "t": t}
