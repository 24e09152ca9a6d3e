"""affine_relu: two layers in a row, and backward in the reverse order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from normlab.checker.compare import agrees
from normlab.checker.exam import Case, Examination, Failed, Unwritten, settle
from normlab.typing import Array

STANDS_ON = ("affine_forward", "affine_backward", "relu_forward", "relu_backward")


def examine(exam: Examination) -> None:
    """Judge affine_relu_forward and affine_relu_backward, where they are there."""
    for name, steps in (("affine_relu_forward", _forward), ("affine_relu_backward", _backward)):
        if exam.has(name):
            settle(Case(exam, name, "general"), steps, exam.random(160))


def _forward(case: Case, rng: np.random.Generator) -> None:
    x, w, b = rng.normal(size=(3, 2, 4)), rng.normal(size=(8, 5)), rng.normal(size=5)
    out = case.forward(case.function, x, w, b)[0]
    if not agrees(out, np.maximum(0, x.reshape(3, -1) @ w + b)):
        _say(case, "the output", (out,), lambda: (_own(case, x, w, b)[0],))


def _backward(case: Case, rng: np.random.Generator) -> None:
    if not case.exam.is_judged("affine_relu_forward"):
        case.waiting(["affine_relu_forward"])
        return
    x, w, b = rng.normal(size=(3, 2, 4)), rng.normal(size=(8, 5)), rng.normal(size=5)
    dout = rng.normal(size=(3, 5))
    cache = case.forward("affine_relu_forward", x, w, b)[1]
    seen = case.results(case.call(case.function, dout, cache).value, ("dx", "dw", "db"))
    through = dout * (x.reshape(3, -1) @ w + b > 0)
    right = ((through @ w.T).reshape(x.shape), x.reshape(3, -1).T @ through, through.sum(0))
    names = ("dx", "dw", "db")
    off = [name for name, s, r in zip(names, seen, right, strict=True) if not agrees(s, r)]
    if off:
        _say(case, " and ".join(off), seen, lambda: _own_back(case, dout, x, w, b))


def _own(case: Case, x: Array, w: Array, b: Array) -> tuple[Array, Any, Any]:
    """The person's own two layers, one after the other."""
    a, fc, _ = case.forward("affine_forward", x, w, b)
    out, relu, _ = case.forward("relu_forward", a)
    return out, fc, relu


def _own_back(case: Case, dout: Array, x: Array, w: Array, b: Array) -> tuple[Any, ...]:
    _, fc, relu = _own(case, x, w, b)
    through = case.call("relu_backward", dout, relu).value
    return case.results(case.call("affine_backward", through, fc).value, ("dx", "dw", "db"))


def _say(
    case: Case, what: str, seen: tuple[Any, ...], composed: Callable[[], tuple[Any, ...]]
) -> None:
    """Right where it is what the person's own layers make together, these being wrong."""
    below = [name for name in STANDS_ON if case.exam.fine.get(name) is False]
    try:
        own = composed() if below else ()
    except (Failed, Unwritten):
        own = ()
    if own and all(agrees(s, np.asarray(o)) for s, o in zip(seen, own, strict=True)):
        case.follows(below)
    elif below:
        case.waiting(below)
    else:
        evidence = f"{what} differs from affine followed by ReLU"
        case.wrong("unexplained", evidence, named=False, what=what)
