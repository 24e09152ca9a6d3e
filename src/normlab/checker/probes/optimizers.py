"""Update rules, judged by what they do over five steps from a given state and from none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from normlab.checker.compare import same_bits
from normlab.checker.exam import Case, Examination, Failed, Unwritten, settle
from normlab.checker.family import Family
from normlab.typing import Array

STEPS = 5


@dataclass(frozen=True, eq=False)
class Draw:
    """A start (w, config) and the gradients of five steps."""

    w: Array
    gradients: tuple[Array, ...]
    config: dict[str, Any]


def _sgd(d: Draw, choice: Mapping[str, str]) -> tuple[Array, ...]:
    w, lr = d.w, d.config["learning_rate"]
    path = []
    for dw in d.gradients:
        w = w - {"": lr * dw, "sign": -lr * dw, "rate_missing": dw}[choice["step"]]
        path.append(w)
    return tuple(path)


SGD = Family({"step": ("", "sign", "rate_missing")}, _sgd)


def _momentum(d: Draw, choice: Mapping[str, str]) -> tuple[Array, ...]:
    w, v, lr, mu = d.w, d.config["velocity"], d.config["learning_rate"], d.config["momentum"]
    path = []
    for dw in d.gradients:
        old = v
        v = {
            "": mu * old - lr * dw, "velocity_sign": mu * old + lr * dw, "rate_at_update": mu * old - dw,
            "damped": mu * old - (1 - mu) * lr * dw, "damped#average": mu * old - (1 - mu) * dw,
            "momentum_swapped": (1 - mu) * old - lr * dw, "momentum_missing": old - lr * dw,
            "momentum_hard_coded": 0.9 * old - lr * dw, "rate_at_update#plus": mu * old + dw,
        }[choice["velocity"]]  # fmt: skip
        at = lr if "rate_at_update" in choice["velocity"] or choice["velocity"] == "damped#average" else 1.0
        sign = -1.0 if choice["velocity"] == "rate_at_update#plus" else 1.0
        w = {
            "": w + sign * at * v, "step_sign": w - at * v, "nesterov": w + mu * v - lr * dw,
            "nesterov#classic": w - mu * old + (1 + mu) * v, "old_velocity": w + at * old,
            "velocity_unused": w - lr * dw, "step_times_rate": w + lr * v,
        }[choice["step"]]  # fmt: skip
        if choice["kept"] == "velocity_not_stored":
            v = old
        path += [w, v]
    return tuple(path)


MOMENTUM = Family(
    {
        "velocity": ("", "velocity_sign", "rate_at_update", "rate_at_update#plus", "damped", "damped#average",
                     "momentum_swapped", "momentum_missing", "momentum_hard_coded"),
        "step": ("", "step_sign", "nesterov", "nesterov#classic", "old_velocity", "velocity_unused", "step_times_rate"),
        "kept": ("", "velocity_not_stored"),
    },
    _momentum,
)  # fmt: skip


def _rmsprop(d: Draw, choice: Mapping[str, str]) -> tuple[Array, ...]:
    c = d.config
    w, cache, lr, decay, eps = d.w, c["cache"], c["learning_rate"], c["decay_rate"], c["epsilon"]
    path = []
    for dw in d.gradients:
        old = cache
        square = dw if choice["square"] == "not_squared" else dw * dw
        cache = {
            "": decay * old + (1 - decay) * square, "decay_swapped": (1 - decay) * old + decay * square,
            "accumulated": old + square, "accumulated#decayed": decay * old + square,
            "decay_hard_coded": 0.99 * old + 0.01 * square, "cache_overwritten": square,
        }[choice["cache"]]  # fmt: skip
        used = old if choice["used"] == "old_cache" else cache
        divisor = {
            "": np.sqrt(used) + eps, "eps_inside": np.sqrt(used + eps), "root_missing": used + eps,
            "eps_multiplied": np.sqrt(used) * eps, "eps_missing": np.sqrt(used),
            "eps_hard_coded": np.sqrt(used) + 1e-8,
        }[choice["divisor"]]  # fmt: skip
        w = w - {"": lr * dw, "sign": -lr * dw, "rate_missing": dw, "gradient_missing": lr}[choice["step"]] / divisor
        if choice["kept"] == "cache_not_stored":
            cache = old
        path += [w, cache]
    return tuple(path)


RMSPROP = Family(
    {
        "cache": ("", "decay_swapped", "accumulated", "accumulated#decayed", "decay_hard_coded", "cache_overwritten"),
        "square": ("", "not_squared"),
        "used": ("", "old_cache"),
        "divisor": ("", "eps_inside", "root_missing", "eps_multiplied", "eps_missing", "eps_hard_coded"),
        "step": ("", "sign", "rate_missing", "gradient_missing"),
        "kept": ("", "cache_not_stored"),
    },
    _rmsprop,
    harmless=frozenset({"eps_inside", "eps_hard_coded"}),
)


def _correction(beta: float, t: int, way: str) -> float:
    """What a moving average is divided by at step t."""
    ways: dict[str, float] = {"power_missing": 1 - beta, "power_times": 1 - beta * t, "power_two": 1 - beta**2}
    return ways.get(way, float(1 - beta**t))


def _adam(d: Draw, choice: Mapping[str, str]) -> tuple[Array, ...]:
    c = d.config
    w, m, v, t = d.w, c["m"], c["v"], c["t"]
    lr, b1, b2, eps = c["learning_rate"], c["beta1"], c["beta2"], c["epsilon"]
    if choice["betas"] == "betas_swapped":
        b1, b2 = b2, b1
    path = []
    for dw in d.gradients:
        old_m, old_v, old_t = m, v, t
        t = t + {"": 1, "t_twice": 2, "t_not_incremented": 0}.get(choice["time"], 1)
        now = {"t_late": old_t}.get(choice["time"], t)
        square = dw if choice["square"] == "not_squared" else dw * dw
        decay1, decay2 = (1 - b1, 1 - b2) if choice["average"] != "average_swapped" else (b1, b2)
        keep1, keep2 = (b1, b2) if choice["average"] != "average_swapped" else (1 - b1, 1 - b2)
        m = keep1 * old_m + (decay1 if choice["average"] != "first_not_averaged" else 1) * dw
        v = keep2 * old_v + (decay2 if choice["average"] != "second_not_averaged" else 1) * square

        first = {
            "": _correction(b1, now, choice["power"]),
            "no_bias_correction": 1.0,
            "second_only_corrected": 1.0,
        }.get(choice["correction"], _correction(b1, now, choice["power"]))
        second = {
            "no_bias_correction": 1.0,
            "first_only_corrected": 1.0,
            "one_beta_corrects": _correction(b1, now, choice["power"]),
        }.get(choice["correction"], _correction(b2, now, choice["power"]))
        if choice["correction"] == "one_beta_corrects#second":
            first = _correction(b2, now, choice["power"])
        mhat, vhat = m / first, v / second
        divisor = {
            "": np.sqrt(vhat) + eps, "eps_inside": np.sqrt(vhat + eps), "root_missing": vhat + eps,
            "eps_before_correction": (np.sqrt(v) + eps) / np.sqrt(second), "eps_missing": np.sqrt(vhat),
            "eps_hard_coded": np.sqrt(vhat) + 1e-8, "eps_multiplied": np.sqrt(vhat) * eps,
        }[choice["divisor"]]  # fmt: skip
        w = (
            w
            - {"": lr * mhat, "sign": -lr * mhat, "rate_missing": mhat, "gradient_for_m": lr * dw}[choice["step"]]
            / divisor
        )
        kept = choice["kept"]
        if kept == "corrected_stored":
            m, v = mhat, vhat
        elif kept == "corrected_stored#m":
            m = mhat
        elif kept == "state_not_stored":
            m, v = old_m, old_v
        elif kept == "state_not_stored#m":
            m = old_m
        elif kept == "state_not_stored#v":
            v = old_v
        elif kept == "t_not_stored":
            t = old_t
        path += [w, m, v, np.asarray(float(t))]
    return tuple(path)


ADAM = Family(
    {
        "time": ("", "t_late", "t_not_incremented", "t_twice"),
        "correction": ("", "no_bias_correction", "first_only_corrected", "second_only_corrected", "one_beta_corrects",
                       "one_beta_corrects#second"),
        "power": ("", "power_missing", "power_times", "power_two"),
        "betas": ("", "betas_swapped"),
        "average": ("", "first_not_averaged", "second_not_averaged", "average_swapped"),
        "square": ("", "not_squared"),
        "divisor": ("", "eps_inside", "eps_before_correction", "root_missing", "eps_missing", "eps_hard_coded",
                    "eps_multiplied"),
        "step": ("", "sign", "rate_missing", "gradient_for_m"),
        "kept": ("", "t_not_stored", "corrected_stored", "corrected_stored#m", "state_not_stored",
                 "state_not_stored#m", "state_not_stored#v"),
    },
    _adam,
    harmless=frozenset({"eps_inside", "eps_before_correction", "eps_hard_coded"}),
)  # fmt: skip

STATE = {"sgd": (), "sgd_momentum": ("velocity",), "rmsprop": ("cache",), "adam": ("m", "v", "t")}
FAMILIES = {"sgd": SGD, "sgd_momentum": MOMENTUM, "rmsprop": RMSPROP, "adam": ADAM}


def draw(rule: str, rng: np.random.Generator) -> Draw:
    """A start in the midst of training: a state that is not zero, and options that are not the defaults."""
    shape = (3, 4)
    config: dict[str, Any] = {"learning_rate": float(rng.uniform(0.05, 0.3))}
    if rule == "sgd_momentum":
        config |= {"momentum": float(rng.uniform(0.5, 0.8)), "velocity": rng.normal(size=shape)}
    if rule == "rmsprop":
        config |= {"decay_rate": 0.8, "epsilon": 0.05, "cache": rng.uniform(0.2, 1, size=shape)}
    if rule == "adam":
        config |= {"beta1": 0.7, "beta2": 0.85, "epsilon": 0.05, "t": 4}
        config |= {"m": rng.normal(size=shape), "v": rng.uniform(0.2, 1.0, size=shape)}
    return Draw(rng.normal(size=shape), tuple(rng.uniform(0.3, 1.5, size=(STEPS, *shape)) * 1.0), config)


def examine(exam: Examination) -> None:
    """Judge the update rules that are there."""
    for salt, rule in enumerate(STATE):
        if exam.has(rule):
            case = Case(exam, rule, "optimizers")
            settle(case, _examine, rule, exam.random(90 + salt))


def _examine(case: Case, rule: str, rng: np.random.Generator) -> None:
    draws = [draw(rule, rng) for _ in range(2)]
    if rule == "adam":  # small betas from the start: there 1 − β·t stays positive, and can be told from 1 − βᵗ
        draws.append(replace(draws[1], config={**draws[1].config, "beta1": 0.1, "beta2": 0.16, "t": 0}))
    family = FAMILIES[rule]

    def run(d: Draw) -> tuple[Any, ...]:
        return _walk(case, rule, d, dict(d.config), STATE[rule])

    whole = [d for d in draws if all(np.all(np.isfinite(value)) for value in run(d))]
    if 0 < len(whole) < len(draws) and not case.explain(family, whole, run, what="w and the state over five steps"):
        return
    if case.explain(family, draws, run, what=f"w and the state over {STEPS} steps") and STATE[rule]:
        _examine_start(case, rule, draws[0])


def _walk(case: Case, rule: str, d: Draw, config: dict[str, Any], state: tuple[str, ...]) -> tuple[Any, ...]:
    """w and the state after each of five steps, each step given the config that the last one returned."""
    w, path = d.w, []
    for dw in d.gradients:
        given = w
        outcome = case.call(rule, w, dw, config)
        w, config = case.results(outcome.value, ("next_w", "config"))
        if w is None or not isinstance(config, dict):
            raise Unwritten
        if not same_bits(outcome.args[0], given):
            case.remark("w_overwritten", "w is another array after the call")
        path.append(w)
        for name in state:
            if name not in config:
                case.wrong("state_key_missing", f"the returned config has no {name!r}", what=name)
            value = config.get(name, np.nan)
            path.append(np.asarray(float(value)) if name == "t" and np.ndim(value) == 0 else value)
    return tuple(path)


def _examine_start(case: Case, rule: str, d: Draw) -> None:
    """From a config without any state: zeros, and Adam's count from 0 (or, in some years, from 1)."""
    config = {k: v for k, v in d.config.items() if k not in STATE[rule]}
    zeros = dict.fromkeys(STATE[rule], np.zeros_like(d.w))
    try:
        path = _walk(case, rule, d, dict(config), STATE[rule])
    except Failed as failure:
        case.wrong("no_first_state", str(failure.raised), line=failure.raised.line)
        return
    for start in (0, 1) if rule == "adam" else (0,):
        begin = Draw(d.w, d.gradients, {**config, **zeros, **({"t": start} if rule == "adam" else {})})
        keys = FAMILIES[rule].explain([(begin, path)], at_most=0)
        if keys is not None:
            if start == 1:
                case.remark("t_starts_at_one", "without a config the first step uses t = 2")
            return
    case.wrong("first_state", "from a config without state the five steps are others than from zeros")
