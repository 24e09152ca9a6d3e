"""Update rules over five steps, from a given state and from none; then part by part."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from normlab.checker.compare import agrees, same_bits
from normlab.checker.exam import Case, Examination, Failed, Unwritten, far, settle
from normlab.checker.probes.update_rules import RULES, STEPS, Draw, Rule


def draw(rule: str, rng: np.random.Generator) -> Draw:
    """A start in the midst of training: a state that is not zero, and options that are not the
    defaults."""
    shape = (3, 4)
    config: dict[str, Any] = {"learning_rate": float(rng.uniform(0.05, 0.3))}
    if rule == "sgd_momentum":
        config |= {"momentum": float(rng.uniform(0.5, 0.8)), "velocity": rng.normal(size=shape)}
    if rule == "rmsprop":
        config |= {"decay_rate": 0.8, "epsilon": 0.05, "cache": rng.uniform(0.2, 1, size=shape)}
    if rule == "adam":
        config |= {"beta1": 0.7, "beta2": 0.85, "epsilon": 0.05, "t": 4}
        config |= {"m": rng.normal(size=shape), "v": rng.uniform(0.2, 1.0, size=shape)}
    return Draw(
        rng.normal(size=shape), tuple(rng.uniform(0.3, 1.5, size=(STEPS, *shape)) * 1.0), config
    )


def examine(exam: Examination) -> None:
    """Judge the update rules that are there."""
    for salt, name in enumerate(RULES):
        if exam.has(name):
            case = Case(exam, name, name)
            settle(case, _examine, RULES[name], exam.random(90 + salt))


def _examine(case: Case, rule: Rule, rng: np.random.Generator) -> None:
    draws = [draw(case.function, rng) for _ in range(2)]
    if "m" in rule.state:  # a positive m: a mistake that takes its root does not end in NaN
        draws[0].config["m"] = np.abs(draws[0].config["m"]) + 0.2
    if "t" in rule.state:  # from the start, with small betas, 1 − β·t stays positive
        small = {"beta1": 0.1, "beta2": 0.16, "t": 0}
        draws.append(replace(draws[0], config={**draws[0].config, **small}))
    what = f"w and the state over {STEPS} steps"
    seen = [(d, _walk(case, rule, d, dict(d.config))) for d in draws]
    finite = [(d, path) for d, path in seen if all(np.all(np.isfinite(value)) for value in path)]
    if 0 < len(finite) < len(seen):
        seen = finite
    keys = _explain(rule, seen, 1)
    if keys is None:
        keys = _with_another_eps(rule, seen)
    if keys is None:
        keys = _explain(rule, seen, 2)
    if keys is None and rule.step is not None:
        keys = _by_parts(case, rule, draws)
    evidence = f"{what}: {far(rule.steps, seen)}"
    if keys is None:
        case.explain(rule.steps, [d for d, _ in seen], lambda d: _path_of(seen, d), what=what)
        return
    for key in keys:
        (case.remark if rule.steps.is_harmless(key) else case.wrong)(key, evidence)
    if case.verdict == "right" and rule.state:
        _examine_start(case, rule, draws[0])


def _path_of(seen: list[tuple[Draw, Any]], d: Draw) -> Any:
    return next(path for drawn, path in seen if drawn is d)


def _explain(rule: Rule, seen: list[tuple[Draw, Any]], at_most: int) -> tuple[str, ...] | None:
    """The mistakes behind whole paths; most choices fail at the first step already."""
    first, path = seen[0]
    length = 1 + len(rule.state)
    begun = (replace(first, gradients=first.gradients[:1]), path[:length])
    return rule.steps.explain([begun, *seen], at_most)


def _with_another_eps(rule: Rule, seen: list[tuple[Draw, Any]]) -> tuple[str, ...] | None:
    """The mistakes beside an ε of the code's own: any number, found from the first step."""
    d, path = seen[0]
    if "epsilon" not in d.config:
        return None
    for eps in _possible_eps(rule, d, np.asarray(path[0])):
        own = [
            (replace(drawn, config={**drawn.config, "epsilon": eps}), value)
            for drawn, value in seen
        ]
        keys = _explain(rule, own, 1)
        if keys is not None:
            return ("eps_hard_coded", *(key for key in keys if key != "eps_hard_coded"))
    return None


