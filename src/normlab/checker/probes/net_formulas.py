"""A whole fully-connected net in one formula, with slots for everything that is commonly wired
wrongly.

The formula is made of layers. `OURS` are the right ones; a person's own layers, right or wrong,
can stand in their
place: then the net is judged for its wiring alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from normlab.checker.family import Family
from normlab.checker.mistakes import nets
from normlab.typing import Array

EPS = 1e-5  # a net's norms use the default
Pick = Mapping[str, Any]


class Layers(Protocol):
    """The layers that a net is made of: each forward gives (out, cache), each backward takes
    (dout, cache)."""

    def affine(self, x: Array, w: Array, b: Array) -> tuple[Array, Any]: ...
    def affine_back(self, dout: Array, cache: Any) -> tuple[Array, Array, Array]: ...
    def relu(self, x: Array) -> tuple[Array, Any]: ...
    def relu_back(self, dout: Array, cache: Any) -> Array: ...
    def norm(self, kind: str, x: Array, gamma: Array, beta: Array) -> tuple[Array, Any]: ...
    def norm_back(self, kind: str, dout: Array, cache: Any) -> tuple[Array, Array, Array]: ...
    def softmax(self, scores: Array, y: Array) -> tuple[Array, Array]: ...


class RightLayers:
    """Every layer as the derivation has it."""

    def affine(self, x: Array, w: Array, b: Array) -> tuple[Array, Any]:
        return x @ w + b, (x, w)

    def affine_back(self, dout: Array, cache: Any) -> tuple[Array, Array, Array]:
        x, w = cache
        return dout @ w.T, x.T @ dout, dout.sum(0)

    def relu(self, x: Array) -> tuple[Array, Any]:
        return np.maximum(x, 0), x

    def relu_back(self, dout: Array, cache: Any) -> Array:
        return np.asarray(dout * (cache > 0))

    def norm(self, kind: str, x: Array, gamma: Array, beta: Array) -> tuple[Array, Any]:
        axis = AXES[kind]
        scale = 1 / np.sqrt(x.var(axis, keepdims=True) + EPS)
        xhat = (x - x.mean(axis, keepdims=True)) * scale
        return gamma * xhat + beta, (xhat, scale, gamma)

    def norm_back(self, kind: str, dout: Array, cache: Any) -> tuple[Array, Array, Array]:
        xhat, scale, gamma = cache
        dxhat, over = dout * gamma, {"axis": AXES[kind], "keepdims": True}
        dx = scale * (dxhat - dxhat.mean(**over) - xhat * (dxhat * xhat).mean(**over))
        return dx, (dout * xhat).sum(0), dout.sum(0)

    def softmax(self, scores: Array, y: Array) -> tuple[Array, Array]:
        shifted = scores - scores.max(1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
        dx = np.exp(logs)
        dx[np.arange(len(y)), y] -= 1
        return -logs[np.arange(len(y)), y].mean(), dx / len(y)


AXES = {"batchnorm": 0, "layernorm": 1}
OURS = RightLayers()


@dataclass(frozen=True, eq=False)
class NetDraw:
    """A net's parameters (random, also the biases, gammas and betas), a batch, and its settings."""

    params: dict[str, Array]
    x: Array
    y: Array
    normalization: str | None
    layers: int
    made_of: Layers = OURS

    @property
    def keys(self) -> tuple[str, ...]:
        """The parameters' names, in the order in which gradients are compared."""
        return tuple(sorted(self.params))

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, hidden layers, classes."""
        return (self.x.shape[1], *(self.params[f"b{i}"].size for i in range(1, self.layers + 1)))


def draw(
    rng: np.random.Generator, dims: tuple[int, ...], n: int, normalization: str | None
) -> NetDraw:
    """Random parameters for layers of these widths: dims[0] inputs, dims[-1] classes."""
    params: dict[str, Array] = {}
    for i, (fan_in, fan_out) in enumerate(pairwise(dims), start=1):
        params[f"W{i}"] = rng.normal(size=(fan_in, fan_out)) / np.sqrt(fan_in)
        params[f"b{i}"] = rng.normal(size=fan_out) * 0.3
        if normalization is not None and i < len(dims) - 1:
            params[f"gamma{i}"] = rng.uniform(0.5, 2, size=fan_out) * rng.choice(
                [-1.0, 1.0], size=fan_out
            )
            params[f"beta{i}"] = rng.normal(size=fan_out) * 0.5
    return NetDraw(
        params,
        rng.normal(size=(n, dims[0])),
        rng.integers(0, dims[-1], size=n),
        normalization,
        len(dims) - 1,
    )


def _same(value: Any, *others: Any) -> Any:
    return value


RIGHT: Mapping[str, Any] = {
    "kind": _same,
    "norm_after": False,
    "scores_norm": False,
    "scores_relu": False,
    "relu": True,
    "bias": True,
    "skipped": False,
    "svm": False,
    "back_kind": _same,
    "norm_first": False,
    "norm_back": True,
    "relu_back": True,
    "mask": lambda a, z: z,
    "scores_mask": False,
    "keys": lambda dgamma, dbeta: (dgamma, dbeta),
    "caches": 0,
    "passed": lambda dout, dx: dx,
}


def forward(d: NetDraw, pick: Pick = RIGHT) -> tuple[Array, list[dict[str, Any]]]:
    """Scores (N, C), and each layer's caches."""
    kind, h = pick["kind"](d.normalization), d.x
    caches: list[dict[str, Any]] = []
    _meaningful(kind, pick)
    for i in range(1, d.layers + 1):
        p, last = d.params, i == d.layers
        if pick["skipped"] and i == d.layers - 1:
            caches.append({})
            continue
        bias = p[f"b{i}"] if pick["bias"] else np.zeros_like(p[f"b{i}"])
        cache: dict[str, Any] = {}
        a, cache["affine"] = d.made_of.affine(h, p[f"W{i}"], bias)
        h = _scores(d, pick, kind, a, cache) if last else _hidden(d, pick, kind, a, i, cache)
        caches.append(cache)
    return h, caches


