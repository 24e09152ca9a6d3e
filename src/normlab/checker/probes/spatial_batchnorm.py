"""Spatial batch norm: batch norm of the pixels, with a search over axes and permutations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from normlab.checker.compare import agrees, as_array
from normlab.checker.exam import Case, Examination, Failed, Unwritten, settle
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
from normlab.checker.slopes import CLOSE, slope
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
    right = as_images(_batchnorm(rows(d.x), d), d.x.shape, CHANNELS_LAST)
    yield "", right
    column = (None, slice(None), None, None)
    for key, axes in ((m.key, way["axes"]) for m in SPATIAL for way in m.ways if way):
        over = {"axis": axes, "keepdims": True}
        xhat = (d.x - d.x.mean(**over)) / np.sqrt(d.x.var(**over) + d.flat.eps)
        yield key, xhat * d.flat.gamma[column] + d.flat.beta[column]
    yield "left_as_rows", rows(right)
    for order in ORDERS:
        if order != (0, 1, 2, 3):
            yield "not_transposed_back", right.transpose(order)
    for there in ORDERS:
        out = _batchnorm(rows(d.x, there), d)
        for back in ORDERS:
            if there != back or there not in LAST:
                key = "not_transposed" if there not in LAST else "not_transposed_back"
                yield key, as_images(out, d.x.shape, back)


def _examine_forward(case: Case, rng: np.random.Generator) -> None:
    draws = [draw(rng, shape) for shape in ((2, 3, 4, 5), (3, 5, 2, 4))]
    name = case.function
    shape = _state_shape(case, draws[0])

    def train(d: Images) -> Any:
        arguments = (d.x, d.flat.gamma, d.flat.beta)
        try:
            return case.forward(name, *arguments, _param(d, shape))[0]
        except Failed:  # the state given does not fit: what does it do with one of its own?
            return case.forward(name, *arguments, _param(d, None))[0]

    outs = [train(d) for d in draws]
    key = first_of(draws, outs, _candidates_forward)
    case.exam.fine[f"{name}.train"] = key == ""
    if key:
        case.wrong(key, "the output in training")
    elif key is None and all(
        _is_composed(case, d, out, "train") for d, out in zip(draws, outs, strict=True)
    ):
        case.follows(["batchnorm_forward"])
        _examine_composed(case, draws[0], shape)
        return
    elif key is None:
        flat = [
            rows(case.array(out, "the output", d.x.shape))
            for d, out in zip(draws, outs, strict=True)
        ]
        keys = norm_forward.TRAIN.explain(
            [(d.flat, out) for d, out in zip(draws, flat, strict=True)]
        )
        report(case, keys, "batchnorm_forward", "the output in training")
        if keys is None:
            return
    _examine_state(case, draws, shape)


def _param(d: Images, shape: tuple[int, ...] | None, mode: str = "train") -> dict[str, Any]:
    """The dict that the function takes, with the running statistics in the shape that the code
    keeps them in."""
    param = d.flat.param(mode, state=shape is not None)
    for key in ("running_mean", "running_var"):
        if shape is not None and int(np.prod(shape)) == param[key].size:
            param[key] = param[key].reshape(shape)
    return param


def _state_shape(case: Case, d: Images) -> tuple[int, ...]:
    """The shape of the running mean that a first call makes: (C,), (1, C), (1, C, 1, 1) are one
    thing."""
    flat = d.flat.running_mean.shape
    try:
        outcome = case.forward(case.function, d.x, d.flat.gamma, d.flat.beta, _param(d, None))[2]
    except Failed:
        return flat
    mean = outcome.args[3].get("running_mean") if isinstance(outcome.args[3], dict) else None
    same = isinstance(mean, np.ndarray) and mean.size == d.flat.running_mean.size
    return np.shape(mean) if same and mean is not None else flat


def _is_composed(case: Case, d: Images, out: Any, mode: str) -> bool:
    """Whether this is the person's own batch norm of the pixels, right or wrong."""
    if not case.exam.has("batchnorm_forward"):
        return False
    try:
        own = case.forward(
            "batchnorm_forward", rows(d.x), d.flat.gamma, d.flat.beta, d.flat.param(mode)
        )[0]
    except (Failed, Unwritten):
        return False
    own = as_array(own)
    return (
        own is not None
        and own.shape == rows(d.x).shape
        and agrees(out, as_images(own, d.x.shape, CHANNELS_LAST))
    )


