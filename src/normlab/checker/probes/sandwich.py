"""affine_relu: two layers in a row, and backward in the reverse order."""

from __future__ import annotations

import numpy as np

from normlab.checker.compare import agrees
from normlab.checker.exam import Case, Examination, settle

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
        _say(case, "the output")


def _backward(case: Case, rng: np.random.Generator) -> None:
    if not case.exam.fine.get("affine_relu_forward"):
        case.waiting(["affine_relu_forward"])
        return
    x, w, b = rng.normal(size=(3, 2, 4)), rng.normal(size=(8, 5)), rng.normal(size=5)
    dout = rng.normal(size=(3, 5))
    cache = case.forward("affine_relu_forward", x, w, b)[1]
    seen = case.results(case.call(case.function, dout, cache).value, ("dx", "dw", "db"))
    through = dout * (x.reshape(3, -1) @ w + b > 0)
    right = ((through @ w.T).reshape(x.shape), x.reshape(3, -1).T @ through, through.sum(0))
    off = [name for name, s, r in zip(("dx", "dw", "db"), seen, right, strict=True) if not agrees(s, r)]
    if off:
        _say(case, " and ".join(off))


def _say(case: Case, what: str) -> None:
    """Wrong for a reason of its own only where all that it stands on is right."""
    below = [name for name in STANDS_ON if case.exam.fine.get(name) is False]
    if below:
        case.waiting(below)
    else:
        case.wrong("unexplained", f"{what} differs from affine followed by ReLU", named=False, what=what)
