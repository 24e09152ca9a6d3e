"""One run in float64: the reference's own net and Solver, to the bit, with its passes over memory compiled.

In float64 the engine promises the Solver's losses to 1e-9, and rounding alone can break that: with
batch norm on batches of five, a change of the initial weights in their last bit grows to a
hundredth of the loss within 200 steps. So nothing is rounded differently here. Products, norms and
losses are the reference's; the update rules, whose dozen passes over every parameter take longest,
are one compiled pass each (`passes`), with the same operations in the same order.
"""

from __future__ import annotations

import numpy as np

from normlab import optim
from normlab.engines import library
from normlab.engines.layout import PASSES, Pass32, Pass64
from normlab.engines.table import table_of
from normlab.optim import Config
from normlab.typing import Array


def sgd(w: Array, dw: Array, config: Config) -> tuple[Array, Config]:
    """`optim.sgd`, in place."""
    return _pass("sgd", w, dw, config, (), config["learning_rate"])


def sgd_momentum(w: Array, dw: Array, config: Config) -> tuple[Array, Config]:
    """`optim.sgd_momentum`, in place."""
    momentum = (optim.SGD_MOMENTUM.defaults | config)["momentum"]
    return _pass("sgd_momentum", w, dw, config, ("velocity",), config["learning_rate"], momentum)


def rmsprop(w: Array, dw: Array, config: Config) -> tuple[Array, Config]:
    """`optim.rmsprop`, in place."""
    own = optim.RMSPROP.defaults | config
    decay = own["decay_rate"]
    settings = config["learning_rate"], decay, 1 - decay, own["epsilon"]
    return _pass("rmsprop", w, dw, config, ("cache",), *settings)


def adagrad(w: Array, dw: Array, config: Config) -> tuple[Array, Config]:
    """`optim.adagrad`, in place."""
    epsilon = (optim.ADAGRAD.defaults | config)["epsilon"]
    return _pass("adagrad", w, dw, config, ("cache",), config["learning_rate"], epsilon)


def adam(w: Array, dw: Array, config: Config) -> tuple[Array, Config]:
    """`optim.adam`, in place."""
    own = optim.ADAM.defaults | config
    beta1, beta2 = own["beta1"], own["beta2"]
    t = config["t"] = config.get("t", 0) + 1
    settings = config["learning_rate"], beta1, 1 - beta1, beta2, 1 - beta2
    corrections = 1 - beta1**t, 1 - beta2**t
    return _pass("adam", w, dw, config, ("m", "v"), *settings, *corrections, own["epsilon"])


UPDATE_RULES = {
    "sgd": sgd, "sgd_momentum": sgd_momentum, "rmsprop": rmsprop, "adagrad": adagrad, "adam": adam,
}  # fmt: skip


def _pass(
    rule: str, w: Array, dw: Array, config: Config, states: tuple[str, ...], *settings: float
) -> tuple[Array, Config]:
    """One compiled pass over w. Settings are rounded to w's type, as NumPy rounds a Python number."""
    for name in states:
        found = config.get(name)
        started = np.zeros(w.shape, dtype=w.dtype) if found is None else found
        config[name] = np.require(started, w.dtype, ["C", "W"])
    kept = [config[name].reshape(-1) for name in states]
    kept += [np.empty(0, dtype=w.dtype)] * (2 - len(kept))
    first, second = kept
    numbers = np.array(settings).astype(w.dtype).astype(np.float64)
    # compiled code goes through memory from end to end: what lies otherwise is copied, and put back
    flat = np.require(w, requirements=["C", "W"]).reshape(-1)
    upstream = np.require(dw, w.dtype, ["C", "W"]).reshape(-1)
    record = Pass32 if w.dtype == np.float32 else Pass64
    table = table_of(record(flat, upstream, first, second, numbers, PASSES.index(rule)))
    functions = library.functions()
    run = functions.pass_32 if record is Pass32 else functions.pass_64
    run(table.ctypes.data)
    if not np.may_share_memory(flat, w):
        w[...] = flat.reshape(w.shape)
    return w, config
