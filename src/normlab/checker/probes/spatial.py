"""Spatial batch norm and group norm: the same formulas over images, with a search over axes and permutations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from normlab.checker.coefficients import reasons
from normlab.checker.compare import SINGLE, TIGHT, agrees, distance
from normlab.checker.exam import Case, Examination, Failed, Unwritten, settle
from normlab.checker.family import Family
from normlab.checker.probes import norm_backward, norm_forward
from normlab.checker.terms import Rows, basis
from normlab.typing import Array

CHANNELS_LAST = (0, 2, 3, 1)
ORDERS = (CHANNELS_LAST, *(p for p in permutations(range(4)) if p != CHANNELS_LAST))
LAST = tuple(p for p in ORDERS if p[3] == 1)


@dataclass(frozen=True, eq=False)
class Draw:
    """Images (N, C, H, W) with all four sizes different, parameters a channel, dout, and the running state."""

    x: Array
    dout: Array
    flat: norm_forward.Draw
    groups: int

    @property
    def param(self) -> dict[str, Any]:
        return self.flat.param()


def draw(rng: np.random.Generator, shape: tuple[int, int, int, int], groups: int = 1) -> Draw:
    """A draw; `flat` is the same as rows (N*H*W, C), whose batch norm is the spatial one."""
    c = shape[1]
    x = rng.normal(size=shape) * rng.uniform(0.5, 2, size=(1, c, 1, 1)) + rng.normal(size=(shape[0], c, 1, 1))
    x += 0.5 * rng.normal(size=(1, 1, *shape[2:]))
    base = norm_forward.draw(rng, 2, c, 0)
    return Draw(x, rng.normal(size=shape) + 0.3, base._replace(x=_rows(x, CHANNELS_LAST)), groups)


def _rows(x: Array, order: tuple[int, ...]) -> Array:
    return x.transpose(order).reshape(-1, x.shape[1])


def _images(rows: Array, shape: tuple[int, ...], order: tuple[int, ...]) -> Array:
    return rows.reshape([shape[i] for i in order]).transpose(np.argsort(order))


def examine(exam: Examination) -> None:
    """Judge the spatial norms that are there."""
    pairs = (
        ("spatial_batchnorm", _examine_forward, _examine_backward),
        ("spatial_groupnorm", _group_forward, _group_backward),
    )
    for salt, (name, forward, backward) in enumerate(pairs):
        group = name == "spatial_groupnorm"
        words = {
            "over": "the M values of a group",
            "other": "the other groups",
            "axis": "axis=(2, 3, 4)",
            "n": "M",
            "d": "another count",
        }
        if not group:
            words = {
                "over": "the M values of a channel",
                "other": "the channels",
                "axis": "axis=(0, 2, 3)",
                "n": "M",
                "d": "C",
            }
        for suffix, steps, topic in (("forward", forward, "norm_forward"), ("backward", backward, "norm_backward")):
            if exam.has(f"{name}_{suffix}"):
                case = Case(exam, f"{name}_{suffix}", topic, **words)
                settle(case, steps, exam.random(130 + salt))


def _batchnorm(rows: Array, d: Draw) -> Array:
    return np.asarray((rows - rows.mean(0)) / np.sqrt(rows.var(0) + d.flat.eps) * d.flat.gamma + d.flat.beta)


def _candidates_forward(d: Draw) -> Iterator[tuple[str, Array]]:
    yield "", _images(_batchnorm(_rows(d.x, CHANNELS_LAST), d), d.x.shape, CHANNELS_LAST)
    column = (None, slice(None), None, None)
    for key, axes in (
        ("per_pixel", (0,)),
        ("over_pixels_only", (2, 3)),
        ("over_channels", (1,)),
        ("over_channels", (1, 2, 3)),
    ):
        xhat = (d.x - d.x.mean(axes, keepdims=True)) / np.sqrt(d.x.var(axes, keepdims=True) + d.flat.eps)
        yield key, xhat * d.flat.gamma[column] + d.flat.beta[column]
    for there in ORDERS:
        out = _batchnorm(_rows(d.x, there), d)
        for back in ORDERS:
            if there != back or there not in LAST:
                key = "not_transposed" if there not in LAST else "not_transposed_back"
                yield key, _images(out, d.x.shape, back)


def _examine_forward(case: Case, rng: np.random.Generator) -> None:
    draws = [draw(rng, shape) for shape in ((2, 3, 4, 5), (3, 5, 2, 4))]
    name = case.function

    def train(d: Draw) -> Array:
        out = case.forward(name, d.x, d.flat.gamma, d.flat.beta, d.param)[0]
        return case.array(out, "the output", d.x.shape)

    outs = [train(d) for d in draws]
    key = _first(case, draws, outs, _candidates_forward)
    case.exam.fine[f"{name}.train"] = key == ""
    if key and not (key == "over_channels" and case.exam.fine.get("batchnorm_forward.train") is False):
        case.wrong(key, "the output in training")
    elif key or (key is None and case.exam.fine.get("batchnorm_forward.train") is False):
        case.waiting(["batchnorm_forward"])
    elif key is None:
        as_rows = norm_forward.TRAIN.explain(
            [(d.flat, _rows(o, CHANNELS_LAST)) for d, o in zip(draws, outs, strict=True)]
        )
        _report(case, as_rows, "batchnorm_forward", "the output in training")
    if key != "":
        return
    _examine_state(case, draws)


def _examine_state(case: Case, draws: list[Draw]) -> None:
    """Running statistics a channel, and test mode on a given state."""
    name, d = case.function, draws[0]
    outcome = case.forward(name, d.x, d.flat.gamma, d.flat.beta, d.param)[2]
    case.untouched((d.x, d.flat.gamma, d.flat.beta), outcome, ("x", "gamma", "beta"))
    state = norm_forward.state_of(outcome.args[3], d.flat)
    running = norm_forward.RUNNING.explain([(d.flat, state)])
    if running is None and _is_shared(d, state):
        case.wrong("shared_bn_param", "running_mean is what one channel after the other wrote over the same entry")
    elif running != ():
        if case.exam.fine.get("batchnorm_forward") is False:
            case.waiting(["batchnorm_forward"])
            return
        _report(case, running, "batchnorm_forward", "running statistics after a step")
    test = case.forward(name, d.x, d.flat.gamma, d.flat.beta, d.flat.param("test"))[0]
    rows = _rows(case.array(test, "the output in test mode", d.x.shape), CHANNELS_LAST)
    keys = norm_forward.TEST.explain([(d.flat, rows)])
    if keys != () and case.exam.fine.get("batchnorm_forward") is False:
        case.waiting(["batchnorm_forward"])
    elif keys != () and not case.found("shared_bn_param"):
        _report(case, keys, "batchnorm_forward", "the output in test mode")


def _is_shared(d: Draw, state: tuple[Array, Array]) -> bool:
    """Whether one running value was updated by every channel in turn."""
    mean = np.asarray(d.flat.running_mean, dtype=float)
    for value in d.flat.x.mean(0):
        mean = d.flat.momentum * mean + (1 - d.flat.momentum) * value
    seen = np.asarray(state[0])
    return seen.shape != d.flat.running_mean.shape or agrees(seen, mean)


def _first(case: Case, draws: list[Draw], values: list[Any], candidates: Any) -> str | None:
    """The key of the first candidate that every draw agrees with; '' is right, None is none of them."""
    del case
    for several in zip(*(candidates(d) for d in draws), strict=True):
        if all(agrees(v, c) for v, (_, c) in zip(values, several, strict=True)):
            return str(several[0][0])
    return None


def _report(case: Case, keys: tuple[str, ...] | None, depends: str, what: str) -> None:
    """Name the keys; wait for the function this one is built on; or say that the cause is unknown."""
    if keys:
        for key in keys:
            (case.remark if key == "running_unbiased" else case.wrong)(key, what)
    elif keys is None and case.exam.fine.get(depends) is False:
        case.waiting([depends])
    elif keys is None:
        case.wrong("unexplained", what, named=False, what=what)


def _gradients(case: Case, d: Draw, forward: str, *args: Any) -> tuple[Any, ...]:
    cache = case.forward(forward, d.x, *args)[1]
    outcome = case.call(case.function, d.dout, cache)
    if not case.untouched((d.dout,), outcome, ("dout",), key=""):
        case.remark("dout_overwritten")
    return case.results(outcome.value, ("dx", "dgamma", "dbeta"))


def _candidates_backward(d: Draw) -> Iterator[tuple[str, Array]]:
    shape = d.x.shape
    for ahead in LAST:
        x = _rows(d.x, ahead)
        scale = 1 / np.sqrt(x.var(0) + d.flat.eps)
        xhat = (x - x.mean(0)) * scale
        for there in (ahead, *(o for o in ORDERS if o != ahead)):
            dxhat = _rows(d.dout, there) * d.flat.gamma
            dx = scale * (dxhat - dxhat.mean(0) - xhat * (dxhat * xhat).mean(0))
            for back in (ahead, *(o for o in ORDERS if o != ahead)):
                key = (
                    ""
                    if there == back == ahead
                    else "dx_not_transposed_back"
                    if there == ahead
                    else "dout_not_transposed"
                )
                if key == "dout_not_transposed" and there in LAST:
                    key = "dout_other_order"
                yield key, _images(dx, shape, back)


def _examine_backward(case: Case, rng: np.random.Generator) -> None:
    forward = "spatial_batchnorm_forward"
    draws = [draw(rng, shape) for shape in ((2, 3, 4, 5), (3, 5, 2, 4))]
    try:
        results = [_gradients(case, d, forward, d.flat.gamma, d.flat.beta, d.param) for d in draws]
    except Failed:
        waits = [] if case.exam.fine.get(f"{forward}.train") else [forward]
        waits += [n for n in ("batchnorm_backward", "batchnorm_backward_alt") if case.exam.fine.get(n) is False]
        if not waits:
            raise
        case.waiting(waits)
        return
    if not case.exam.fine.get(f"{forward}.train"):
        case.waiting([forward])
        return
    dx = [case.array(r[0], "dx", d.x.shape) for r, d in zip(results, draws, strict=True)]
    key = _first(case, draws, dx, _candidates_backward)
    two = [_two_dimensional(d) for d in draws]
    if key:
        case.wrong(key, "dx")
    elif key is None:
        wrong = [n for n in ("batchnorm_backward", "batchnorm_backward_alt") if case.exam.fine.get(n) is False]
        if wrong:
            case.waiting(wrong)
            return
        norm_backward.judge_dx(case, two, [_rows(a, CHANNELS_LAST) for a in dx])
    if not (key or "").startswith("dout"):
        keys = norm_backward.SUMS.explain([(t, (r[1], r[2])) for t, r in zip(two, results, strict=True)])
        if keys != () and case.exam.fine.get("batchnorm_backward") is False:
            case.waiting(["batchnorm_backward"])
        else:
            _report(case, keys, "batchnorm_backward", "dgamma and dbeta")


def _two_dimensional(d: Draw) -> norm_backward.Draw:
    """The draw as the batch norm of rows that it is."""
    dout = _rows(d.dout, CHANNELS_LAST)
    n, c, h, w = d.x.shape
    gamma, beta = d.flat.gamma[:, None], d.flat.beta[:, None]
    rows = Rows(d.flat.x.T, dout.T, gamma, beta, d.flat.eps, {"C": c, "N": n, "HW": h * w})
    return norm_backward.Draw(d.flat, dout, rows)


# group norm


def _group(d: Draw, choice: Mapping[str, str]) -> Array:
    n, c, h, w = d.x.shape
    g, size = d.groups, c // d.groups
    split, axes = {
        "own": ((n, g, size, h, w), (2, 3, 4)), "groups_ignored": ((n, 1, c, h, w), (2, 3, 4)),
        "group_size_for_count": ((n, size, g, h, w), (2, 3, 4)), 
        "channels_interleaved": ((n, size, g, h, w), (1, 3, 4)),
        "over_batch": ((n, g, size, h, w), (0, 2, 3, 4)), "per_pixel_slices": ((n, g, size, h, w), (2,)),
        "per_pixel_slices#width": ((n, size, g, h, w), (2,)), "per_channel": ((n, g, size, h, w), (3, 4)),
    }[choice["groups"]]  # fmt: skip
    x = d.x.reshape(split)
    mean = x.mean(axes, keepdims=True)
    var = x.var(axes, keepdims=True)
    count = x.size / mean.size
    var = {
        "biased": var,
        "unbiased": var * count / (count - 1),
        "not_centred_variance": (x * x).mean(axes, keepdims=True),
    }[choice["variance"]]
    centred = x - mean if choice["centre"] == "mean" else x
    xhat = (centred / norm_forward.divided_by(var, d.flat.eps, choice["divisor"])).reshape(d.x.shape)
    column = (None, slice(None), None, None)
    return norm_forward.affine(xhat, d.flat.gamma[column], d.flat.beta[column], choice["affine"])


GROUP = Family(
    {
        "groups": ("own", "groups_ignored", "group_size_for_count", "channels_interleaved", "over_batch",
                   "per_pixel_slices", "per_pixel_slices#width", "per_channel"),
        "centre": ("mean", "mean_not_subtracted"),
        "variance": ("biased", "unbiased", "not_centred_variance"),
        "divisor": norm_forward.DIVISORS,
        "affine": norm_forward.AFFINE,
    },
    _group,
)  # fmt: skip

GROUP_SHAPES = (((2, 6, 4, 5), 3), ((3, 6, 2, 4), 2))


def _parameters(case: Case, d: Draw) -> tuple[Array, Array, int, dict[str, Any]]:
    """gamma, beta, G and gn_param; gamma is (1, C, 1, 1), or (C,) where only that works: the years differ."""
    shape = (-1,) if case.exam.fine.get("spatial_groupnorm.flat") else (1, -1, 1, 1)
    return d.flat.gamma.reshape(shape), d.flat.beta.reshape(shape), d.groups, {"eps": d.flat.eps}


def _group_forward(case: Case, rng: np.random.Generator) -> None:
    draws = [draw(rng, shape, groups) for shape, groups in GROUP_SHAPES]

    outcome = case.exam.subject.call(case.function, draws[0].x, *_parameters(case, draws[0]), keep=(1,))
    works = (
        outcome.error is None and isinstance(outcome.value, tuple) and np.shape(outcome.value[0]) == draws[0].x.shape
    )
    case.exam.fine["spatial_groupnorm.flat"] = not works and _takes_flat_gamma(case, draws[0])

    def run(d: Draw) -> Array:
        out, _, outcome = case.forward(case.function, d.x, *_parameters(case, d))
        case.untouched((d.x,), outcome, ("x",))
        return case.array(out, "the output", d.x.shape)

    right = case.explain(GROUP, draws, run)
    case.exam.fine[f"{case.function}.train"] = right and case.verdict == "right"


def _group_backward(case: Case, rng: np.random.Generator) -> None:
    forward = "spatial_groupnorm_forward"
    draws = [draw(rng, shape, groups) for shape, groups in GROUP_SHAPES]
    if not case.exam.fine.get(f"{forward}.train"):
        case.waiting([forward])
        return
    results = [_gradients(case, d, forward, *_parameters(case, d)) for d in draws]
    dx = [case.array(r[0], "dx", d.x.shape) for r, d in zip(results, draws, strict=True)]
    _judge_group_dx(case, draws, dx)
    sums = []
    for d, r in zip(draws, results, strict=True):
        shape = (1, d.x.shape[1], 1, 1)
        if np.shape(r[1]) == np.shape(r[2]) == (d.x.shape[1],):
            if not _takes_flat_gamma(case, d):  # right for a gamma of (C,): a convention, no mistake
                case.wrong("gradient_shape", f"gamma has shape {shape}, dgamma {np.shape(r[1])}", what="dgamma")
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
    _report(case, norm_backward.SUMS.explain(sums), forward, "dgamma and dbeta")


def _takes_flat_gamma(case: Case, d: Draw) -> bool:
    """Whether gamma may be (C,) as well, as in some years: then gradients of that shape are the convention."""
    outcome = case.exam.subject.call(
        "spatial_groupnorm_forward", d.x, d.flat.gamma, d.flat.beta, d.groups, {"eps": d.flat.eps}, keep=(1,)
    )
    right = _group(d, {slot: options[0] for slot, options in GROUP.slots.items()})
    return outcome.error is None and isinstance(outcome.value, tuple) and agrees(outcome.value[0], right)


def _group_rows(d: Draw) -> Rows:
    n, c, h, w = d.x.shape
    g = d.groups

    def rows(a: Array) -> Array:
        return np.broadcast_to(a, d.x.shape).reshape(n * g, -1)

    column = (None, slice(None), None, None)
    others = {"N": n, "G": g, "C": c, "HW": h * w, "NG": n * g, "C/G": c // g}
    return Rows(rows(d.x), rows(d.dout), rows(d.flat.gamma[column]), rows(d.flat.beta[column]), d.flat.eps, others)


def _judge_group_dx(case: Case, draws: list[Draw], dx: list[Array]) -> None:
    rows = [_group_rows(d) for d in draws]
    right = [sum(basis(r, {}), np.zeros(r.x.shape)).reshape(d.x.shape) for r, d in zip(rows, draws, strict=True)]
    worst = max(distance(a, r) for a, r in zip(dx, right, strict=True))
    if worst <= TIGHT:
        return
    evidence = f"dx is off by {worst:.2g} of its largest value"
    if worst <= SINGLE:
        case.wrong("single_precision", evidence)
        return
    found = reasons([(r, a.reshape(r.x.shape)) for r, a in zip(rows, dx, strict=True)])
    if found is not None and found.keys and found.certain:
        norm_backward.name_all(case, found, evidence)
    elif any(all(agrees(a, _over(d, axes, scaled)) for a, d in zip(dx, draws, strict=True)) for axes, scaled in OVER):
        case.wrong("reduced_over_part", evidence)
    else:
        case.wrong("unexplained", evidence, named=False, what="dx")


OVER = tuple(
    (axes, scaled) for axes in ((2,), (3, 4), (1, 2, 3, 4), (0, 2, 3, 4), (2, 3), (1, 2)) for scaled in (False, True)
)


def _over(d: Draw, axes: tuple[int, ...], scaled: bool) -> Array:
    """dx with its two means over other axes of (N, G, C/G, H, W); `scaled` keeps the group's own count."""
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


def _group_sums(d: Draw) -> norm_backward.Draw:
    """A stand-in whose x̂ is the group norm's, so that dgamma and dbeta are judged by the same family."""
    return _GroupSums(d.flat, _rows(d.dout, CHANNELS_LAST), _group_rows(d), d)


@dataclass(frozen=True)
class _GroupSums(norm_backward.Draw):
    images: Draw

    @property
    def normalized(self) -> Array:
        xhat = self.rows.normalized.reshape(self.images.x.shape)
        return _rows(xhat, CHANNELS_LAST)
