"""Convolution: the sum over a window, its three gradients, and the joined layers that stand on
it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from normlab.checker.compare import agrees
from normlab.checker.exam import Case, Examination, Failed, settle
from normlab.checker.family import Family
from normlab.checker.mistakes import convolution
from normlab.checker.mistakes.convolution import padded
from normlab.typing import Array


class Draw(NamedTuple):
    x: Array  # (N, C, H, W)
    w: Array  # (F, C, HH, WW)
    b: Array  # (F,)
    dout: Array  # (N, F, H', W')
    stride: int
    pad: int

    @property
    def param(self) -> dict[str, int]:
        return {"stride": self.stride, "pad": self.pad}


def draw(
    rng: np.random.Generator, image: tuple[int, int], window: tuple[int, int], stride: int, pad: int
) -> Draw:
    """Two images of three channels, and four filters; all other sizes as asked."""
    size = [1 + (length + 2 * pad - w) // stride for length, w in zip(image, window, strict=True)]
    return Draw(
        rng.normal(size=(2, 3, *image)),
        rng.normal(size=(4, 3, *window)),
        rng.normal(size=4) * 2,
        rng.normal(size=(2, 4, *size)),
        stride,
        pad,
    )


def usual(rng: np.random.Generator) -> list[Draw]:
    """Square images and filters, as in the notebook: two pads, two strides, and windows that
    fit."""
    shapes = ((5, 3, 1, 1), (7, 3, 2, 1), (6, 4, 2, 2), (4, 3, 1, 2))
    return [draw(rng, (size, size), (w, w), stride, pad) for size, w, stride, pad in shapes]


UNUSUAL = {
    "pad_zero": (((5, 5), (3, 3), 1, 0), ((4, 4), (2, 2), 2, 0)),
    "not_square": (((5, 7), (3, 3), 1, 1), ((5, 5), (3, 1), 2, 1), ((4, 6), (2, 4), 2, 1)),
    "rest": (((6, 6), (3, 3), 2, 1), ((5, 6), (2, 2), 3, 1)),
}
"""What no cell of the notebook asks: image, window, stride, pad."""


def _windows(
    z: Array, window: tuple[int, ...], strides: tuple[int, int], size: tuple[int, ...]
) -> Array:
    """(N, C, H', W', HH, WW): so many windows, so far apart."""
    views = sliding_window_view(z, window, axis=(2, 3))
    return views[:, :, :: strides[0], :: strides[1]][:, :, : size[0], : size[1]]


def _forward(d: Draw, pick: Mapping[str, Any]) -> Array | None:
    z, w = pick["padded"](d.x, d.pad), pick["kernel"](d.w)
    size = [1 + (z.shape[a] - w.shape[a]) // d.stride for a in (2, 3)]
    if min(size) < 1:
        return None
    channels = pick["channels"](z.shape[1])
    windows = _windows(z, w.shape[2:], pick["strides"](d.stride), tuple(size))[:, channels]
    products = np.einsum("ncijpq,fcpq->nfij", windows, w[:, channels]) * pick["scale"](w)
    return np.asarray(products + pick["bias"](d.b, z.shape[1])[:, None, None])


FORWARD = Family(
    {
        "padded": padded,
        "strides": lambda s: (s, s),
        "kernel": lambda w: w,
        "channels": lambda c: slice(None),
        "scale": lambda w: 1,
        "bias": lambda b, c: b,
    },
    tuple(convolution.CONV_FORWARD.values()),
    _forward,
)


def _db(d: Draw, pick: Mapping[str, Any]) -> Array:
    return np.asarray(pick["db_sum"](d.dout))


def _dw(d: Draw, pick: Mapping[str, Any]) -> Array:
    z = pick["dw_padded"](d.x, d.pad)
    windows = _windows(z, d.w.shape[2:], pick["dw_strides"](d.stride), d.dout.shape[2:])
    some = pick["dw_windows"]
    dw = np.einsum("nfij,ncijpq->fcpq", d.dout[some], windows[some])
    return np.asarray(pick["dw_turn"](dw) * pick["dw_scale"](len(d.x)))


def _dx(d: Draw, pick: Mapping[str, Any]) -> Array:
    H, W = d.x.shape[2:]
    HH, WW = d.w.shape[2:]
    (down, right), filters = pick["dx_strides"](d.stride), pick["dx_filters"]
    w, dout = pick["dx_kernel"](d.w)[filters], d.dout[:, filters]
    dz = np.zeros((*d.x.shape[:2], H + 2 * d.pad, W + 2 * d.pad))
    for i, j in np.ndindex(*dout.shape[2:]):
        place = np.s_[:, :, i * down : i * down + HH, j * right : j * right + WW]
        here = np.tensordot(dout[:, :, i, j], w, 1)
        dz[place] = here + (dz[place] if pick["add"] else 0)
    return np.asarray(pick["crop"](dz, d.pad, H, W) * pick["dx_scale"](len(d.x)))


MISTAKES = tuple(convolution.CONV_BACKWARD.values())
DB = Family({"db_sum": lambda dout: dout.sum((0, 2, 3))}, MISTAKES, _db)
DW = Family(
    {
        "dw_padded": padded,
        "dw_strides": lambda s: (s, s),
        "dw_windows": np.s_[:],
        "dw_turn": lambda dw: dw,
        "dw_scale": lambda n: 1,
    },
    MISTAKES,
    _dw,
)
DX = Family(
    {
        "dx_strides": lambda s: (s, s),
        "dx_filters": np.s_[:],
        "dx_kernel": lambda w: w,
        "add": True,
        "crop": lambda dz, pad, H, W: dz[:, :, pad : pad + H, pad : pad + W],
        "dx_scale": lambda n: 1,
    },
    MISTAKES,
    _dx,
)
GRADIENTS = (("dx", DX), ("dw", DW), ("db", DB))


def examine(exam: Examination) -> None:
    """Judge conv_forward_naive and conv_backward_naive, where they are there."""
    for name, topic, steps in (
        ("conv_forward_naive", "conv_forward", _examine_forward),
        ("conv_backward_naive", "conv_backward", _examine_backward),
    ):
        if exam.has(name):
            settle(Case(exam, name, topic), steps, exam.random(170))


def _examine_forward(case: Case, rng: np.random.Generator) -> None:
    def run(d: Draw) -> Any:
        return case.forward("conv_forward_naive", d.x, d.w, d.b, d.param)[0]

    draws = usual(rng)
    if not case.explain(FORWARD, draws, run):
        return
    case.exam.fine["conv_forward_naive.usual"] = True
    d = draws[1]
    _, _, outcome = case.forward("conv_forward_naive", d.x, d.w, d.b, d.param)
    case.untouched((d.x, d.w, d.b), outcome, ("x", "w", "b"))
    for key, shapes in UNUSUAL.items():
        _examine_unusual(case, key, [draw(rng, *shape) for shape in shapes], run, FORWARD)


def _examine_unusual(
    case: Case, key: str, draws: Sequence[Draw], run: Any, family: Family, what: str = "out"
) -> None:
    """What is right on ordinary input, on input that no cell has."""
    try:
        seen = [(d, run(d)) for d in draws]
        if family.explain(seen, 0) == ():
            return
        evidence = f"{what} is wrong for {_told(draws[0])}"
    except Failed as failure:
        evidence = f"{what}: raises {failure.raised} for {_told(draws[0])}"
    if key == "rest":
        case.remark(key, evidence)
    else:
        case.wrong(key, evidence)


def _told(d: Draw) -> str:
    return f"x of shape {d.x.shape}, w {d.w.shape}, {d.param}"


def _examine_backward(case: Case, rng: np.random.Generator) -> None:
    draws = usual(rng)
    known: list[tuple[Draw, tuple[Any, ...]]] = []

    def gradients(d: Draw) -> tuple[Any, ...]:
        found = next((results for asked, results in known if asked is d), None)
        if found is None:
            _, cache, _ = case.forward("conv_forward_naive", d.x, d.w, d.b, d.param)
            outcome = case.call("conv_backward_naive", d.dout, cache)
            found = case.results(outcome.value, ("dx", "dw", "db"))
            known.append((d, found))
            case.untouched((d.dout,), outcome, ("dout",))
        return found

    if not case.exam.fine.get("conv_forward_naive.usual"):
        if _fits_its_own_forward(case, draws, gradients):
            case.follows(["conv_forward_naive"])
        else:
            case.waiting(["conv_forward_naive"])
        return
    right = [
        case.explain(family, draws, lambda d, w=which: gradients(d)[w], what=name)  # type: ignore[misc]
        for which, (name, family) in enumerate(GRADIENTS)
    ]
    if not all(right):
        return
    for key, shapes in UNUSUAL.items():
        if case.exam.subject.inventory and _forward_stands(case, key):
            others = [draw(rng, *shape) for shape in shapes]
            for which, (name, family) in enumerate(GRADIENTS):
                _examine_unusual(
                    case, key, others, lambda d, w=which: gradients(d)[w], family, name
                )  # fmt: skip


def _forward_stands(case: Case, key: str) -> bool:
    """Whether the forward pass is right on that kind of input: backward cannot be asked
    otherwise."""
    return not any(f.fault == f"conv_forward_naive.{key}" for f in case.exam.findings)


def _fits_its_own_forward(case: Case, draws: Sequence[Draw], gradients: Any) -> bool:
    """Whether the gradients are those of the forward pass that is there: it is linear in x, in w
    and in b."""
    try:
        for d in draws:
            base, _, _ = case.forward("conv_forward_naive", d.x, d.w, d.b, d.param)
            found = gradients(d)
            if np.shape(base) != d.dout.shape:
                return False
            for which in range(3):
                moved = [d.x, d.w, d.b]
                step = case.exam.random(171 + which).normal(size=moved[which].shape)
                moved[which] = moved[which] + step
                ahead, _, _ = case.forward("conv_forward_naive", *moved, d.param)
                slope = np.asarray(((np.asarray(ahead) - base) * d.dout).sum())
                if np.shape(found[which]) != step.shape or not agrees(
                    (found[which] * step).sum(), slope, 1e-8
                ):
                    return False
    except (Failed, TypeError, ValueError):
        return False
    return True
