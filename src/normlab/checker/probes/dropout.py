"""Dropout, judged by what it does: the fraction it keeps, the scale of what it keeps, and the mask
in backward.

The years differ: p was the probability of dropping a unit until 2017 and of keeping it from 2018.
Either is
right, and named; only a docstring that says the one above code that does the other is a mistake.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np

from normlab.checker.compare import agrees, as_array
from normlab.checker.exam import Case, Examination, Settled, Unwritten, settle
from normlab.checker.family import Family
from normlab.checker.mistakes.dropout import DROPOUT_BACKWARD
from normlab.typing import Array

PROBABILITIES = (0.3, 0.6, 0.8)
ROWS, COLUMNS = 250, 400
TOLERANCE = 0.012  # eight standard deviations of a kept fraction of 100,000


class Measured(NamedTuple):
    """What one training pass did: the fraction kept and the factor on what was kept (NaN if
    several)."""

    p: float
    kept: float
    scale: float
    whole_columns: bool


class Draw(NamedTuple):
    mask: Array
    dout: Array
    p: float
    kept: float


BACKWARD = Family(
    {"mask": lambda mask: mask, "scale": lambda p: 1.0},
    tuple(DROPOUT_BACKWARD.values()),
    lambda d, pick: np.asarray(pick["mask"](d.mask) * pick["scale"](d.p) * d.dout),
)


def examine(exam: Examination) -> None:
    """Judge dropout_forward and dropout_backward, where they are there."""
    if exam.has("dropout_forward"):
        case = Case(exam, "dropout_forward", "dropout_forward")
        settle(case, _examine_forward)
    if exam.has("dropout_backward"):
        other = Case(exam, "dropout_backward", "dropout_backward")
        settle(other, _examine_backward)


def documented(doc: str) -> str:
    """'keep' or 'drop' where a docstring says which p is, otherwise ''."""
    text = " ".join(doc.lower().split())
    if re.search(
        r"(we keep each|probability of keeping|keep(ing)? (a |each )?(neuron|unit)|keep prob)", text
    ):
        return "keep"
    if re.search(
        r"(we drop each|probability of dropping|drop(ping)? (a |each )?(neuron|unit)|drop prob)",
        text,
    ):
        return "drop"
    return ""


def _measure(case: Case, p: float, seed: int) -> Measured:
    x = np.full((ROWS, COLUMNS), 2.0) + case.exam.random(70).uniform(0, 1, size=(ROWS, COLUMNS))
    out, _, outcome = case.forward("dropout_forward", x, {"mode": "train", "p": p, "seed": seed})
    out = case.array(out, "the output in training", x.shape)
    case.untouched((x,), outcome, ("x",))
    ratio = out / x
    kept = np.abs(ratio) > 1e-12
    factors = ratio[kept]
    constant = factors.size > 0 and np.ptp(factors) < 1e-6 * abs(factors[0])
    scale = float(factors.mean()) if constant else math.nan
    return Measured(p, float(kept.mean()), scale, bool(np.all(kept == kept[:1])))


def _near(value: float, expected: float) -> bool:
    return abs(value - expected) <= TOLERANCE


def _examine_forward(case: Case) -> None:
    measured = [_measure(case, p, 11 + i) for i, p in enumerate(PROBABILITIES)]
    evidence = "; ".join(f"p={m.p:g}: {m.kept:.3f} kept, times {m.scale:.4g}" for m in measured)
    if case.verdict == "wrong":
        return
    test = _test_factor(case)
    keeps = all(_near(m.kept, m.p) for m in measured)
    drops = all(_near(m.kept, 1 - m.p) for m in measured)
    by_p = all(abs(m.scale * m.p - 1) < 1e-6 for m in measured)
    by_q = all(abs(m.scale * (1 - m.p) - 1) < 1e-6 for m in measured)
    unscaled = all(abs(m.scale - 1) < 1e-9 for m in measured)
    if any(m.whole_columns and 0.02 < m.kept < 0.98 for m in measured) or _is_by_rows(case):
        case.wrong("whole_columns", evidence)
        return
    if all(m.kept < 0.001 for m in measured):
        case.wrong("everything_dropped", evidence)
    elif all(math.isnan(m.scale) for m in measured):
        case.wrong("mask_not_binary", evidence)
    elif all(m.kept > 0.999 for m in measured):
        case.wrong("nothing_dropped", evidence)
    elif all(
        _near(m.kept, _normal_below(m.p)) or _near(m.kept, 1 - _normal_below(m.p)) for m in measured
    ):
        case.wrong("normal_for_uniform", evidence)
    elif unscaled and (keeps or drops):
        case.wrong("not_inverted", evidence)
    elif (keeps and by_q) or (drops and by_p):
        case.wrong("mask_inverted", evidence)
    elif (keeps and by_p) or (drops and by_q):
        _name_convention(case, "keep" if keeps else "drop", evidence)
    elif (keeps or drops) and not any(math.isnan(m.scale) for m in measured):
        case.wrong("scale", evidence)
    else:
        case.wrong("unexplained", evidence, named=False, what="the output in training")
    if test is not None and not case.found("not_inverted"):
        if all(abs(t - 1) < 1e-9 for t in test):
            pass
        elif all(
            abs(t - p) < 1e-9 or abs(t - (1 - p)) < 1e-9
            for t, p in zip(test, PROBABILITIES, strict=True)
        ):
            case.wrong("test_scaled", "in test mode the input is multiplied by p")
        else:
            case.wrong("test_not_identity", "in test mode the output is not the input")
    _examine_seed(case)


def _normal_below(p: float) -> float:
    """The fraction of standard normal numbers below p."""
    return 0.5 * (1 + math.erf(p / math.sqrt(2)))


def _is_by_rows(case: Case) -> bool:
    x = np.ones((40, 50))
    out = case.forward("dropout_forward", x, {"mode": "train", "p": 0.5, "seed": 5})[0]
    kept = np.asarray(out) != 0
    return kept.shape == x.shape and bool(np.all(kept == kept[:, :1])) and 0 < kept.mean() < 1


def _name_convention(case: Case, does: str, evidence: str) -> None:
    says = documented(case.exam.known("dropout_forward").doc)
    if says == "keep" and does == "drop":
        case.wrong("keep_and_drop_confused", evidence)
    elif does == "drop":
        case.remark("p_drops", evidence)
    elif says == "drop":
        case.remark("p_keeps_against_docstring", evidence)


def _test_factor(case: Case) -> list[float] | None:
    """The factor that test mode puts on its input, for each p; NaN where it is none."""
    x = case.exam.random(71).uniform(1, 2, size=(6, 7))
    factors = []
    for p in PROBABILITIES:
        out = case.call("dropout_forward", x, {"mode": "test", "p": p, "seed": 3}, keep=(1,)).value
        if out is None or not isinstance(out, tuple) or out[0] is None:
            case.unimplemented("dropout in test mode")
            return None
        ratio = np.asarray(out[0]) / x if np.shape(out[0]) == x.shape else np.array([np.nan, 1.0])
        factors.append(float(ratio.mean()) if np.ptp(ratio) < 1e-9 else math.nan)
    return factors


def _examine_seed(case: Case) -> None:
    x = np.ones((20, 20))
    one, two = (
        case.call(
            "dropout_forward", x, {"mode": "train", "p": 0.5, "seed": 9}, keep=(1,), seed=s
        ).value[0]
        for s in (1, 2)
    )
    if not np.array_equal(one, two):
        case.remark("seed_ignored", "the same seed gave two masks")


def _examine_backward(case: Case) -> None:
    exam = case.exam
    if not exam.has("dropout_forward"):
        case.waiting(["dropout_forward"])
        return
    draws, results = [], {}
    rng = exam.random(72)
    for index, p in enumerate(PROBABILITIES):
        x, dout = rng.uniform(1, 2, size=(12, 15)), rng.normal(size=(12, 15))
        out, cache, outcome = case.forward(
            "dropout_forward", x, {"mode": "train", "p": p, "seed": 40 + index}
        )
        gradient = case.call("dropout_backward", dout, cache).value
        if gradient is None:
            raise Unwritten
        if not case.exam.fine.get("dropout_forward") and not np.array_equal(x, outcome.args[0]):
            case.waiting(["dropout_forward"])
            raise Settled
        seen = as_array(out)
        if seen is None or seen.shape != x.shape:
            case.waiting(["dropout_forward"])
            raise Settled
        mask = seen / x
        d = Draw(mask, dout, p, float((mask != 0).mean()))
        draws.append(d)
        results[id(d)] = gradient
    if case.explain(BACKWARD, draws, lambda d: results[id(d)]):
        x, dout = rng.normal(size=(4, 5)), rng.normal(size=(4, 5))
        cache = case.call(
            "dropout_forward", x, {"mode": "test", "p": 0.5, "seed": 1}, keep=(1,)
        ).value
        if (
            cache is not None
            and isinstance(cache, tuple)
            and cache[0] is not None
            and agrees(cache[0], x)
        ):
            outcome = case.call("dropout_backward", dout, cache[1])
            if outcome.value is not None and not agrees(outcome.value, dout):
                case.wrong("test_gradient", "in test mode dx is not dout")
