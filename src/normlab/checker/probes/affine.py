"""Affine layers: out = x·w + b with x flattened row by row, and its three gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from normlab.checker.compare import agrees
from normlab.checker.exam import Case, Examination, Failed, settle
from normlab.checker.family import Family
from normlab.checker.mistakes import affine
from normlab.checker.slopes import CLOSE, slope
from normlab.typing import Array


class Draw(NamedTuple):
    x: Array
    w: Array
    b: Array
    dout: Array


def draw(rng: np.random.Generator, n: int, dims: tuple[int, ...], m: int) -> Draw:
    """x (n, *dims), w (D, m), b (m,), dout (n, m)."""
    d = int(np.prod(dims))
    return Draw(
        rng.normal(size=(n, *dims)),
        rng.normal(size=(d, m)),
        rng.normal(size=m) * 2,
        rng.normal(size=(n, m)),
    )


def _forward(d: Draw, pick: Mapping[str, Any]) -> Array:
    return np.asarray(pick["flatten"](d.x) @ d.w + pick["bias"](d.b))


FORWARD = Family(
    {"flatten": lambda x: x.reshape(len(x), -1), "bias": lambda b: b},
    tuple(affine.AFFINE_FORWARD.values()),
    _forward,
)


def _sizes(d: Draw) -> tuple[int, int, int]:
    return len(d.x), *d.w.shape


def _db(d: Draw, pick: Mapping[str, Any]) -> Array:
    return np.asarray(pick["db_sum"](d.dout) * pick["db_factor"](*_sizes(d)))


def _dw(d: Draw, pick: Mapping[str, Any]) -> Array:
    return np.asarray(d.x.reshape(len(d.x), -1).T @ d.dout * pick["dw_factor"](*_sizes(d)))


def _dx(d: Draw, pick: Mapping[str, Any]) -> Array:
    flat = pick["product"](d.dout, d.w) * pick["dx_factor"](*_sizes(d))
    return np.asarray(pick["shape"](flat, d.x))


def _one(*sizes: int) -> float:
    return 1.0


MISTAKES = tuple(affine.AFFINE_BACKWARD.values())
DB = Family({"db_sum": lambda dout: dout.sum(0), "db_factor": _one}, MISTAKES, _db)
DW = Family({"dw_factor": _one}, MISTAKES, _dw)
DX = Family(
    {
        "product": lambda dout, w: dout @ w.T,
        "shape": lambda flat, x: flat.reshape(x.shape),
        "dx_factor": _one,
    },
    MISTAKES,
    _dx,
)


def examine(exam: Examination) -> None:
    """Judge affine_forward and affine_backward, where they are there."""
    rng = exam.random(1)
    if exam.has("affine_forward"):
        case = Case(exam, "affine_forward", "affine_forward")
        settle(case, _examine_forward, rng)
    if exam.has("affine_backward"):
        case = Case(exam, "affine_backward", "affine_backward")
        settle(case, _examine_backward, rng)


def _examine_forward(case: Case, rng: np.random.Generator) -> None:
    draws = [
        draw(rng, n, dims, m)
        for n, dims, m in ((3, (2, 4), 5), (4, (3, 2, 2), 3), (5, (6,), 4), (6, (6,), 6))
    ]
    flat = [d for d in draws if d.x.ndim == 2]
    case.exam.fine["affine_forward.flat"] = False

    def run(d: Draw) -> Any:
        return case.forward("affine_forward", d.x, d.w, d.b)[0]

    try:
        right_flat = FORWARD.explain([(d, run(d)) for d in flat]) == ()
    except Failed:
        right_flat = False
    case.exam.fine["affine_forward.flat"] = right_flat
    case.explain(
        FORWARD, draws, run, square=flat, raises="not_flattened" if right_flat else "raises"
    )
    if case.verdict == "right":
        for d in draws:
            _, _, outcome = case.forward("affine_forward", d.x, d.w, d.b)
            case.untouched((d.x, d.w, d.b), outcome, ("x", "w", "b"))


def _examine_backward(case: Case, rng: np.random.Generator) -> None:
    if not case.exam.is_judged("affine_forward"):
        case.waiting(["affine_forward"])
        return
    trailing = case.exam.fine.get("affine_forward", False)
    shapes = (
        ((3, (2, 4), 5), (4, (3, 2, 2), 3), (5, (6,), 4))
        if trailing
        else ((3, (7,), 5), (5, (6,), 4))
    )
    draws = [draw(rng, n, dims, m) for n, dims, m in shapes]
    square = [draw(rng, n, (n,), n) for n in (4, 5)]
    results: dict[int, tuple[Array, ...]] = {}

    def gradients(d: Draw, which: int) -> Array:
        if id(d) not in results:
            _, cache, _ = case.forward("affine_forward", d.x, d.w, d.b)
            outcome = case.call("affine_backward", d.dout, cache)
            results[id(d)] = case.results(outcome.value, ("dx", "dw", "db"))
            again = case.call("affine_backward", d.dout, cache).value
            if not all(
                agrees(a, np.asarray(v))
                for a, v in zip(again or (), results[id(d)], strict=False)
                if v is not None
            ):
                case.wrong("not_repeatable", "two calls on one cache gave two answers")
            case.untouched((d.dout,), outcome, ("dout",))
        return results[id(d)][which]

    families = (("dx", DX), ("dw", DW), ("db", DB))
    if not case.exam.fine.get("affine_forward.flat"):
        _judge_on_wrong_forward(case, draws, gradients, families)
        return
    for which, (name, family) in enumerate(families):
        case.explain(family, draws, partial(_one_of, gradients, which), square=square, what=name)


def _one_of(gradients: Callable[[Draw, int], Array], which: int, d: Draw) -> Array:
    return gradients(d, which)


def _judge_on_wrong_forward(
    case: Case,
    draws: list[Draw],
    gradients: Callable[[Draw, int], Array],
    families: tuple[tuple[str, Family], ...],
) -> None:
    """Right are the slopes of the person's own forward pass, and those of a right one."""
    try:
        keys: list[tuple[str, ...] | None] = [()]
        if not _are_slopes(case, draws[:1], gradients):
            keys = [
                f.explain([(d, gradients(d, i)) for d in draws])
                for i, (_, f) in enumerate(families)
            ]
    except (Failed, ValueError):
        keys = [None]
    if None in keys:
        case.waiting(["affine_forward"])
        return
    case.follows(["affine_forward"])
    for key in dict.fromkeys(key for several in keys for key in several or ()):
        case.wrong(key, "not the slope of this affine_forward, and not that of a right one")


def _are_slopes(case: Case, draws: list[Draw], gradients: Callable[[Draw, int], Array]) -> bool:
    """Whether the gradients are the slopes of the person's own forward pass, which is a wrong
    one."""

    def output(x: Array, w: Array, b: Array) -> Array:
        return np.asarray(case.forward("affine_forward", x, w, b)[0])

    def are(d: Draw) -> bool:
        right = (
            slope(lambda x: output(x, d.w, d.b), d.x, d.dout),
            slope(lambda w: output(d.x, w, d.b), d.w, d.dout),
            slope(lambda b: output(d.x, d.w, b), d.b, d.dout),
        )
        return all(agrees(gradients(d, i), value, CLOSE) for i, value in enumerate(right))

    try:
        return all(are(d) for d in draws)
    except (Failed, ValueError):
        return False
