"""The assignment's update rules, and Adagrad: `(w, dw, config) -> (next_w, config)`.

A rule keeps its state in `config`, a dictionary it fills with its defaults and updates; w and dw
themselves are never written to. Shapes: w, dw and every state array are alike, whatever the shape,
so a stack of nets is updated as one. Below each rule stands its record, with its defaults;
`UPDATE_RULES` has them by name. A rule in a file of its own is found as well, once its record is
imported above.
"""

from __future__ import annotations

import numpy as np

from normlab.arguments import explained
from normlab.typing import Array
from normlab.update_rule import Config, UpdateRule, ready

__all__ = [
    "UPDATE_RULES",
    "Config",
    "UpdateRule",
    "adagrad",
    "adam",
    "rmsprop",
    "sgd",
    "sgd_momentum",
]


@explained
def sgd(w: Array, dw: Array, config: Config | None = None) -> tuple[Array, Config]:
    """Stochastic gradient descent: w - learning_rate * dw. Default: learning_rate 1e-2.

    Robbins and Monro, "A Stochastic Approximation Method", 1951.

    >>> print(sgd(np.array([1.0]), np.array([2.0]), {"learning_rate": 0.1})[0])
    [0.8]
    """
    config = ready(w, dw, config, SGD)
    return w - config["learning_rate"] * dw, config


SGD = UpdateRule("sgd", "SGD", sgd, {"learning_rate": 1e-2})


@explained
def sgd_momentum(w: Array, dw: Array, config: Config | None = None) -> tuple[Array, Config]:
    """SGD with momentum: v = momentum * v - learning_rate * dw; w + v.

    Defaults: learning_rate 1e-2, momentum 0.9, velocity 0. Sutskever et al., "On the importance of
    initialization and momentum in deep learning", ICML 2013, equations 1 and 2.

    >>> config = {"learning_rate": 0.1, "velocity": np.array([0.5])}
    >>> w, config = sgd_momentum(np.array([1.0]), np.array([2.0]), config)
    >>> print(w, config["velocity"])
    [1.25] [0.25]
    """
    config = ready(w, dw, config, SGD_MOMENTUM)
    v = config.get("velocity", 0.0)
    v = config["momentum"] * v - config["learning_rate"] * dw
    config["velocity"] = v
    return w + v, config


SGD_MOMENTUM = UpdateRule(
    "sgd_momentum",
    "SGD with momentum",
    sgd_momentum,
    {"learning_rate": 1e-2, "momentum": 0.9},
    ("velocity",),
)


@explained
def rmsprop(w: Array, dw: Array, config: Config | None = None) -> tuple[Array, Config]:
    """RMSProp: cache = decay_rate * cache + (1 - decay_rate) * dw²,

        w - learning_rate * dw / (sqrt(cache) + epsilon)

    Defaults: learning_rate 1e-2, decay_rate 0.99, epsilon 1e-8, cache 0. Tieleman and Hinton,
    "Lecture 6.5: rmsprop", Neural Networks for Machine Learning, 2012.

    >>> config = {"learning_rate": 0.1, "decay_rate": 0.75}
    >>> w, config = rmsprop(np.array([1.0]), np.array([2.0]), config)
    >>> print(np.round(w, 6), config["cache"])
    [0.8] [1.]
    """
    config = ready(w, dw, config, RMSPROP)
    cache = config.get("cache", 0.0)
    cache = config["decay_rate"] * cache + (1 - config["decay_rate"]) * dw**2
    config["cache"] = cache
    return w - config["learning_rate"] * dw / (np.sqrt(cache) + config["epsilon"]), config


RMSPROP = UpdateRule(
    "rmsprop",
    "RMSProp",
    rmsprop,
    {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8},
    ("cache",),
)


@explained
def adagrad(w: Array, dw: Array, config: Config | None = None) -> tuple[Array, Config]:
    """Adagrad: cache = cache + dw²; w - learning_rate * dw / (sqrt(cache) + epsilon).

    Defaults: learning_rate 1e-2, epsilon 1e-8, cache 0. Duchi, Hazan and Singer, "Adaptive
    Subgradient Methods for Online Learning and Stochastic Optimization", JMLR 12, 2011, with the
    diagonal matrix.

    >>> config = {"learning_rate": 0.1, "cache": np.array([16.0])}
    >>> w, config = adagrad(np.array([1.0]), np.array([3.0]), config)
    >>> print(np.round(w, 6), config["cache"])
    [0.94] [25.]
    """
    config = ready(w, dw, config, ADAGRAD)
    cache = config.get("cache", 0.0) + dw**2
    config["cache"] = cache
    return w - config["learning_rate"] * dw / (np.sqrt(cache) + config["epsilon"]), config


ADAGRAD = UpdateRule(
    "adagrad", "Adagrad", adagrad, {"learning_rate": 1e-2, "epsilon": 1e-8}, ("cache",)
)


@explained
def adam(w: Array, dw: Array, config: Config | None = None) -> tuple[Array, Config]:
    """Adam, with bias correction: t = t + 1, m and v running averages of dw and dw²,

        w - learning_rate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)

    Defaults: learning_rate 1e-3, beta1 0.9, beta2 0.999, epsilon 1e-8, m = v = 0, t = 0. Kingma and
    Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.

    >>> w, config = adam(np.array([1.0]), np.array([2.0]), {"learning_rate": 0.1})
    >>> print(np.round(w, 6), config["t"])  # the first step is learning_rate, whatever dw is
    [0.9] 1
    """
    config = ready(w, dw, config, ADAM)
    beta1, beta2 = config["beta1"], config["beta2"]
    t = config.get("t", 0) + 1
    m = beta1 * config.get("m", 0.0) + (1 - beta1) * dw
    v = beta2 * config.get("v", 0.0) + (1 - beta2) * dw**2
    config.update(t=t, m=m, v=v)
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return w - config["learning_rate"] * m_hat / (np.sqrt(v_hat) + config["epsilon"]), config


ADAM = UpdateRule(
    "adam",
    "Adam",
    adam,
    {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
    ("m", "v", "t"),
)


UPDATE_RULES: dict[str, UpdateRule] = {
    rule.name: rule for rule in tuple(globals().values()) if isinstance(rule, UpdateRule)
}
