"""Max pooling, where it is there: windows that overlap, and ties."""

from __future__ import annotations

import numpy as np

from normlab.checker.compare import agrees
from normlab.checker.exam import Case, Examination, settle
from normlab.typing import Array


def pooled(x: Array, size: int, stride: int, dout: Array | None = None, *, overwrite: bool = False) -> Array:
    """The maxima of each window or, given dout, dx with each gradient at its window's first maximum."""
    n, c, h, w = x.shape
    rows, columns = 1 + (h - size) // stride, 1 + (w - size) // stride
    out, dx = np.zeros((n, c, rows, columns)), np.zeros(x.shape)
    for i, j, r, k in np.ndindex(out.shape):
        window = x[i, j, r * stride : r * stride + size, k * stride : k * stride + size]
        out[i, j, r, k] = window.max()
        if dout is not None:
            a, b = np.unravel_index(window.argmax(), window.shape)
            place = (i, j, r * stride + int(a), k * stride + int(b))
            dx[place] = dout[i, j, r, k] + (0.0 if overwrite else dx[place])
    return out if dout is None else dx


def examine(exam: Examination) -> None:
    """Judge max_pool_forward_naive and max_pool_backward_naive, where they are there."""
    for name, steps in (("max_pool_forward_naive", _forward), ("max_pool_backward_naive", _backward)):
        if exam.has(name):
            case = Case(exam, name, "pooling")
            settle(case, steps, exam.random(150))


def _param(size: int, stride: int) -> dict[str, int]:
    return {"pool_height": size, "pool_width": size, "stride": stride}


def _forward(case: Case, rng: np.random.Generator) -> None:
    for size, stride in ((2, 2), (3, 1)):
        x = rng.normal(size=(2, 3, 4, 4))
        out = case.forward(case.function, x, _param(size, stride))[0]
        if not agrees(out, pooled(x, size, stride)):
            case.wrong("unexplained", f"window {size}, stride {stride}", named=False, what="the output")


def _backward(case: Case, rng: np.random.Generator) -> None:
    if not case.exam.fine.get("max_pool_forward_naive"):
        case.waiting(["max_pool_forward_naive"])
        return
    for size, stride in ((2, 2), (3, 1)):
        x = rng.normal(size=(2, 3, 4, 4))
        dout = rng.normal(size=pooled(x, size, stride).shape)
        cache = case.forward("max_pool_forward_naive", x, _param(size, stride))[1]
        dx = case.call(case.function, dout, cache).value
        if dx is None:
            case.unimplemented()
            return
        if not agrees(dx, pooled(x, size, stride, dout)):
            overwrites = agrees(dx, pooled(x, size, stride, dout, overwrite=True))
            case.wrong("overlap_overwritten" if overwrites else "unexplained", f"window {size}, stride {stride}",
                       named=overwrites, what="dx")  # fmt: skip
            return
    constant = np.ones((1, 1, 2, 2))
    cache = case.forward("max_pool_forward_naive", constant, _param(2, 2))[1]
    shared = case.call(case.function, np.ones((1, 1, 1, 1)), cache).value
    if isinstance(shared, np.ndarray) and np.count_nonzero(shared) > 1:
        case.remark("ties_to_all", "in a constant window every entry gets the gradient")
