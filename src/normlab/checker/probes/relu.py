"""ReLU: max(0, x), and the mask that lets a gradient through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from normlab.checker.compare import agrees
from normlab.checker.exam import Case, Examination, Failed, Unwritten, settle
from normlab.checker.family import Family
from normlab.typing import Array


class Draw(NamedTuple):
    x: Array
    dout: Array


def _forward(d: Draw, choice: Mapping[str, str]) -> Array:
    x = d.x
    value = {
        "max": np.maximum(x, 0), "absolute_value": np.abs(x), "leaky": np.where(x > 0, x, 0.01 * x),
        "leaky#tenth": np.where(x > 0, x, 0.1 * x), "identity": x, "mask_for_value": (x > 0) * 1.0,
        "minimum": np.minimum(x, 0), "whole_maximum": np.maximum(0, x.max()) + 0 * x,
        "whole_maximum#scalar": np.maximum(0, x.max()),
    }[choice["value"]]  # fmt: skip
    return np.asarray(value)


FORWARD = Family(
    {"value": ("max", "absolute_value", "leaky", "leaky#tenth", "identity", "mask_for_value", "minimum",
               "whole_maximum", "whole_maximum#scalar")},
    _forward,
)  # fmt: skip


def _backward(d: Draw, choice: Mapping[str, str]) -> Array:
    x, dout = d.x, d.dout
    mask = {
        "x": x > 0, "mask_of_dout": dout > 0, "mask_inverted": x < 0, "no_mask": np.ones(x.shape),
        "times_value": np.maximum(x, 0), "times_value#x": x, "leaky": np.where(x > 0, 1, 0.01),
        "mask_of_dout#both": (dout > 0) & (x > 0), "mask_inverted#equal": x <= 0,
    }[choice["mask"]]  # fmt: skip
    return np.asarray(
        mask * {"dout": dout, "dout_missing": 1.0, "dout_squared": dout * dout, "sign": -dout}[choice["dout"]]
    )


BACKWARD = Family(
    {
        "mask": ("x", "mask_of_dout", "mask_of_dout#both", "mask_inverted", "mask_inverted#equal", "no_mask",
                 "times_value", "times_value#x", "leaky"),
        "dout": ("dout", "dout_missing", "dout_squared", "sign"),
    },
    _backward,
)  # fmt: skip


def examine(exam: Examination) -> None:
    """Judge relu_forward and relu_backward, where they are there."""
    rng = exam.random(2)
    draws = [Draw(rng.normal(size=s), rng.normal(size=s)) for s in ((4, 5), (3, 2, 3), (6, 6))]
    if exam.has("relu_forward"):
        case = Case(exam, "relu_forward", "relu_forward")
        settle(case, _examine_forward, draws)
    if exam.has("relu_backward"):
        other = Case(exam, "relu_backward", "relu_backward")
        settle(other, _examine_backward, draws)


def _examine_forward(case: Case, draws: list[Draw]) -> None:
    right = case.explain(FORWARD, draws, lambda d: case.forward("relu_forward", d.x)[0])
    if right:
        d = draws[0]
        case.untouched((d.x,), case.forward("relu_forward", d.x)[2], ("x",))


def _examine_backward(case: Case, draws: list[Draw]) -> None:
    if not case.exam.fine.get("relu_forward"):
        case.waiting(["relu_forward"])
        return

    def run(d: Draw) -> Any:
        _, cache, _ = case.forward("relu_forward", d.x)
        outcome = case.call("relu_backward", d.dout, cache)
        if not case.untouched((d.dout,), outcome, ("dout",), key=""):
            case.remark("dout_overwritten")
        if not case.found("not_repeatable"):
            again = case.call("relu_backward", d.dout, cache).value
            if outcome.value is not None and not agrees(again, np.asarray(outcome.value)):
                case.wrong("not_repeatable", "two calls on one cache gave two answers")
        if outcome.value is None:
            raise Unwritten
        return outcome.value

    if case.explain(BACKWARD, draws, run):
        zero = Draw(np.zeros((2, 2)), np.ones((2, 2)))
        try:
            at_zero = run(zero)
        except Failed:
            return
        if agrees(at_zero, np.ones((2, 2))):
            case.remark("gradient_at_zero")
