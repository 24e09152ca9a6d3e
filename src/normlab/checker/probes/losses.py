"""The two losses: softmax and multiclass SVM, each with its gradient."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from normlab.checker.compare import SINGLE, agrees
from normlab.checker.exam import Case, Examination, Failed, far, settle
from normlab.checker.family import Family
from normlab.checker.mistakes import losses
from normlab.typing import Array


class Draw(NamedTuple):
    x: Array
    y: Array


def _softmax(d: Draw, pick: Mapping[str, Any]) -> tuple[Array, Array]:
    x, y, (n, c) = d.x, d.y, d.x.shape
    powers = np.exp(x - pick["shift"](x))
    p = powers / pick["normalizer"](powers)
    loss = -pick["picked"](np.log(p), y).sum() / pick["loss_count"](n, c)
    dx = p.copy()
    pick["target"](dx, y)
    dx = dx / pick["count"](n, c)
    return np.asarray(pick["loss_sign"](loss)), pick["sign"](dx)


def _at_labels(values: Array, y: Array) -> Array:
    return np.asarray(values[np.arange(len(y)), y])


def _minus_onehot(dx: Array, y: Array) -> None:
    dx[np.arange(len(y)), y] -= 1


SOFTMAX = Family(
    {
        "shift": lambda x: x.max(1, keepdims=True),
        "normalizer": lambda powers: powers.sum(1, keepdims=True),
        "picked": _at_labels,
        "loss_count": lambda n, c: n,
        "loss_sign": lambda loss: loss,
        "target": _minus_onehot,
        "count": lambda n, c: n,
        "sign": lambda dx: dx,
    },
    (*losses.BOTH, *losses.SOFTMAX),
    _softmax,
)


def _svm(d: Draw, pick: Mapping[str, Any]) -> tuple[Array, Array]:
    x, y, (n, c) = d.x, d.y, d.x.shape
    margins = x - pick["correct"](x, _at_labels(x, y)) + pick["delta"]
    clipped = np.maximum(0, margins)
    pick["zeroed"](clipped, y)
    pick["zeroed"](margins, y)
    loss = pick["summed"](clipped, margins).sum() / pick["loss_count"](n, c)
    dx = pick["active"](clipped) * 1.0
    pick["target"](dx, y)
    dx = dx / pick["count"](n, c)
    return np.asarray(loss), pick["sign"](dx)


def _zero_at_labels(margins: Array, y: Array) -> None:
    margins[np.arange(len(y)), y] = 0


def _minus_count(dx: Array, y: Array) -> None:
    dx[np.arange(len(y)), y] -= dx.sum(1)


SVM = Family(
    {
        "zeroed": _zero_at_labels,
        "correct": lambda x, correct: correct[:, None],
        "delta": 1.0,
        "summed": lambda clipped, margins: clipped,
        "loss_count": lambda n, c: n,
        "active": lambda clipped: clipped > 0,
        "target": _minus_count,
        "count": lambda n, c: n,
        "sign": lambda dx: dx,
    },
    (*losses.BOTH, *losses.SVM),
    _svm,
)


def examine(exam: Examination) -> None:
    """Judge softmax_loss and svm_loss, where they are there."""
    for salt, (name, family) in enumerate((("softmax_loss", SOFTMAX), ("svm_loss", SVM))):
        if exam.has(name):
            case = Case(exam, name, "losses")
            settle(case, _examine, name, family, exam.random(30 + salt))


def _examine(case: Case, name: str, family: Family, rng: np.random.Generator) -> None:
    def drawn(n: int, c: int) -> Draw:
        return Draw(rng.normal(size=(n, c)) * 2, rng.integers(0, c, size=n))

    draws = [drawn(n, c) for n, c in ((6, 4), (3, 5), (7, 3))]
    square = [drawn(n, n) for n in (4, 5)]

    def run(d: Draw) -> tuple[Array, Array]:
        outcome = case.call(name, d.x, d.y)
        loss, dx = case.results(outcome.value, ("loss", "dx"))
        case.untouched((d.x, d.y), outcome, ("x", "y"))
        return np.asarray(loss) if np.shape(loss) == () else loss, dx

    with contextlib.suppress(Failed):
        seen = [(d, run(d)) for d in draws]
        if family.explain(seen, 0) is None and family.explain(seen, 0, SINGLE) == ():
            case.remark("small_constant", far(family, seen))
            return
    case.explain(family, draws, run, square=square, what="loss and dx")
    if name == "softmax_loss" and not case.found("raises") and not case.found("shift_wrong_axis"):
        _examine_range(case, rng)


def _examine_range(case: Case, rng: np.random.Generator) -> None:
    """Scores of order 1,000: exp overflows unless each row's largest score is taken off first."""
    x = rng.normal(size=(4, 5))
    y = rng.integers(0, 5, size=4)
    try:
        right = case.results(case.call("softmax_loss", x, y).value, ("loss", "dx"))
        large = case.call("softmax_loss", x + 1000.0, y).value
        apart = case.call("softmax_loss", x - np.array([[0.0], [2000.0], [0.0], [4000.0]]), y).value
        wide = case.call("softmax_loss", x * 1000.0, y).value
    except Failed:
        return
    right = tuple(np.asarray(value) for value in right)
    if not (agrees(large[0], right[0], 1e-6) and agrees(large[1], right[1], 1e-6)):
        case.wrong(
            "no_shift",
            "with 1000 added to every score, loss or gradient change; they should stay as they are",
        )
    elif not agrees(apart[1], right[1], 1e-6):
        case.remark("shift_of_whole_array", "rows that lie 2000 apart: the gradient is wrong")
    elif not np.isfinite(wide[0]):
        case.remark(
            "infinite_loss", "scores of order 1000: the loss is infinite, the gradient right"
        )