def _meaningful(kind: str | None, pick: Pick) -> None:
    if kind is None and (
        pick["norm_after"] or pick["scores_norm"] or pick["norm_first"] or not pick["norm_back"]
    ):
        raise ValueError("no norm to place")


def _scores(d: NetDraw, pick: Pick, kind: str | None, a: Array, cache: dict[str, Any]) -> Array:
    if pick["scores_norm"] and kind is not None:
        width = a.shape[1]
        a, cache["norm"] = d.made_of.norm(kind, a, np.ones(width), np.zeros(width))
    if pick["scores_relu"] or pick["scores_mask"]:
        out, cache["relu"] = d.made_of.relu(a)
        a = out if pick["scores_relu"] else a
    return a


def _hidden(
    d: NetDraw, pick: Pick, kind: str | None, a: Array, i: int, cache: dict[str, Any]
) -> Array:
    p, after, z = d.params, pick["norm_after"], a
    if kind is not None and not after:
        z, cache["norm"] = d.made_of.norm(kind, a, p[f"gamma{i}"], p[f"beta{i}"])
    h, cache["relu"] = d.made_of.relu(z)
    masked = pick["mask"](a, z)
    if masked is not z:
        cache["relu"] = d.made_of.relu(masked)[1]
    h = h if pick["relu"] else z
    if kind is not None and after:
        h, cache["norm"] = d.made_of.norm(kind, h, p[f"gamma{i}"], p[f"beta{i}"])
    return h


def _svm(scores: Array, y: Array) -> tuple[Array, Array]:
    rows = np.arange(len(y))
    margins = np.maximum(0, scores - scores[rows, y][:, None] + 1)
    margins[rows, y] = 0
    dx = (margins > 0) * 1.0
    dx[rows, y] -= dx.sum(1)
    return margins.sum() / len(y), dx / len(y)


def compute(d: NetDraw, pick: Pick) -> tuple[Array, ...]:
    """Loss and every gradient, in the order of `d.keys`."""
    scores, caches = forward(d, pick)
    loss, dout = _svm(scores, d.y) if pick["svm"] else d.made_of.softmax(scores, d.y)
    grads = _backward(d, pick, caches, dout)
    return floored((np.asarray(loss), *(grads[key] for key in d.keys)))


def floored(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Loss and gradients; what is zero up to rounding (b before a batch norm) is made exactly
    zero."""
    arrays = [value for value in values[1:] if isinstance(value, np.ndarray)]
    floor = 1e-9 * max((float(np.max(np.abs(a), initial=0.0)) for a in arrays), default=0.0)
    return values[0], *(
        np.where(np.abs(v) < floor, 0.0, v) if isinstance(v, np.ndarray) else v for v in values[1:]
    )


def _backward(
    d: NetDraw, pick: Pick, caches: list[dict[str, Any]], dout: Array
) -> dict[str, Array]:
    kind, hidden = pick["kind"](d.normalization), d.layers - 1
    grads = {key: np.zeros_like(value) for key, value in d.params.items()}
    for i in range(d.layers, 0, -1):
        cache = (
            caches[i - 1]
            if i == d.layers or not hidden
            else caches[(i - 1 + pick["caches"]) % hidden]
        )
        if not cache:
            continue
        given = dout
        if i == d.layers:
            if "relu" in cache:
                dout = d.made_of.relu_back(dout, cache["relu"])
            if "norm" in cache:
                dout = d.made_of.norm_back(str(kind), dout, cache["norm"])[0]
        else:
            dout = _hidden_back(d, pick, kind, dout, i, cache, grads)
        dx, grads[f"W{i}"], grads[f"b{i}"] = d.made_of.affine_back(dout, cache["affine"])
        if not pick["bias"]:
            grads[f"b{i}"] = np.zeros_like(grads[f"b{i}"])
        dout = pick["passed"](given, dx)
    return grads


def _hidden_back(
    d: NetDraw,
    pick: Pick,
    kind: str | None,
    dout: Array,
    i: int,
    cache: dict[str, Any],
    grads: dict[str, Array],
) -> Array:
    def through_relu(value: Array) -> Array:
        return (
            d.made_of.relu_back(value, cache["relu"])
            if pick["relu"] and pick["relu_back"]
            else value
        )

    first = pick["norm_after"] != pick["norm_first"]
    if not first:
        dout = through_relu(dout)
    if kind is not None:
        through, dgamma, dbeta = d.made_of.norm_back(pick["back_kind"](kind), dout, cache["norm"])
        dout = through if pick["norm_back"] else dout
        grads[f"gamma{i}"], grads[f"beta{i}"] = pick["keys"](dgamma, dbeta)
    elif pick["back_kind"] is not _same:
        raise ValueError("no norm here")
    return through_relu(dout) if first else dout


NET = Family(RIGHT, nets.WIRING, compute)
