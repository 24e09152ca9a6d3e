"""Max pooling, where it is there: windows that are not square, overlap or leave a rest, and
ties."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from normlab.checker.exam import Case, Examination, Failed, Unwritten, far, settle
from normlab.checker.family import Family
from normlab.checker.mistakes.pooling import BACKWARD as BACKWARD_MISTAKES
from normlab.checker.mistakes.pooling import FORWARD as FORWARD_MISTAKES
from normlab.typing import Array


class Draw(NamedTuple):
    """Images (N, C, H, W), the window, the stride, and a dout of the output's shape."""

    x: Array
    window: tuple[int, int]
    stride: int
    dout: Array

    @property
    def param(self) -> dict[str, int]:
        return {"pool_height": self.window[0], "pool_width": self.window[1], "stride": self.stride}

    @property
    def is_square(self) -> bool:
        return self.x.shape[2] == self.x.shape[3] and self.window[0] == self.window[1]


def _pooled(d: Draw, pick: Mapping[str, Any]) -> Array:
    n, c, h, w = d.x.shape
    (ph, pw), s = d.window, d.stride
    rows, columns = pick["height"](h, w, ph, pw, s), pick["width"](h, w, ph, pw, s)
    (down, along), (tall, wide) = pick["step"](ph, pw, s), pick["window"](ph, pw)
    out = np.zeros((n, c, max(rows, 0), max(columns, 0)))
    for i, j in np.ndindex(*out.shape[2:]):
        window = d.x[:, :, i * down : i * down + tall, j * along : j * along + wide]
        out[:, :, i, j] = pick["reduce"](window, axis=(2, 3))
    return out


FORWARD = Family(
    {
        "height": lambda h, w, ph, pw, s: 1 + (h - ph) // s,
        "width": lambda h, w, ph, pw, s: 1 + (w - pw) // s,
        "window": lambda ph, pw: (ph, pw),
        "step": lambda ph, pw, s: (s, s),
        "reduce": np.max,
    },
    FORWARD_MISTAKES,
    _pooled,
)


def _first_maximum(window: Array) -> Array:
    share = np.zeros(window.shape)
    share[np.unravel_index(window.argmax(), window.shape)] = 1.0
    return share


def _back(d: Draw, pick: Mapping[str, Any]) -> Array:
    dx, (ph, pw), s = np.zeros(d.x.shape), d.window, d.stride
    for n, c, i, j in np.ndindex(*d.dout.shape):
        place = (n, c, slice(i * s, i * s + ph), slice(j * s, j * s + pw))
        share = pick["share"](d.x[place])
        new = share * pick["dout"](d.dout[n, c, i, j])
        dx[place] = np.where(share != 0, pick["arrive"](dx[place], new), dx[place])
    return dx


BACKWARD = Family(
    {"share": _first_maximum, "dout": lambda dout: dout, "arrive": lambda old, new: old + new},
    BACKWARD_MISTAKES,
    _back,
)


def pooled(x: Array, size: int, stride: int, dout: Array | None = None) -> Array:
    """The maxima of square windows or, given dout, dx with each gradient at its window's first
    maximum."""
    d = Draw(x, (size, size), stride, np.zeros(0) if dout is None else dout)
    return np.asarray(FORWARD.value(d) if dout is None else BACKWARD.value(d))


CASES = (
    (4, 4, 2, 2, 2),
    (5, 5, 3, 3, 1),
    (5, 5, 2, 2, 2),
    (5, 8, 2, 3, 2),
    (8, 5, 3, 2, 2),
    (4, 6, 2, 2, 2),
)
"""Images and windows, square and not, and the stride: it leaves a rest in the third and after."""


def _draws(rng: np.random.Generator) -> list[Draw]:
    draws = []
    for h, w, ph, pw, s in CASES:
        x = rng.normal(size=(2, 3, h, w))
        draws.append(
            Draw(x, (ph, pw), s, rng.normal(size=(2, 3, 1 + (h - ph) // s, 1 + (w - pw) // s)))
        )
    return draws


def examine(exam: Examination) -> None:
    """Judge max_pool_forward_naive and max_pool_backward_naive, where they are there."""
    for name, steps in (
        ("max_pool_forward_naive", _forward),
        ("max_pool_backward_naive", _backward),
    ):
        if exam.has(name):
            case = Case(exam, name, "pooling")
            settle(case, steps, exam.random(150))


def _judge(case: Case, family: Family, draws: list[Draw], run: Any, what: str) -> bool:
    """Judge by the draws on which it does not raise; where it raises on some alone, say on
    which."""
    seen, failed = [], None
    for d in draws:
        try:
            seen.append((d, run(d)))
        except Failed as failure:
            failed = failed or failure
    if not seen and failed is not None:
        raise failed
    keys = family.explain(seen)
    evidence = f"{what}: {far(family, seen)}" + (
        f"; raises on other sizes ({failed.raised})" if failed else ""
    )
    if keys == () and failed is None:
        return True
    if keys:
        for key in keys:
            (case.remark if family.is_harmless(key) else case.wrong)(key, evidence)
    elif keys == () and failed is not None and all(d.is_square for d, _ in seen):
        case.wrong("only_square", str(failed.raised), line=failed.raised.line)
    elif failed is not None and keys == ():
        raise failed
    else:
        case.wrong("unexplained", evidence, named=False, what=what)
    return False


def _forward(case: Case, rng: np.random.Generator) -> None:
    draws = _draws(rng)

    def run(d: Draw) -> Any:
        out, _, outcome = case.forward(case.function, d.x, d.param)
        case.untouched((d.x,), outcome, ("x",))
        return out

    square = [d for d in draws if d.is_square]
    right = _judge(case, FORWARD, draws, run, "the output")
    if not right:
        try:
            right = FORWARD.explain([(d, run(d)) for d in square], 0) == ()
        except Failed:
            right = False
    case.exam.fine[f"{case.function}.square"] = right


def _backward(case: Case, rng: np.random.Generator) -> None:
    forward = "max_pool_forward_naive"
    if not case.exam.fine.get(f"{forward}.square"):
        case.waiting([forward])
        return
    draws = [d for d in _draws(rng) if d.is_square or case.exam.fine.get(forward)]

    def run(d: Draw) -> Any:
        dx = case.call(case.function, d.dout, case.forward(forward, d.x, d.param)[1]).value
        if dx is None:
            raise Unwritten
        return dx

    _judge(case, BACKWARD, draws, run, "dx")
    constant = Draw(np.ones((1, 1, 2, 2)), (2, 2), 2, np.ones((1, 1, 1, 1)))
    shared = run(constant)
    if (
        isinstance(shared, np.ndarray)
        and np.count_nonzero(shared) > 1
        and not case.found("spread_over_window")
    ):
        case.remark("ties_to_all", "in a constant window every entry gets the gradient")
