"""The regularization of a net, by regression: what reg adds to the loss and to each gradient,
layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from normlab.checker.compare import agrees, distance
from normlab.checker.exam import Case
from normlab.checker.mistakes import nets
from normlab.checker.mistakes.record import Mistake
from normlab.checker.probes.net_formulas import NetDraw
from normlab.typing import Array

REG = 0.7
CLOSE = 1e-6
Ask = Callable[[NetDraw, float], tuple[Any, ...]]
"""Loss and gradients of a net at a draw's parameters and a value of reg."""


def examine(case: Case, rng: np.random.Generator, d: NetDraw, ask: Ask, label: str) -> None:
    """Name what is wrong in the multiples of ½‖W‖² in the loss and of W in the gradients."""
    plain, penalized = ask(d, 0.0), ask(d, REG)
    added = [
        np.asarray(p, dtype=float) - np.asarray(q, dtype=float)
        for p, q in zip(penalized, plain, strict=True)
    ]
    weights = [key for key in d.keys if key[0] == "W"]
    right = REG * 0.5 * sum(float((d.params[key] ** 2).sum()) for key in weights)
    evidence = f"{label}, reg={REG:g}"
    if not agrees(added[0], np.asarray(right), CLOSE) or not _is_alone(rng, d, ask, right):
        _judge_loss(case, rng, d, ask, evidence)
    _judge_gradients(case, d, dict(zip(d.keys, added[1:], strict=True)), evidence)


def _another(rng: np.random.Generator, d: NetDraw) -> NetDraw:
    """The draw at other parameters, each of a size of its own."""
    return replace(
        d, params={k: rng.normal(size=v.shape) * rng.uniform(0.3, 0.9) for k, v in d.params.items()}
    )


def _penalty(d: NetDraw, ask: Ask, reg: float = REG) -> float:
    return float(ask(d, reg)[0]) - float(ask(d, 0.0)[0])


def _is_alone(rng: np.random.Generator, d: NetDraw, ask: Ask, right: float) -> bool:
    """Whether the same holds at other sizes of the biases, γ and β."""
    other = replace(
        d, params={k: v if k[0] == "W" else v * rng.uniform(1.5, 2.5) for k, v in d.params.items()}
    )
    return agrees(np.asarray(_penalty(other, ask)), np.asarray(right), CLOSE)


FORMS: tuple[tuple[str, Callable[[Array], float]], ...] = (
    ("reg_loss_of_sum", lambda w: float(w.sum()) ** 2),
    ("reg_loss_unsquared", lambda w: float(np.sqrt((w**2).sum()))),
    ("reg_loss_absolute", lambda w: float(np.abs(w).sum())),
    ("reg_loss_plain_sum", lambda w: float(w.sum())),
)


def _regress(
    draws: Sequence[NetDraw], seen: Array, keys: Sequence[str], of: Callable[[Array], float]
) -> Array | None:
    """The multiple of each parameter's term, or None where the penalty is no sum of such terms."""
    design = np.array([[REG * of(d.params[key]) for key in keys] for d in draws])
    found, *_ = np.linalg.lstsq(design, seen, rcond=None)
    fits = np.max(np.abs(design @ found - seen)) < CLOSE * max(1e-3, float(np.max(np.abs(seen))))
    return np.asarray(found) if fits else None


def _judge_loss(case: Case, rng: np.random.Generator, d: NetDraw, ask: Ask, evidence: str) -> None:
    draws = [_another(rng, d) for _ in range(len(d.keys) + 3)]
    seen = np.array([_penalty(each, ask) for each in draws])
    found = _regress(draws, seen, d.keys, lambda value: 0.5 * float((value**2).sum()))
    if found is None:
        weights = [key for key in d.keys if key[0] == "W"]
        named = next(
            (key for key, of in FORMS if _regress(draws, seen, weights, of) is not None),
            "reg_loss_other",
        )
        case.wrong(named, f"{evidence}: what is added to the loss is no sum of multiples of ½·ΣW²",
                   named=named != "reg_loss_other")  # fmt: skip
        return
    told = ", ".join(
        f"{c:.3g}·½‖{key}‖²" for key, c in zip(d.keys, found, strict=True) if abs(c) > 1e-6
    )
    evidence = f"{evidence}: the loss gets {told or 'nothing'}"
    twice = _penalty(draws[0], ask, 2 * REG)
    if not agrees(np.asarray(twice), np.asarray(2 * seen[0]), 1e-5):
        case.wrong(
            "reg_not_proportional",
            f"{evidence}; twice the reg adds {twice / seen[0]:.3g} times as much",
        )
        return
    _name(
        case,
        dict(zip(d.keys, found, strict=True)),
        len(d.x),
        nets.REGULARIZED_LOSS,
        nets.LOSS_FACTORS,
        evidence,
    )


