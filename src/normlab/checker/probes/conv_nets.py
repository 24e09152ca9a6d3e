"""What is built on convolutions: the joined layers of layer_utils, and ThreeLayerConvNet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from normlab.checker.child.framing import Kept
from normlab.checker.compare import agrees
from normlab.checker.exam import Case, Examination, Failed, Settled, Unwritten, settle
from normlab.checker.family import Family
from normlab.checker.mistakes import convolution
from normlab.checker.probes import net_regularization
from normlab.checker.probes.convolution import DB, DW, DX, FORWARD, Draw, draw
from normlab.checker.probes.net_formulas import OURS, NetDraw, floored
from normlab.checker.probes.net_parameters import SCALE
from normlab.checker.probes.net_running import loss_of, parameters
from normlab.checker.probes.pooling import pooled
from normlab.typing import Array

POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}
JOINED = ("conv_relu", "conv_relu_pool", "conv_bn_relu")
IMAGE, FILTERS, WINDOW, HIDDEN, CLASSES = (2, 6, 4), 3, 3, 7, 5
KEYS = ("W1", "W2", "W3", "b1", "b2", "b3")


def examine(exam: Examination) -> None:
    """Judge the joined layers and the net, where they are there."""
    for name in JOINED:
        for half, steps in (("forward", _joined_forward), ("backward", _joined_backward)):
            if exam.has(f"{name}_{half}"):
                settle(Case(exam, f"{name}_{half}", "conv_joined"), steps, exam.random(180), name)
    if exam.has("ThreeLayerConvNet"):
        settle(Case(exam, "ThreeLayerConvNet", "conv_net"), _examine_net, exam.random(181))


# Joined layers


def _given(d: Draw, rng: np.random.Generator, name: str) -> tuple[Any, ...]:
    """The arguments of a joined layer's forward pass."""
    if name == "conv_relu":
        return (d.x, d.w, d.b, d.param)
    if name == "conv_relu_pool":
        return (d.x, d.w, d.b, d.param, POOL)
    gamma, beta = rng.normal(size=4) + 1, rng.normal(size=4)
    return (d.x, d.w, d.b, gamma, beta, d.param, {"mode": "train"})


def _batch(a: Array, *given: Array) -> tuple[Array, Any]:
    """Spatial batch norm as batch norm of the positions."""
    rows, cache = OURS.norm("batchnorm", a.transpose(0, 2, 3, 1).reshape(-1, a.shape[1]), *given)
    N, C, H, W = a.shape
    return rows.reshape(N, H, W, C).transpose(0, 3, 1, 2), cache


def _right(
    d: Draw, name: str, args: tuple[Any, ...], dout: Array | None = None
) -> tuple[Array, ...]:
    """The output or, given dout, the gradients, of a joined layer."""
    a = FORWARD.value(d)
    bn_cache = None
    normalized = a
    if name == "conv_bn_relu":
        normalized, bn_cache = _batch(a, args[3], args[4])
    positive = np.maximum(normalized, 0)
    if dout is None:
        return (pooled(positive, 2, 2) if name == "conv_relu_pool" else positive,)
    dh = pooled(positive, 2, 2, dout) if name == "conv_relu_pool" else dout
    dh = dh * (normalized > 0)
    more: tuple[Array, ...] = ()
    if bn_cache is not None:
        N, C, H, W = dh.shape
        rows, *more_ = OURS.norm_back(
            "batchnorm", dh.transpose(0, 2, 3, 1).reshape(-1, C), bn_cache
        )
        dh, more = rows.reshape(N, H, W, C).transpose(0, 3, 1, 2), tuple(more_)
    upstream = d._replace(dout=dh)
    return (DX.value(upstream), DW.value(upstream), DB.value(upstream), *more)


def _joined_forward(case: Case, rng: np.random.Generator, name: str) -> None:
    d = draw(rng, (4, 6), (3, 3), 1, 1)
    args = _given(d, rng, name)
    try:
        out = case.forward(case.function, *args)[0]
    except Failed as failure:
        _fast_missing(case, failure)
        return
    if not agrees(out, _right(d, name, args)[0]):
        case.wrong("unexplained", f"the output is not that of {name.replace('_', ', then ')}",
                   named=False, what="the output")  # fmt: skip


def _joined_backward(case: Case, rng: np.random.Generator, name: str) -> None:
    if not case.exam.fine.get(f"{name}_forward"):
        case.waiting([f"{name}_forward"])
        return
    d = draw(rng, (4, 6), (3, 3), 1, 1)
    args = _given(d, rng, name)
    out, cache, _ = case.forward(f"{name}_forward", *args)
    dout = rng.normal(size=np.shape(out))
    names = ("dx", "dw", "db", "dgamma", "dbeta")[: 5 if name == "conv_bn_relu" else 3]
    try:
        seen = case.results(case.call(case.function, dout, cache).value, names)
    except Failed as failure:
        _fast_missing(case, failure)
        return
    right = _right(d, name, args, dout)
    off = [what for what, s, r in zip(names, seen, right, strict=True) if not agrees(s, r)]
    if off:
        case.wrong("unexplained", f"{' and '.join(off)} differ from the layers one by one",
                   named=False, what=" and ".join(off))  # fmt: skip


