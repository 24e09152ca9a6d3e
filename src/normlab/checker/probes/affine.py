"""Affine layers: out = x·w + b with x flattened row by row, and its three gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from normlab.checker.compare import agrees
from normlab.checker.exam import Case, Examination, Failed, settle
from normlab.checker.family import Family
from normlab.typing import Array


class Draw(NamedTuple):
    x: Array
    w: Array
    b: Array
    dout: Array


def draw(rng: np.random.Generator, n: int, dims: tuple[int, ...], m: int) -> Draw:
    """x (n, *dims), w (D, m), b (m,), dout (n, m)."""
    d = int(np.prod(dims))
    return Draw(rng.normal(size=(n, *dims)), rng.normal(size=(d, m)), rng.normal(size=m) * 2, rng.normal(size=(n, m)))


def _forward(d: Draw, choice: Mapping[str, str]) -> Array:
    n = d.x.shape[0]
    flat = {
        "rows": d.x.reshape(n, -1),
        "wrong_memory_order": d.x.reshape(-1, n).T,
        "wrong_memory_order#fortran": d.x.reshape(n, -1, order="F"),
        "wrong_memory_order#transposed": d.x.T.reshape(n, -1),
    }[choice["flatten"]]
    bias = {"plus": 1, "bias_missing": 0, "bias_sign": -1, "bias_twice": 2}[choice["bias"]]
    return np.asarray(flat @ d.w + bias * d.b)


FORWARD = Family(
    {
        "flatten": ("rows", "wrong_memory_order", "wrong_memory_order#fortran", "wrong_memory_order#transposed"),
        "bias": ("plus", "bias_missing", "bias_sign", "bias_twice"),
    },
    _forward,
)

FACTORS = (
    "", "divided_by_n", "times_n", "sign", "divided_by_count", "divided_by_count#m", "factor_two", "factor_two#half",
)  # fmt: skip


def _factor(d: Draw, option: str) -> float:
    """What a gradient is multiplied by under a choice such as `dw_divided_by_n`."""
    n, (count, m) = d.x.shape[0], d.w.shape
    factors = (1.0, 1 / n, n, -1.0, 1 / count, 1 / m, 2.0, 0.5)
    return float(factors[FACTORS.index(option.partition("_")[2])])


def _options(output: str) -> tuple[str, ...]:
    return tuple(f"{output}_{name}" for name in FACTORS)


def _db(d: Draw, choice: Mapping[str, str]) -> Array:
    summed = {
        "axis 0": d.dout.sum(0), "db_keepdims": d.dout.sum(0, keepdims=True), "db_wrong_axis": d.dout.sum(1),
        "db_wrong_axis#kept": d.dout.sum(1, keepdims=True), "db_whole_array": d.dout.sum(),
        "db_not_summed": d.dout, "db_ones": np.ones(d.b.shape),
    }[choice["sum"]]  # fmt: skip
    return np.asarray(summed * _factor(d, choice["count"]))


DB = Family(
    {
        "sum": (
            "axis 0",
            "db_keepdims",
            "db_wrong_axis",
            "db_wrong_axis#kept",
            "db_whole_array",
            "db_not_summed",
            "db_ones",
        ),
        "count": _options("db"),
    },
    _db,
)
DW = Family({"count": _options("dw")}, lambda d, c: _factor(d, c["count"]) * (d.x.reshape(len(d.x), -1).T @ d.dout))


def _dx(d: Draw, choice: Mapping[str, str]) -> Array:
    flat = d.dout @ (d.w if choice["product"] else d.w.T)
    shape = d.x.shape if choice["shape"] == "" else flat.shape
    return np.asarray(_factor(d, choice["count"]) * flat.reshape(shape))


DX = Family(
    {"product": ("", "dx_w_not_transposed"), "shape": ("", "dx_not_reshaped"), "count": _options("dx")},
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
    draws = [draw(rng, n, dims, m) for n, dims, m in ((3, (2, 4), 5), (4, (3, 2, 2), 3), (5, (6,), 4), (6, (6,), 6))]
    flat = [d for d in draws if d.x.ndim == 2]
    case.exam.fine["affine_forward.flat"] = False

    def run(d: Draw) -> Any:
        return case.forward("affine_forward", d.x, d.w, d.b)[0]

    try:
        right_flat = FORWARD.explain([(d, run(d)) for d in flat]) == ()
    except Failed:
        right_flat = False
    case.exam.fine["affine_forward.flat"] = right_flat
    case.explain(FORWARD, draws, run, square=flat, raises="not_flattened" if right_flat else "raises")
    if case.verdict == "right":
        for d in draws:
            _, _, outcome = case.forward("affine_forward", d.x, d.w, d.b)
            case.untouched((d.x, d.w, d.b), outcome, ("x", "w", "b"))


def _examine_backward(case: Case, rng: np.random.Generator) -> None:
    if not case.exam.fine.get("affine_forward.flat"):
        case.waiting(["affine_forward"])
        return
    trailing = case.exam.fine.get("affine_forward", False)
    shapes = ((3, (2, 4), 5), (4, (3, 2, 2), 3), (5, (6,), 4)) if trailing else ((3, (7,), 5), (5, (6,), 4))
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
                agrees(a, np.asarray(v)) for a, v in zip(again or (), results[id(d)], strict=False) if v is not None
            ):
                case.wrong("not_repeatable", "two calls on one cache gave two answers")
            case.untouched((d.dout,), outcome, ("dout",))
        return results[id(d)][which]

    for which, (name, family) in enumerate((("dx", DX), ("dw", DW), ("db", DB))):
        case.explain(family, draws, lambda d, w=which: gradients(d, w), square=square, what=name)  # type: ignore[misc]
