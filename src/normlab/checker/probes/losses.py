"""The two losses: softmax and multiclass SVM, each with its gradient."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from normlab.checker.compare import SINGLE, agrees
from normlab.checker.exam import Case, Examination, Failed, far, settle
from normlab.checker.family import Family
from normlab.typing import Array


class Draw(NamedTuple):
    x: Array
    y: Array


def _probabilities(x: Array, shift: str, normalizer: str) -> Array:
    """Softmax with the shift and the sum over the axes a choice names."""
    shifted = x - (x.max(1, keepdims=True) if shift == "rows" else x.max(0))
    powers = np.exp(shifted)
    total = {
        "rows": powers.sum(1, keepdims=True), "normalizer_wrong_axis": powers.sum(0, keepdims=True),
        "normalizer_whole_array": powers.sum(),
        "normalizer_wrong_axis#square": powers.sum(1)[None, :] if len(x) == x.shape[1] else None,
    }[normalizer]  # fmt: skip
    if total is None:
        raise ValueError("these sizes do not broadcast")
    return np.asarray(powers / total)


def _softmax(d: Draw, choice: Mapping[str, str]) -> tuple[Array, Array]:
    x, y, (n, c) = d.x, d.y, d.x.shape
    p = _probabilities(x, choice["shift"], choice["normalizer"])
    logs = np.log(p)
    picked = logs[:, y] if choice["picked"] == "log_of_columns" else logs[np.arange(n), y]
    loss = -picked.sum() / _divisor(choice["loss_count"], n, c)
    if choice["loss_sign"] == "loss_sign":
        loss = -loss
    dx = p.copy()
    if choice["target"] == "right":
        dx[np.arange(n), y] -= 1
    elif choice["target"] == "gradient_of_columns":
        dx[:, y] -= 1
    elif choice["target"] == "gradient_plus_one":
        dx[np.arange(n), y] += 1
    dx = dx / _divisor(choice["count"], n, c)
    return np.asarray(loss), -dx if choice["sign"] == "gradient_sign" else dx


def _divisor(name: str, n: int, c: int) -> int:
    if name.endswith("not_averaged"):
        return 1
    return {"": n, "classes": c, "n_and_c": n * c}[name.partition("_by_")[2]]


SOFTMAX = Family(
    {
        "shift": ("rows", "shift_wrong_axis"),
        "normalizer": ("rows", "normalizer_wrong_axis", "normalizer_wrong_axis#square", "normalizer_whole_array"),
        "picked": ("right", "log_of_columns"),
        "loss_count": ("N", "loss_not_averaged", "loss_divided_by_classes"),
        "loss_sign": ("", "loss_sign"),
        "target": ("right", "gradient_without_target", "gradient_of_columns", "gradient_plus_one"),
        "count": ("N", "gradient_not_averaged", "gradient_divided_by_classes", "gradient_divided_by_n_and_c"),
        "sign": ("", "gradient_sign"),
    },
    _softmax,
)


def _svm(d: Draw, choice: Mapping[str, str]) -> tuple[Array, Array]:
    x, y, (n, c) = d.x, d.y, d.x.shape
    rows = np.arange(n)
    correct = x[rows, y]
    subtracted = {
        "column": correct[:, None], "correct_not_column": correct if n == c else None,
        "correct_not_column#mean": correct.mean(), "correct_not_column#first": correct[0],
    }[choice["correct"]]  # fmt: skip
    if subtracted is None:
        raise ValueError("these sizes do not broadcast")
    delta = {"one": 1.0, "margin_missing": 0.0, "margin_sign": -1.0}[choice["delta"]]
    margins = np.maximum(0, x - subtracted + delta)
    if choice["zeroed"] == "":
        margins[rows, y] = 0
    loss = margins.sum() / _divisor(choice["loss_count"], n, c)
    active = margins > 0
    dx = active * 1.0
    positive = active.sum(1)
    if choice["target"] == "right":
        dx[rows, y] -= positive
    elif choice["target"] == "minus_one_for_count":
        dx[rows, y] -= 1
    elif choice["target"] == "count_overwrites":
        dx[rows, y] = -1
    dx = dx / _divisor(choice["count"], n, c)
    return np.asarray(loss), -dx if choice["sign"] == "gradient_sign" else dx


SVM = Family(
    {
        "zeroed": ("", "correct_not_zeroed"),
        "correct": ("column", "correct_not_column", "correct_not_column#mean", "correct_not_column#first"),
        "delta": ("one", "margin_missing", "margin_sign"),
        "loss_count": ("N", "loss_not_averaged", "loss_divided_by_classes"),
        "target": ("right", "count_not_subtracted", "minus_one_for_count", "count_overwrites"),
        "count": ("N", "gradient_not_averaged", "gradient_divided_by_classes", "gradient_divided_by_n_and_c"),
        "sign": ("", "gradient_sign"),
    },
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
        case.wrong("no_shift", "with 1000 added to every score, loss or gradient change; they should stay as they are")
    elif not agrees(apart[1], right[1], 1e-6):
        case.remark("shift_of_whole_array", "rows that lie 2000 apart: the gradient is wrong")
    elif not np.isfinite(wide[0]):
        case.remark("infinite_loss", "scores of order 1000: the loss is infinite, the gradient right")
