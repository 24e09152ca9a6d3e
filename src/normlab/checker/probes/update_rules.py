"""The update rules as formulas with slots: five steps at once, and each part of one step by
itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from normlab.checker.family import Family
from normlab.checker.mistakes import adaptive, momentum
from normlab.typing import Array

STEPS = 5
Pick = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Draw:
    """A start (w, config) and the gradients of five steps.

    `kept` is what a person's code stored after one step: there each part of the step is judged by
    itself.
    """

    w: Array
    gradients: tuple[Array, ...]
    config: dict[str, Any]
    kept: Mapping[str, Any] = field(default_factory=dict)


class Rule(NamedTuple):
    """A rule: the names of its state, five steps, and families for each stored value and for the
    step alone."""

    state: tuple[str, ...]
    steps: Family
    parts: Mapping[str, Family]
    step: Family | None


def _sgd(d: Draw, pick: Pick) -> tuple[Array, ...]:
    w, path = d.w, []
    for dw in d.gradients:
        w = w - pick["step"](d.config["learning_rate"], dw)
        path.append(w)
    return tuple(path)


SGD = Family({"step": lambda lr, dw: lr * dw}, momentum.SGD, _sgd)


def _momentum(d: Draw, pick: Pick) -> tuple[Array, ...]:
    w, v, path = d.w, d.config["velocity"], []
    for dw in d.gradients:
        w, v = _momentum_step(d, pick, w, v, dw)
        path += [w, v]
    return tuple(path)


def _momentum_step(d: Draw, pick: Pick, w: Array, old: Array, dw: Array) -> tuple[Array, Array]:
    lr, mu = d.config["learning_rate"], d.config["momentum"]
    v = pick["velocity"](old, lr, mu, dw)
    return w + pick["step"](v, old, lr, mu, dw, pick["at"](lr)), pick["kept"](v, old)


def _momentum_alone(d: Draw, pick: Pick) -> Array:
    """The step from the velocity that was really stored."""
    c, dw = d.config, d.gradients[0]
    lr, mu, old = c["learning_rate"], c["momentum"], c["velocity"]
    return np.asarray(d.w + pick["step"](d.kept["velocity"], old, lr, mu, dw, pick["at"](lr)))


VELOCITY = {
    "velocity": lambda old, lr, mu, dw: mu * old - lr * dw,
    "kept": lambda new, old: new,
}
ALONG = {"step": lambda v, old, lr, mu, dw, at: at * v, "at": lambda lr: 1.0}
MOMENTUM = Family(
    {"velocity": VELOCITY["velocity"], **ALONG, "kept": VELOCITY["kept"]},
    momentum.MOMENTUM,
    _momentum,
)
MOMENTUM_PARTS = {
    "velocity": Family(
        {**VELOCITY, **ALONG},
        momentum.MOMENTUM,
        lambda d, pick: _momentum_step(d, pick, d.w, d.config["velocity"], d.gradients[0])[1],
    )
}


def _rmsprop(d: Draw, pick: Pick) -> tuple[Array, ...]:
    w, cache, path = d.w, d.config["cache"], []
    for dw in d.gradients:
        new = pick["cache"](cache, pick["square"](dw), d.config["decay_rate"])
        w = w - _scaled(d, pick, dw, pick["used"](cache, new))
        cache = pick["kept"](cache, new)
        path += [w, cache]
    return tuple(path)


def _scaled(d: Draw, pick: Pick, dw: Array, used: Array) -> Array:
    lr, eps = d.config["learning_rate"], d.config["epsilon"]
    return np.asarray(pick["step"](lr, dw, dw) / pick["divisor"](used, 1.0, eps))


def _rmsprop_alone(d: Draw, pick: Pick) -> Array:
    """The step from the cache that was really stored."""
    return d.w - _scaled(d, pick, d.gradients[0], pick["used"](d.config["cache"], d.kept["cache"]))


def _new(old: Any, new: Any) -> Any:
    return new


DIVIDED = {
    "divisor": lambda used, second, eps: np.sqrt(used / second) + eps,
    "step": lambda lr, first, dw: lr * first,
}
CACHE = {
    "cache": lambda old, square, decay: decay * old + (1 - decay) * square,
    "square": lambda dw: dw * dw,
}
RMSPROP = Family({**CACHE, "used": _new, **DIVIDED, "kept": _new}, adaptive.RMSPROP, _rmsprop)
RMSPROP_PARTS = {
    "cache": Family(
        {**CACHE, "kept": _new},
        adaptive.RMSPROP,
        lambda d, pick: pick["kept"](
            d.config["cache"],
            pick["cache"](
                d.config["cache"], pick["square"](d.gradients[0]), d.config["decay_rate"]
            ),
        ),
    )
}
RMSPROP_STEP = Family({"used": _new, **DIVIDED}, adaptive.RMSPROP, _rmsprop_alone)

State = tuple[Array, Array, int]


def _adam(d: Draw, pick: Pick) -> tuple[Array, ...]:
    w, path = d.w, []
    state: State = (d.config["m"], d.config["v"], d.config["t"])
    for dw in d.gradients:
        fresh = _averages(d, pick, state, dw)
        now, later = pick["time"](state[2])
        step, hat = _adam_step(d, pick, pick["fresh"](state[:2], fresh), now, dw)
        w = w - step
        state = pick["kept"](state, (*fresh, later), hat)
        path += [w, state[0], state[1], np.asarray(float(state[2]))]
    return tuple(path)


def _averages(d: Draw, pick: Pick, state: State, dw: Array) -> tuple[Array, Array]:
    b1, b2 = pick["betas"](d.config["beta1"], d.config["beta2"])
    one, two = pick["average"](b1, b2)
    m, v = pick["moments"](state[0], state[1], pick["moment"](dw), pick["square"](dw), one, two)
    return m, v


def _adam_step(
    d: Draw, pick: Pick, averages: tuple[Array, Array], t: int, dw: Array
) -> tuple[Array, tuple[Array, Array]]:
    c = d.config
    b1, b2 = pick["betas"](c["beta1"], c["beta2"])
    m, v = pick["roles"](*averages)
    first, second = pick["correction"](pick["power"], b1, b2, t, c["epsilon"])
    divisor = pick["divisor"](v, second, c["epsilon"])
    return pick["step"](c["learning_rate"], m / first, dw) / divisor, (m / first, v / second)


def _adam_alone(d: Draw, pick: Pick) -> Array:
    """The step from the averages and the count that were really stored."""
    c, dw = d.config, d.gradients[0]
    new = (d.kept["m"], d.kept["v"])
    now = pick["time"](c["t"])[0]
    return d.w - _adam_step(d, pick, pick["fresh"]((c["m"], c["v"]), new), now, dw)[0]


def _adam_part(index: int) -> Callable[[Draw, Pick], Any]:
    """m, v or t after one step."""

    def part(d: Draw, pick: Pick) -> Any:
        state = (d.config["m"], d.config["v"], d.config["t"])
        m, v = _averages(d, pick, state, d.gradients[0])
        now, later = pick["time"](d.config["t"])
        b1, b2 = pick["betas"](d.config["beta1"], d.config["beta2"])
        first, second = pick["correction"](pick["power"], b1, b2, now, d.config["epsilon"])
        kept = pick["kept"](state, (m, v, later), (m / first, v / second))
        return np.asarray(kept[index], dtype=float)

    return part


def _moments(
    m: Array, v: Array, dw: Array, square: Array, one: Any, two: Any
) -> tuple[Array, Array]:
    return one[0] * m + one[1] * dw, two[0] * v + two[1] * square


TIME = {"time": lambda t: (t + 1, t + 1)}
CORRECTION = {
    "correction": lambda power, b1, b2, t, eps: (power(b1, t), power(b2, t)),
    "power": lambda beta, t: 1 - beta**t,
}
AVERAGES = {
    "betas": lambda b1, b2: (b1, b2),
    "average": lambda b1, b2: ((b1, 1 - b1), (b2, 1 - b2)),
    "square": lambda dw: dw * dw,
    "moment": lambda dw: dw,
    "moments": _moments,
}
ROLES = {"roles": lambda m, v: (m, v), "fresh": _new}
KEPT = {"kept": lambda old, new, hat: new}
ADAM = Family(
    {**TIME, **AVERAGES, **ROLES, **CORRECTION, **DIVIDED, **KEPT},
    adaptive.ADAM,
    _adam,
    conventions_in_pairs=False,
)
ADAM_PARTS = {
    name: Family({**TIME, **AVERAGES, **CORRECTION, **KEPT}, adaptive.ADAM, _adam_part(index))
    for index, name in enumerate(("m", "v", "t"))
}
ADAM_STEP = Family(
    {**TIME, **CORRECTION, "betas": AVERAGES["betas"], **DIVIDED, **ROLES},
    adaptive.ADAM,
    _adam_alone,
)

RULES = {
    "sgd": Rule((), SGD, {}, None),
    "sgd_momentum": Rule(
        ("velocity",),
        MOMENTUM,
        MOMENTUM_PARTS,
        Family({**ALONG, "velocity": VELOCITY["velocity"]}, momentum.MOMENTUM, _momentum_alone),
    ),
    "rmsprop": Rule(("cache",), RMSPROP, RMSPROP_PARTS, RMSPROP_STEP),
    "adam": Rule(("m", "v", "t"), ADAM, ADAM_PARTS, ADAM_STEP),
}
