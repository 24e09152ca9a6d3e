"""ReLU: max(0, x), and the mask that lets a gradient through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from normlab.checker.compare import agrees
from normlab.checker.exam import Case, Examination, Failed, Unwritten, settle
from normlab.checker.family import Family
from normlab.checker.mistakes.relu import RELU_BACKWARD, RELU_FORWARD
from normlab.checker.slopes import CLOSE, slope
from normlab.typing import Array


class Draw(NamedTuple):
    x: Array
    dout: Array


FORWARD = Family(
    {"value": lambda x: np.maximum(x, 0)},
    tuple(RELU_FORWARD.values()),
    lambda d, pick: np.asarray(pick["value"](d.x)),
)
BACKWARD = Family(
    {"mask": lambda x, dout: x > 0, "dout": lambda dout: dout},
    tuple(RELU_BACKWARD.values()),
    lambda d, pick: np.asarray(pick["mask"](d.x, d.dout) * pick["dout"](d.dout)),
)


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
    if not case.exam.is_judged("relu_forward"):
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

    if not case.exam.fine.get("relu_forward"):
        _judge_by_slopes(case, draws, run)
        return
    if case.explain(BACKWARD, draws, run):
        zero = Draw(np.zeros((2, 2)), np.ones((2, 2)))
        try:
            at_zero = run(zero)
        except Failed:
            return
        if agrees(at_zero, np.ones((2, 2))):
            case.remark("gradient_at_zero")


def _judge_by_slopes(case: Case, draws: list[Draw], run: Callable[[Draw], Any]) -> None:
    """A wrong forward pass has slopes too: backward is right if it gives these, or the right
    one's."""
    apart = [
        d._replace(x=d.x + 0.1 * np.sign(d.x)) for d in draws
    ]  # no slope is asked for at the kink
    try:
        seen = [(d, run(d)) for d in apart]
        own = all(agrees(value, _slope(case, d), CLOSE) for d, value in seen)
    except (Failed, ValueError):
        case.waiting(["relu_forward"])
        return
    keys = () if own else BACKWARD.explain(seen)
    if keys is None:
        case.waiting(["relu_forward"])
        return
    case.follows(["relu_forward"])
    for key in keys:
        case.wrong(key, "dx is no slope of this relu_forward, and not that of a right one")


def _slope(case: Case, d: Draw) -> Array:
    return slope(lambda x: np.asarray(case.forward("relu_forward", x)[0]), d.x, d.dout)