def _examine_composed(case: Case, d: Images, shape: tuple[int, ...]) -> None:
    """Standing on a wrong batch norm: test mode and the running statistics must be that one's
    too."""
    arguments = (d.x, d.flat.gamma, d.flat.beta)
    state = norm_forward.state_of(
        case.forward(case.function, *arguments, _param(d, shape))[2].args[3], d.flat
    )
    flat = (rows(d.x), *arguments[1:])
    own = norm_forward.state_of(
        case.forward("batchnorm_forward", *flat, d.flat.param())[2].args[3], d.flat
    )
    test = case.forward(case.function, *arguments, _param(d, shape, "test"))[0]
    if not all(agrees(a, b) for a, b in zip(state, own, strict=True)) or not _is_composed(
        case, d, test, "test"
    ):
        case.waiting(["batchnorm_forward"])


def _examine_state(case: Case, draws: list[Images], shape: tuple[int, ...]) -> None:
    """Running statistics a channel, and test mode on a given state."""
    name, d = case.function, draws[0]
    arguments = (d.x, d.flat.gamma, d.flat.beta)
    try:
        outcome = case.forward(name, *arguments, _param(d, shape))[2]
    except Failed as failure:
        if case.verdict != "wrong":
            raise
        if _shares_state(case, d):
            case.wrong("shared_bn_param", str(failure.raised), line=failure.raised.line)
        return
    case.untouched(arguments, outcome, ("x", "gamma", "beta"))
    state = norm_forward.state_of(outcome.args[3], d.flat)
    layout = case.exam.fine[f"{name}.train"] or not any(case.found(m.key) for m in SPATIAL)
    running = norm_forward.RUNNING.explain([(d.flat, state)])
    blocked = case.exam.fine.get("batchnorm_forward") is False
    if running is None and _is_shared(d, state):
        told = "running_mean is what one channel after the other wrote over the same entry"
        case.wrong("shared_bn_param", told)
    elif running != () and blocked:
        case.follows(["batchnorm_forward"])
        _examine_composed(case, d, shape)
        return
    elif running != () and layout:
        report(case, running, "batchnorm_forward", "running statistics after a step")
    if not layout:
        return
    test = case.forward(name, *arguments, _param(d, shape, "test"))[0]
    flat = rows(case.array(test, "the output in test mode", d.x.shape))
    keys = norm_forward.TEST.explain([(d.flat, flat)])
    if keys == () or case.found("shared_bn_param"):
        return
    if blocked and not keys:
        case.waiting(["batchnorm_forward"])
    elif _is_composed(case, d, test, "test"):
        case.follows(["batchnorm_forward"])
    else:
        report(case, keys, "batchnorm_forward", "the output in test mode")


