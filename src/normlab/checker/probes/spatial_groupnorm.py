"""Group norm: layer norm of each group of channels, with a search over how the groups are cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from normlab.checker.coefficients import reasons
from normlab.checker.compare import SINGLE, TIGHT, agrees, distance
from normlab.checker.exam import Case, Examination, Failed, Unwritten, settle
from normlab.checker.family import Family
from normlab.checker.mistakes.images import GROUPS, OWN
from normlab.checker.mistakes.norm_forward import DIVISION, SCALING, STATISTICS
from normlab.checker.mistakes.record import spoiling
from normlab.checker.probes import norm_backward, norm_forward
from normlab.checker.probes.images import Images, draw, gradients, report, rows
from normlab.checker.slopes import CLOSE, slope
from normlab.checker.terms import Rows, basis
from normlab.typing import Array

WORDS = {
    "over": "the M values of a group",
    "other": "the other groups",
    "axis": "axis=(2, 3, 4)",
    "n": "M",
    "d": "another count",
}


def examine(exam: Examination) -> None:
    """Judge spatial_groupnorm_forward and spatial_groupnorm_backward, where they are there."""
    for name, steps, topic in (
        ("spatial_groupnorm_forward", _group_forward, "norm_forward"),
        ("spatial_groupnorm_backward", _group_backward, "norm_backward"),
    ):
        if exam.has(name):
            settle(Case(exam, name, topic, **WORDS), steps, exam.random(131))


def _sizes(d: Images) -> dict[str, int]:
    n, c, h, w = d.x.shape
    sizes = {
        "N": n,
        "C": c,
        "H": h,
        "W": w,
        "G": d.groups,
        "C/G": c // d.groups,
        "1": 1,
        "rest": -1,
    }
    return {**sizes, "HW": h * w, "NHW": n * h * w, "NHWC/G": n * h * w * (c // d.groups)}


def _group(d: Images, pick: Mapping[str, Any]) -> Array:
    split, sizes = pick["groups"], _sizes(d)
    ahead = d.x.transpose(split.order)
    x = ahead.reshape([sizes[letter] for letter in split.letters])
    over = {"axis": split.axes, "keepdims": True}
    mean = pick["mean"](x, over)
    var = pick["variance"](x, mean, over, x.size / mean.size)
    xhat = (
        (pick["centre"](x, mean) / pick["divisor"](var, d.flat.eps))
        .reshape(ahead.shape)
        .transpose(np.argsort(split.order))
    )
    column = (None, slice(None), None, None)
    return np.asarray(pick["affine"](xhat, d.flat.gamma[column], d.flat.beta[column]))


GROUP = Family(
    {
        "groups": OWN,
        "mean": norm_forward.STATISTICS["mean"],
        **norm_forward.CENTRE,
        "variance": norm_forward.STATISTICS["variance"],
        **norm_forward.SCALED,
    },
    (*GROUPS, *spoiling(STATISTICS, "mean", "centre", "variance"), *DIVISION, *SCALING),
    _group,
)

GROUP_SHAPES = (((2, 6, 4, 5), 3), ((3, 6, 2, 4), 2))


def _parameters(case: Case, d: Images) -> tuple[Array, Array, int, dict[str, Any]]:
    """gamma, beta, G and gn_param; gamma is (1, C, 1, 1), or (C,) where only that works: the years
    differ."""
    shape = (-1,) if case.exam.fine.get("spatial_groupnorm.flat") else (1, -1, 1, 1)
    return d.flat.gamma.reshape(shape), d.flat.beta.reshape(shape), d.groups, {"eps": d.flat.eps}


def _group_forward(case: Case, rng: np.random.Generator) -> None:
    draws = [draw(rng, shape, groups) for shape, groups in GROUP_SHAPES]

    outcome = case.exam.subject.call(
        case.function, draws[0].x, *_parameters(case, draws[0]), keep=(1,)
    )
    works = (
        outcome.error is None
        and isinstance(outcome.value, tuple)
        and np.shape(outcome.value[0]) == draws[0].x.shape
    )
    case.exam.fine["spatial_groupnorm.flat"] = not works and _takes_flat_gamma(case, draws[0])

    def run(d: Images) -> Array:
        out, _, outcome = case.forward(case.function, d.x, *_parameters(case, d))
        case.untouched((d.x,), outcome, ("x",))
        return case.array(out, "the output", d.x.shape)

    right = case.explain(GROUP, draws, run)
    case.exam.fine[f"{case.function}.train"] = right and case.verdict == "right"


def _group_backward(case: Case, rng: np.random.Generator) -> None:
    forward = "spatial_groupnorm_forward"
    draws = [draw(rng, shape, groups) for shape, groups in GROUP_SHAPES]
    if not case.exam.is_judged(forward):
        case.waiting([forward])
        return
    if not case.exam.fine.get(f"{forward}.train"):
        case.follows([forward])
        faults = case.exam.faults.get(forward, ())
        if norm_backward.EPS_FAULTS.issuperset(faults):  # so large an x that no ε is seen
            draws = [_without_eps(d) for d in draws]
        elif _are_slopes(case, rng, forward):
            return
        else:
            case.waiting([forward])
            return
    results = [gradients(case, d, forward, *_parameters(case, d)) for d in draws]
    dx = [case.array(r[0], "dx", d.x.shape) for r, d in zip(results, draws, strict=True)]
    _judge_group_dx(case, draws, dx)
    sums = []
    for d, r in zip(draws, results, strict=True):
        shape = (1, d.x.shape[1], 1, 1)
        if np.shape(r[1]) == np.shape(r[2]) == (d.x.shape[1],):
            if not _takes_flat_gamma(
                case, d
            ):  # right for a gamma of (C,): a convention, no mistake
                case.wrong(
                    "gradient_shape",
                    f"gamma has shape {shape}, dgamma {np.shape(r[1])}",
                    what="dgamma",
                )
            sums.append((_group_sums(d), (r[1], r[2])))
        elif np.shape(r[1]) == np.shape(r[2]) == shape:
            sums.append((_group_sums(d), (r[1].reshape(-1), r[2].reshape(-1))))
        elif r[1] is None or r[2] is None:
            raise Unwritten
        else:
            case.wrong(
                "gradient_shape",
                f"gamma has shape {shape}, dgamma {np.shape(r[1])}, dbeta {np.shape(r[2])}",
                what="dgamma",
            )
            return
    report(case, norm_backward.SUMS.explain(sums), forward, "dgamma and dbeta")


def _without_eps(d: Images) -> Images:
    """The draw with an x so large, and an ε so small, that its place cannot be seen."""
    return replace(d, x=d.x * 1e3, flat=d.flat._replace(x=d.flat.x * 1e3, eps=1e-12))


def _are_slopes(case: Case, rng: np.random.Generator, forward: str) -> bool:
    """Whether the gradients are the slopes of the person's own forward pass, which is a wrong
    one."""
    d = draw(rng, (2, 4, 1, 2), 2)
    gamma, beta, groups, param = _parameters(case, d)

    def output(x: Array, gamma: Array, beta: Array) -> Array:
        return np.asarray(case.forward(forward, x, gamma, beta, groups, param)[0])

    try:
        seen = gradients(case, d, forward, gamma, beta, groups, param)
        right = (
            slope(lambda x: output(x, gamma, beta), d.x, d.dout),
            slope(lambda g: output(d.x, g, beta), gamma, d.dout),
            slope(lambda b: output(d.x, gamma, b), beta, d.dout),
        )
    except (Failed, ValueError):
        return False
    return all(agrees(np.reshape(s, r.shape) if np.size(s) == r.size else s, r, CLOSE)
               for s, r in zip(seen, right, strict=True))  # fmt: skip


def _takes_flat_gamma(case: Case, d: Images) -> bool:
    """Whether gamma may be (C,) as well, as in some years: then gradients of that shape are the
    convention."""
    outcome = case.exam.subject.call(
        "spatial_groupnorm_forward",
        d.x,
        d.flat.gamma,
        d.flat.beta,
        d.groups,
        {"eps": d.flat.eps},
        keep=(1,),
    )
    right = GROUP.value(d)
    return (
        outcome.error is None
        and isinstance(outcome.value, tuple)
        and agrees(outcome.value[0], right)
    )


def _group_rows(d: Images) -> Rows:
    n, c, h, w = d.x.shape
    g = d.groups

    def grouped(a: Array) -> Array:
        return np.broadcast_to(a, d.x.shape).reshape(n * g, -1)

    column = (None, slice(None), None, None)
    others = {"N": n, "G": g, "C": c, "HW": h * w, "NG": n * g, "C/G": c // g}
    return Rows(
        grouped(d.x), grouped(d.dout), grouped(d.flat.gamma[column]), grouped(d.flat.beta[column]),
        d.flat.eps, others,
    )  # fmt: skip


def _judge_group_dx(case: Case, draws: list[Images], dx: list[Array]) -> None:
    laid = [_group_rows(d) for d in draws]
    right = [
        sum(basis(r), np.zeros(r.x.shape)).reshape(d.x.shape)
        for r, d in zip(laid, draws, strict=True)
    ]
    worst = max(distance(a, r) for a, r in zip(dx, right, strict=True))
    if worst <= TIGHT:
        return
    evidence = f"dx is off by {worst:.2g} of its largest value"
    if worst <= SINGLE:
        case.wrong("single_precision", evidence)
        return
    column = (None, slice(None), None, None)
    if all(
        agrees(a, d.dout) or agrees(a, d.dout * d.flat.gamma[column])
        for a, d in zip(dx, draws, strict=True)
    ):
        case.wrong("dx_is_dout", evidence)
        return
    found = reasons([(r, a.reshape(r.x.shape)) for r, a in zip(laid, dx, strict=True)])
    if found is not None and found.keys and found.certain:
        norm_backward.name_all(case, found, evidence)
    elif any(
        all(agrees(a, _over(d, axes, scaled)) for a, d in zip(dx, draws, strict=True))
        for axes, scaled in OVER
    ):
        case.wrong("reduced_over_part", evidence)
    else:
        case.wrong("unexplained", evidence, named=False, what="dx")


OVER = tuple(
    (axes, scaled)
    for axes in ((2,), (3, 4), (1, 2, 3, 4), (0, 2, 3, 4), (2, 3), (1, 2))
    for scaled in (False, True)
)


def _over(d: Images, axes: tuple[int, ...], scaled: bool) -> Array:
    """dx with its two means over other axes of (N, G, C/G, H, W); `scaled` keeps the group's own
    count."""
    n, c, h, w = d.x.shape
    shape = (n, d.groups, c // d.groups, h, w)
    x = d.x.reshape(shape)
    own = (2, 3, 4)
    scale = 1 / np.sqrt(x.var(own, keepdims=True) + d.flat.eps)
    xhat = (x - x.mean(own, keepdims=True)) * scale
    dxhat = (d.dout * d.flat.gamma[None, :, None, None]).reshape(shape)
    count = np.prod([shape[a] for a in (own if scaled else axes)])
    mean, projected = (values.sum(axes, keepdims=True) / count for values in (dxhat, dxhat * xhat))
    return np.asarray(scale * (dxhat - mean - xhat * projected)).reshape(d.x.shape)


def _group_sums(d: Images) -> norm_backward.Draw:
    """A stand-in whose x̂ is the group norm's, so that dgamma and dbeta are judged by the same
    family."""
    return _GroupSums(d.flat, rows(d.dout), _group_rows(d), d)


@dataclass(frozen=True)
class _GroupSums(norm_backward.Draw):
    images: Images

    @property
    def normalized(self) -> Array:
        xhat = self.rows.normalized.reshape(self.images.x.shape)
        return rows(xhat)
