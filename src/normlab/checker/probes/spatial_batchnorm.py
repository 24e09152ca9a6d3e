"""Spatial batch norm: batch norm of the pixels, with a search over axes and permutations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from normlab.checker.compare import agrees
from normlab.checker.exam import Case, Examination, Failed, settle
from normlab.checker.mistakes.images import SPATIAL
from normlab.checker.probes import norm_backward, norm_forward
from normlab.checker.probes.images import (
    CHANNELS_LAST,
    LAST,
    ORDERS,
    Images,
    as_images,
    draw,
    first_of,
    gradients,
    report,
    rows,
)
from normlab.checker.terms import Rows
from normlab.typing import Array

WORDS = {
    "over": "the M values of a channel",
    "other": "the channels",
    "axis": "axis=(0, 2, 3)",
    "n": "M",
    "d": "C",
}


def examine(exam: Examination) -> None:
    """Judge spatial_batchnorm_forward and spatial_batchnorm_backward, where they are there."""
    for name, steps, topic in (
        ("spatial_batchnorm_forward", _examine_forward, "norm_forward"),
        ("spatial_batchnorm_backward", _examine_backward, "norm_backward"),
    ):
        if exam.has(name):
            settle(Case(exam, name, topic, **WORDS), steps, exam.random(130))


def _batchnorm(flat: Array, d: Images) -> Array:
    return np.asarray(
        (flat - flat.mean(0)) / np.sqrt(flat.var(0) + d.flat.eps) * d.flat.gamma + d.flat.beta
    )


def _candidates_forward(d: Images) -> Iterator[tuple[str, Array]]:
    yield "", as_images(_batchnorm(rows(d.x, CHANNELS_LAST), d), d.x.shape, CHANNELS_LAST)
    column = (None, slice(None), None, None)
    for key, axes in ((m.key, way["axes"]) for m in SPATIAL for way in m.ways if way):
        xhat = (d.x - d.x.mean(axes, keepdims=True)) / np.sqrt(
            d.x.var(axes, keepdims=True) + d.flat.eps
        )
        yield key, xhat * d.flat.gamma[column] + d.flat.beta[column]
    for there in ORDERS:
        out = _batchnorm(rows(d.x, there), d)
        for back in ORDERS:
            if there != back or there not in LAST:
                key = "not_transposed" if there not in LAST else "not_transposed_back"
                yield key, as_images(out, d.x.shape, back)


def _examine_forward(case: Case, rng: np.random.Generator) -> None:
    draws = [draw(rng, shape) for shape in ((2, 3, 4, 5), (3, 5, 2, 4))]
    name = case.function

    def train(d: Images) -> Array:
        out = case.forward(name, d.x, d.flat.gamma, d.flat.beta, d.param)[0]
        return case.array(out, "the output", d.x.shape)

    outs = [train(d) for d in draws]
    key = first_of(draws, outs, _candidates_forward)
    case.exam.fine[f"{name}.train"] = key == ""
    if key and not (
        key == "over_channels" and case.exam.fine.get("batchnorm_forward.train") is False
    ):
        case.wrong(key, "the output in training")
    elif key or (key is None and case.exam.fine.get("batchnorm_forward.train") is False):
        case.waiting(["batchnorm_forward"])
    elif key is None:
        as_rows = norm_forward.TRAIN.explain(
            [(d.flat, rows(o, CHANNELS_LAST)) for d, o in zip(draws, outs, strict=True)]
        )
        report(case, as_rows, "batchnorm_forward", "the output in training")
    if key != "":
        return
    _examine_state(case, draws)


def _examine_state(case: Case, draws: list[Images]) -> None:
    """Running statistics a channel, and test mode on a given state."""
    name, d = case.function, draws[0]
    outcome = case.forward(name, d.x, d.flat.gamma, d.flat.beta, d.param)[2]
    case.untouched((d.x, d.flat.gamma, d.flat.beta), outcome, ("x", "gamma", "beta"))
    state = norm_forward.state_of(outcome.args[3], d.flat)
    running = norm_forward.RUNNING.explain([(d.flat, state)])
    if running is None and _is_shared(d, state):
        case.wrong(
            "shared_bn_param",
            "running_mean is what one channel after the other wrote over the same entry",
        )
    elif running != ():
        if case.exam.fine.get("batchnorm_forward") is False:
            case.waiting(["batchnorm_forward"])
            return
        report(case, running, "batchnorm_forward", "running statistics after a step")
    test = case.forward(name, d.x, d.flat.gamma, d.flat.beta, d.flat.param("test"))[0]
    flat = rows(case.array(test, "the output in test mode", d.x.shape), CHANNELS_LAST)
    keys = norm_forward.TEST.explain([(d.flat, flat)])
    if keys != () and case.exam.fine.get("batchnorm_forward") is False:
        case.waiting(["batchnorm_forward"])
    elif keys != () and not case.found("shared_bn_param"):
        report(case, keys, "batchnorm_forward", "the output in test mode")


def _is_shared(d: Images, state: tuple[Array, Array]) -> bool:
    """Whether one running value was updated by every channel in turn."""
    mean = np.asarray(d.flat.running_mean, dtype=float)
    for value in d.flat.x.mean(0):
        mean = d.flat.momentum * mean + (1 - d.flat.momentum) * value
    seen = np.asarray(state[0])
    return seen.shape != d.flat.running_mean.shape or agrees(seen, mean)


def _candidates_backward(d: Images) -> Iterator[tuple[str, Array]]:
    shape = d.x.shape
    for ahead in LAST:
        x = rows(d.x, ahead)
        scale = 1 / np.sqrt(x.var(0) + d.flat.eps)
        xhat = (x - x.mean(0)) * scale
        for there in (ahead, *(o for o in ORDERS if o != ahead)):
            dxhat = rows(d.dout, there) * d.flat.gamma
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
                yield key, as_images(dx, shape, back)


def _examine_backward(case: Case, rng: np.random.Generator) -> None:
    forward = "spatial_batchnorm_forward"
    draws = [draw(rng, shape) for shape in ((2, 3, 4, 5), (3, 5, 2, 4))]
    try:
        results = [gradients(case, d, forward, d.flat.gamma, d.flat.beta, d.param) for d in draws]
    except Failed:
        waits = [] if case.exam.fine.get(f"{forward}.train") else [forward]
        waits += [
            n
            for n in ("batchnorm_backward", "batchnorm_backward_alt")
            if case.exam.fine.get(n) is False
        ]
        if not waits:
            raise
        case.waiting(waits)
        return
    if not case.exam.fine.get(f"{forward}.train"):
        case.waiting([forward])
        return
    dx = [case.array(r[0], "dx", d.x.shape) for r, d in zip(results, draws, strict=True)]
    key = first_of(draws, dx, _candidates_backward)
    two = [_two_dimensional(d) for d in draws]
    if key:
        case.wrong(key, "dx")
    elif key is None:
        wrong = [
            n
            for n in ("batchnorm_backward", "batchnorm_backward_alt")
            if case.exam.fine.get(n) is False
        ]
        if wrong:
            case.waiting(wrong)
            return
        norm_backward.judge_dx(case, two, [rows(a, CHANNELS_LAST) for a in dx])
    if key not in ("dout_not_transposed", "dout_other_order"):
        keys = norm_backward.SUMS.explain(
            [(t, (r[1], r[2])) for t, r in zip(two, results, strict=True)]
        )
        if keys != () and case.exam.fine.get("batchnorm_backward") is False:
            case.waiting(["batchnorm_backward"])
        else:
            report(case, keys, "batchnorm_backward", "dgamma and dbeta")


def _two_dimensional(d: Images) -> norm_backward.Draw:
    """The draw as the batch norm of rows that it is."""
    dout = rows(d.dout, CHANNELS_LAST)
    n, c, h, w = d.x.shape
    gamma, beta = d.flat.gamma[:, None], d.flat.beta[:, None]
    as_rows = Rows(d.flat.x.T, dout.T, gamma, beta, d.flat.eps, {"C": c, "N": n, "HW": h * w})
    return norm_backward.Draw(d.flat, dout, as_rows)