def _shares_state(case: Case, d: Images) -> bool:
    """Whether what is kept has one entry for a pixel or for all, instead of one a channel."""
    try:
        outcome = case.forward(case.function, d.x, d.flat.gamma, d.flat.beta, _param(d, None))[2]
    except Failed:
        return False
    mean = outcome.args[3].get("running_mean") if isinstance(outcome.args[3], dict) else None
    return mean is not None and np.size(mean) != d.flat.running_mean.size


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
    if not case.exam.is_judged(forward):
        case.waiting([forward])
        return
    draws = [draw(rng, shape) for shape in ((2, 3, 4, 5), (3, 5, 2, 4))]
    below = [
        n
        for n in ("batchnorm_backward", "batchnorm_backward_alt")
        if case.exam.fine.get(n) is False
    ]
    try:
        results = [gradients(case, d, forward, d.flat.gamma, d.flat.beta, d.param) for d in draws]
    except Failed:
        waits = [forward] if not case.exam.fine.get(f"{forward}.train") else below
        if not waits:
            raise
        case.waiting(waits)
        return
    if all(_is_composed_back(case, d, r) for d, r in zip(draws, results, strict=True)):
        case.follows([n for n in ("batchnorm_forward", *below) if case.exam.faults.get(n)])
        return
    if not case.exam.fine.get(f"{forward}.train"):
        if not _are_slopes(case, rng, forward):
            case.waiting([forward])
        case.follows([forward])
        return
    dx = [case.array(r[0], "dx", d.x.shape) for r, d in zip(results, draws, strict=True)]
    key = first_of(draws, dx, _candidates_backward)
    two = [_two_dimensional(d) for d in draws]
    if key:
        case.wrong(key, "dx")
    elif key is None and below:
        case.waiting(below)
        return
    elif key is None:
        norm_backward.judge_dx(case, two, [rows(a) for a in dx])
    if key not in ("dout_not_transposed", "dout_other_order"):
        keys = norm_backward.SUMS.explain(
            [(t, (r[1], r[2])) for t, r in zip(two, results, strict=True)]
        )
        if keys != () and case.exam.fine.get("batchnorm_backward") is False:
            case.waiting(["batchnorm_backward"])
        else:
            report(case, keys, "batchnorm_backward", "dgamma and dbeta")


def _is_composed_back(case: Case, d: Images, seen: tuple[Any, ...]) -> bool:
    """Whether these are the gradients of the person's own batch norm of the pixels."""
    flat, dout = (rows(d.x), d.flat.gamma, d.flat.beta), rows(d.dout)
    for name in ("batchnorm_backward", "batchnorm_backward_alt"):
        if not (case.exam.has(name) and case.exam.has("batchnorm_forward")):
            continue
        try:
            cache = case.forward("batchnorm_forward", *flat, d.flat.param())[1]
            own = case.results(case.call(name, dout, cache).value, ("dx", "dgamma", "dbeta"))
        except (Failed, Unwritten):
            continue
        arrays = [a for a in (as_array(value) for value in own) if a is not None]
        if len(arrays) < 3 or arrays[0].shape != dout.shape:
            continue
        dx = as_images(np.asarray(arrays[0]), d.x.shape, CHANNELS_LAST)
        if all(agrees(s, np.asarray(o)) for s, o in zip(seen, (dx, *arrays[1:]), strict=True)):
            return True
    return False


def _are_slopes(case: Case, rng: np.random.Generator, forward: str) -> bool:
    """Whether the gradients are the slopes of the person's own forward pass, which is a wrong
    one."""
    d = draw(rng, (2, 3, 2, 1))

    def output(x: Array, gamma: Array, beta: Array) -> Array:
        return np.asarray(case.forward(forward, x, gamma, beta, d.param)[0])

    gamma, beta = d.flat.gamma, d.flat.beta
    try:
        seen = gradients(case, d, forward, gamma, beta, d.param)
        right = (
            slope(lambda x: output(x, gamma, beta), d.x, d.dout),
            slope(lambda g: output(d.x, g, beta), gamma, d.dout),
            slope(lambda b: output(d.x, gamma, b), beta, d.dout),
        )
    except (Failed, ValueError):
        return False
    return all(agrees(s, r, CLOSE) for s, r in zip(seen, right, strict=True))


def _two_dimensional(d: Images) -> norm_backward.Draw:
    """The draw as the batch norm of rows that it is."""
    dout = rows(d.dout, CHANNELS_LAST)
    n, c, h, w = d.x.shape
    gamma, beta = d.flat.gamma[:, None], d.flat.beta[:, None]
    as_rows = Rows(d.flat.x.T, dout.T, gamma, beta, d.flat.eps, {"C": c, "N": n, "HW": h * w})
    return norm_backward.Draw(d.flat, dout, as_rows)