def _fast_missing(case: Case, failure: Failed) -> None:
    """The course's fast layers need a compiled extension: what fails for want of it has not been
    judged."""
    text = str(failure.raised)
    if "cython" in text or "fast_layers" in text or "im2col" in text:
        case.unwritten("fast_missing", message=text)
        raise Settled
    raise failure


# The net: convolution, ReLU, 2 x 2 max pool, affine, ReLU, affine, softmax


def _conv_draw(d: NetDraw) -> Draw:
    w, b = d.params["W1"], d.params["b1"]
    return Draw(d.x, w, b, np.zeros(()), 1, (w.shape[2] - 1) // 2)


def _net(d: NetDraw, pick: Mapping[str, Any]) -> tuple[Array, ...]:
    """Loss and gradients, in the order of KEYS."""
    p = d.params
    conv = _conv_draw(d)
    a = FORWARD.value(conv)
    positive = np.maximum(a, 0) if pick["conv_relu"] else a
    small = pooled(positive, 2, 2)
    flat, cache = OURS.affine(small.reshape(len(d.x), -1), p["W2"], p["b2"])
    hidden = np.maximum(flat, 0) if pick["hidden_relu"] else flat
    scores, scores_cache = OURS.affine(hidden, p["W3"], p["b3"])
    loss, dscores = OURS.softmax(scores, d.y)
    dhidden, dW3, db3 = OURS.affine_back(dscores * pick["dscores"](len(d.x)), scores_cache)
    if pick["hidden_relu"] and pick["hidden_relu_back"]:
        dhidden = dhidden * (flat > 0)
    dsmall, dW2, db2 = OURS.affine_back(dhidden, cache)
    dpositive = pooled(positive, 2, 2, dsmall.reshape(small.shape))
    if pick["conv_relu"] and pick["conv_relu_back"]:
        dpositive = dpositive * (a > 0)
    upstream = conv._replace(dout=dpositive)
    dW1, db1 = DW.value(upstream), DB.value(upstream)
    return floored((np.asarray(loss), dW1, dW2, dW3, db1, db2, db3))


NET = Family(
    {
        "conv_relu": True,
        "hidden_relu": True,
        "dscores": lambda n: 1,
        "hidden_relu_back": True,
        "conv_relu_back": True,
    },
    tuple(convolution.CONV_NET.values()),
    _net,
)


def _built(case: Case, **more: Any) -> Kept:
    options = {
        "input_dim": IMAGE,
        "num_filters": FILTERS,
        "filter_size": WINDOW,
        "hidden_dim": HIDDEN,
        "num_classes": CLASSES,
        "weight_scale": SCALE,
        "reg": 0.0,
        "dtype": np.float64,
        **more,
    }
    outcome = case.exam.subject.call(case.function, keep="all", numpy_seed=1, **options)
    if outcome.error is not None:
        if outcome.error.type == "NotImplementedError":
            raise Unwritten
        raise Failed(outcome.error)
    if not isinstance(outcome.value, Kept):
        raise Unwritten
    return outcome.value


def _shapes() -> dict[str, tuple[int, ...]]:
    C, H, W = IMAGE
    small = FILTERS * (H // 2) * (W // 2)
    return {
        "W1": (FILTERS, C, WINDOW, WINDOW), "b1": (FILTERS,), "W2": (small, HIDDEN), "b2": (HIDDEN,),
        "W3": (HIDDEN, CLASSES), "b3": (CLASSES,),
    }  # fmt: skip


def _examine_net(case: Case, rng: np.random.Generator) -> None:
    net = _built(case)
    params = parameters(case, net)
    shapes = _shapes()
    if set(params) != set(KEYS):
        case.wrong("keys", f"params has {', '.join(sorted(params))}; needed: {', '.join(KEYS)}")
        return
    for key, shape in shapes.items():
        if np.shape(params[key]) != shape:
            case.wrong(
                "parameter_shape", f"{key} is {np.shape(params[key])}; needed is {shape}", what=key
            )
            return
    draws = [_drawn(rng, shapes) for _ in range(3)]

    def ask(d: NetDraw, reg: float = 0.0) -> tuple[Any, ...]:
        case.exam.subject.set(net, "reg", reg)
        case.exam.subject.update(net, "params", d.params)
        loss, grads = case.results(loss_of(case, net, d.x, d.y), ("loss", "grads"))
        if not isinstance(grads, dict) or not grads:
            raise Unwritten
        missing = [key for key in KEYS if key not in grads]
        if missing:
            case.wrong(
                "gradient_keys",
                f"grads has {', '.join(sorted(grads))}; missing: {', '.join(missing)}",
            )
            raise Settled
        return floored((np.asarray(loss), *(np.asarray(grads[key]) for key in KEYS)))

    try:
        if case.explain(NET, draws, ask, what="the loss and its gradients"):
            net_regularization.examine(case, rng, draws[0], ask, "ThreeLayerConvNet")
    except Failed as failure:
        _fast_missing(case, failure)


def _drawn(rng: np.random.Generator, shapes: dict[str, tuple[int, ...]]) -> NetDraw:
    params = {
        key: rng.normal(size=shape) * (0.3 if key[0] == "W" else 0.5)
        for key, shape in shapes.items()
    }
    x, y = rng.normal(size=(4, *IMAGE)), rng.integers(CLASSES, size=4)
    return NetDraw(params, x, y, normalization=None, layers=3)