def _possible_eps(rule: Rule, d: Draw, w: Any) -> list[float]:
    """The ε, beside or under the root, that would give the first step; it must be one number."""
    if w.shape != d.w.shape or w.dtype.kind != "f":
        return []
    found = []
    with np.errstate(all="ignore"):
        bare = rule.steps.compute(
            replace(d, gradients=d.gradients[:1]),
            {**rule.steps.right, "divisor": lambda used, second, eps: np.sqrt(used / second)},
        )
        ratio = (bare[0] - d.w) / (w - d.w)  # how much larger the divisor is than its root
        root = rule.steps.compute(
            replace(d, gradients=d.gradients[:1]),
            {**rule.steps.right, "divisor": lambda used, second, eps: 1.0},
        )
        divisor = (root[0] - d.w) / (w - d.w)
        for values in (divisor - divisor / ratio, divisor**2 - (divisor / ratio) ** 2):
            if (
                np.all(np.isfinite(values))
                and values.min() >= 0
                and np.ptp(values) < 1e-9 + 1e-6 * values.max()
            ):
                found.append(float(values.mean()))
    return found


def _by_parts(case: Case, rule: Rule, draws: list[Draw]) -> tuple[str, ...] | None:
    """Each stored value by itself after one step, then the step from what was really stored."""
    keys: list[str] = []
    kept: list[dict[str, Any]] = []
    moved: list[Any] = []
    ones = [replace(d, gradients=d.gradients[:1]) for d in draws]
    for d in ones:
        path = _walk(case, rule, d, dict(d.config))
        moved.append(path[0])
        kept.append(dict(zip(rule.state, path[1:], strict=True)))
    for name, family in rule.parts.items():
        found = family.explain([(d, values[name]) for d, values in zip(ones, kept, strict=True)])
        if found is None:
            return None
        keys += found
    assert rule.step is not None
    best: tuple[str, ...] | None = None
    right = [{n: f.value(d) for n, f in rule.parts.items()} for d in ones]
    for mixed in _mixtures(rule.state, kept, right):
        seen = [
            (replace(d, kept=values), w) for d, values, w in zip(ones, mixed, moved, strict=True)
        ]
        found = rule.step.explain(seen, 2 if best is None else len(best) - 1)
        if found is not None and (best is None or len(found) < len(best)):
            best = found
        if best == ():
            break
    if best is None:
        return None
    found = tuple(dict.fromkeys((*keys, *best)))
    if "t_not_incremented" in found and "t_late" in best:
        found = tuple(key for key in found if key != "t_late")
    return found or None


def _mixtures(
    state: tuple[str, ...], kept: list[dict[str, Any]], right: list[dict[str, Any]]
) -> Any:
    """What the step may have been made from: what was stored, or the right new value, of each."""
    for which in product((True, False), repeat=len(state)):
        yield [
            {name: (own if take else good)[name] for name, take in zip(state, which, strict=True)}
            for own, good in zip(kept, right, strict=True)
        ]


def _walk(case: Case, rule: Rule, d: Draw, config: dict[str, Any]) -> tuple[Any, ...]:
    """w and the state after each step, each given the state that the last one returned, and its
    own settings."""
    w, path, settings = d.w, [], {k: v for k, v in config.items() if k not in rule.state}
    for dw in d.gradients:
        given = w
        outcome = case.call(case.function, w, dw, config)
        w, config = case.results(outcome.value, ("next_w", "config"))
        if w is None or not isinstance(config, dict):
            raise Unwritten
        if not same_bits(outcome.args[0], given):
            case.remark("w_overwritten", "w is another array after the call")
        path.append(w)
        for name in rule.state:
            if name not in config:
                case.wrong("state_key_missing", f"the returned config has no {name!r}", what=name)
            value = config.get(name, np.nan)
            path.append(np.asarray(float(value)) if name == "t" and np.ndim(value) == 0 else value)
        for name, value in settings.items():
            if name in config and not agrees(config[name], np.asarray(value)):
                told = f"config[{name!r}] is {config[name]!r:.20} after a step from {value:.4g}"
                case.wrong("config_overwritten", told, what=name)
                config[name] = value
    return tuple(path)


def _examine_start(case: Case, rule: Rule, d: Draw) -> None:
    """From a config without any state: zeros, and Adam's count from 0 (or, in some years, from
    1)."""
    config = {k: v for k, v in d.config.items() if k not in rule.state}
    zeros = dict.fromkeys(rule.state, np.zeros_like(d.w))
    try:
        path = _walk(case, rule, d, dict(config))
    except Failed as failure:
        case.wrong("no_first_state", str(failure.raised), line=failure.raised.line)
        return
    for start in (0, 1) if "t" in rule.state else (0,):
        begin = Draw(
            d.w, d.gradients, {**config, **zeros, **({"t": start} if "t" in rule.state else {})}
        )
        keys = rule.steps.explain([(begin, path)], at_most=0)
        if keys is None:
            keys = _with_another_eps(rule, [(begin, path)])
        if keys is not None and all(rule.steps.is_harmless(key) for key in keys):
            if start == 1:
                case.remark("t_starts_at_one", "without a config the first step uses t = 2")
            return
    case.wrong(
        "first_state", "from a config without state the five steps are others than from zeros"
    )