def _name(case: Case, multiples: dict[str, float], n: int, shares: Iterable[Mistake],
          factors: Iterable[Mistake], evidence: str) -> None:  # fmt: skip
    """The mistakes behind multiples of the parameters: a common factor, which W, and what is no
    W."""
    extra = {
        key.rstrip("0123456789")
        for key, value in multiples.items()
        if key[0] != "W" and abs(value) > 1e-5
    }
    if extra:
        key = "norm_parameters_regularized" if "b" not in extra else "all_parameters_regularized"
        case.wrong("biases_regularized" if extra == {"b"} else key, evidence)
    of_weights = [value for key, value in sorted(multiples.items()) if key[0] == "W"]
    for key in _keys(of_weights, n, tuple(shares), tuple(factors)):
        case.wrong(key, evidence)


def _keys(
    found: Sequence[float], n: int, shares: Sequence[Mistake], factors: Sequence[Mistake]
) -> tuple[str, ...]:
    """A common factor that leaves whole multiples, then the share of each W; the generic share
    comes last."""
    ways: list[tuple[tuple[str, ...], float]] = [((), 1.0)]
    ways += [((m.key,), way["factor"](n)) for m in factors for way in m.ways]
    if all(abs(c) < 1e-5 for c in found):
        ways = ways[:1]
    for keys, factor in ways:  # one factor for all
        if all(abs(c / factor - 1) < 1e-5 for c in found):
            return keys
    for keys, factor in ways:
        scaled = tuple(round(c / factor, 6) + 0.0 for c in found)
        if all(abs(c - round(c)) < 1e-4 for c in scaled):
            whole = tuple(float(round(c)) for c in scaled)
            share = next(
                (m for m in shares[:-1] if any(way["share"](whole) for way in m.ways)), None
            )
            if share is not None:
                return (*keys, share.key)
    return (shares[-1].key,)


def _judge_gradients(case: Case, d: NetDraw, added: dict[str, Array], evidence: str) -> None:
    multiples: dict[str, float] = {}
    for key, value in added.items():
        own = d.params[key]
        if value.shape != own.shape:
            return
        multiple = float((value * own).sum() / (own**2).sum()) / REG
        if (
            distance(value, multiple * REG * own)
            * max(1e-5, abs(multiple) * float(np.abs(own).max()))
            > 1e-6
        ):
            form = _form(value, own)
            case.wrong(
                form, f"{evidence}: the gradient of {key}", named=form != "reg_gradient_other"
            )
            return
        multiples[key] = multiple
    told = ", ".join(f"{c:.3g}·reg·{key}" for key, c in multiples.items() if abs(c) > 1e-6)
    _name(case, multiples, len(d.x), nets.REGULARIZED_GRADIENT, nets.GRADIENT_FACTORS,
          f"{evidence}: the gradients get {told or 'nothing'}")  # fmt: skip


def _form(value: Array, own: Array) -> str:
    """What stands where reg·W belongs."""
    if np.ptp(value) < 1e-7 * float(np.max(np.abs(value))):
        number, squares = float(value.flat[0]) / REG, float((own**2).sum())
        if abs(number - own.sum()) < 1e-5 * max(1.0, abs(number)):
            return "reg_gradient_summed"
        if any(abs(number - f * squares) < 1e-5 * squares for f in (0.5, 1.0, 2.0)):
            return "reg_gradient_of_norm"
        return "reg_gradient_summed"
    return "reg_gradient_other"
