"""A whole fully-connected net in one formula, with slots for everything that is commonly wired wrongly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from normlab.checker.family import Family
from normlab.typing import Array

EPS = 1e-5  # a net's norms use the default


@dataclass(frozen=True, eq=False)
class NetDraw:
    """A net's parameters (random, also the biases, gammas and betas), a batch, and its settings."""

    params: dict[str, Array]
    x: Array
    y: Array
    reg: float
    normalization: str | None
    layers: int

    @property
    def keys(self) -> tuple[str, ...]:
        """The parameters' names, in the order in which gradients are compared."""
        return tuple(sorted(self.params))


def draw(rng: np.random.Generator, dims: tuple[int, ...], n: int, normalization: str | None, reg: float) -> NetDraw:
    """Random parameters for layers of these widths: dims[0] inputs, dims[-1] classes."""
    params: dict[str, Array] = {}
    for i, (fan_in, fan_out) in enumerate(pairwise(dims), start=1):
        params[f"W{i}"] = rng.normal(size=(fan_in, fan_out)) / np.sqrt(fan_in)
        params[f"b{i}"] = rng.normal(size=fan_out) * 0.3
        if normalization is not None and i < len(dims) - 1:
            params[f"gamma{i}"] = rng.uniform(0.5, 2, size=fan_out) * rng.choice([-1.0, 1.0], size=fan_out)
            params[f"beta{i}"] = rng.normal(size=fan_out) * 0.5
    return NetDraw(
        params, rng.normal(size=(n, dims[0])), rng.integers(0, dims[-1], size=n), reg, normalization, len(dims) - 1
    )


SLOTS = {
    "norm": ("", "norm_ignored", "norm_after_relu", "batch_norm_for_layer_norm", "layer_norm_for_batch_norm",
             "norm_on_scores"),
    "forward": ("", "relu_on_scores", "relu_missing", "bias_ignored"),
    "reg_loss": ("", "reg_loss_half_missing", "reg_loss_missing", "reg_loss_last_only", "reg_loss_first_only",
                 "reg_loss_quarter", "biases_regularized", "norm_parameters_regularized", "all_parameters_regularized"),
    "reg_gradient": ("", "reg_gradient_missing", "reg_gradient_hidden_missing", "reg_gradient_last_missing",
                     "reg_gradient_first_missing", "reg_gradient_half", "reg_gradient_double"),
    "reg_gradient_form": ("", "reg_gradient_summed"),
    "reg_gradient_extra": ("", "biases_regularized#gradient", "norm_parameters_regularized#gradient",
                           "all_parameters_regularized#gradient"),
    "order": ("", "backward_order", "norm_backward_missing", "relu_backward_missing"),
    "mask": ("", "relu_cache_before_norm"),
    "keys": ("", "norm_keys_swapped"),
    "caches": ("", "wrong_cache", "wrong_cache#next"),
}  # fmt: skip


def _axis(kind: str) -> int:
    return 0 if kind == "batchnorm" else 1


def _norm(a: Array, gamma: Array, beta: Array, kind: str) -> tuple[Array, tuple[Array, Array, Array, int]]:
    axis = _axis(kind)
    scale = 1 / np.sqrt(a.var(axis, keepdims=True) + EPS)
    xhat = (a - a.mean(axis, keepdims=True)) * scale
    return gamma * xhat + beta, (xhat, scale, gamma, axis)


def _norm_back(dout: Array, cache: tuple[Array, Array, Array, int]) -> tuple[Array, Array, Array]:
    xhat, scale, gamma, axis = cache
    dxhat = dout * gamma
    mean = dxhat.mean(axis, keepdims=True)
    return scale * (dxhat - mean - xhat * (dxhat * xhat).mean(axis, keepdims=True)), (dout * xhat).sum(0), dout.sum(0)


def kind_of(d: NetDraw, choice: Mapping[str, str]) -> str | None:
    """Which norm the hidden layers use under a choice."""
    swapped = {
        "batch_norm_for_layer_norm": ("layernorm", "batchnorm"),
        "layer_norm_for_batch_norm": ("batchnorm", "layernorm"),
    }
    if choice["norm"] == "norm_ignored":
        if d.normalization is None:
            raise ValueError("no norm to ignore")
        return None
    if choice["norm"] in swapped:
        given, used = swapped[choice["norm"]]
        if d.normalization != given:
            raise ValueError("another norm")
        return used
    if choice["norm"] and d.normalization is None:
        raise ValueError("no norm to place")
    return d.normalization


def forward(d: NetDraw, choice: Mapping[str, str]) -> tuple[Array, list[dict[str, Any]]]:
    """Scores (N, C), and each layer's intermediate values."""
    kind, h, caches = kind_of(d, choice), d.x, []
    for i in range(1, d.layers + 1):
        p, last = d.params, i == d.layers
        a = h @ p[f"W{i}"] + (0 if choice["forward"] == "bias_ignored" else p[f"b{i}"])
        cache: dict[str, Any] = {"h": h, "a": a, "w": p[f"W{i}"]}
        if last:
            if choice["norm"] == "norm_on_scores" and kind:
                a, cache["norm"] = _norm(a, np.ones(a.shape[1]), np.zeros(a.shape[1]), kind)
            h = np.maximum(a, 0) if choice["forward"] == "relu_on_scores" else a
            cache["mask"] = a > 0
        else:
            after = choice["norm"] == "norm_after_relu"
            z = a
            if kind and not after:
                z, cache["norm"] = _norm(a, p[f"gamma{i}"], p[f"beta{i}"], kind)
            cache["mask"] = z > 0
            h = z if choice["forward"] == "relu_missing" else np.maximum(z, 0)
            if kind and after:
                h, cache["norm"] = _norm(h, p[f"gamma{i}"], p[f"beta{i}"], kind)
        caches.append(cache)
    return h, caches


def _compute(d: NetDraw, choice: Mapping[str, str]) -> tuple[Array, ...]:
    """Loss and every gradient, in the order of `d.keys`."""
    scores, caches = forward(d, choice)
    n = len(d.y)
    shifted = scores - scores.max(1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    loss = -logs[np.arange(n), d.y].mean() + _penalty(d, choice["reg_loss"])
    dout = np.exp(logs)
    dout[np.arange(n), d.y] -= 1
    grads = _backward(d, choice, caches, dout / n)
    return floored((np.asarray(loss), *(grads[key] for key in d.keys)))


def floored(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Loss and gradients; what is zero up to rounding (b before a batch norm) is made exactly zero."""
    arrays = [value for value in values[1:] if isinstance(value, np.ndarray)]
    floor = 1e-9 * max((float(np.max(np.abs(a), initial=0.0)) for a in arrays), default=0.0)
    return values[0], *(np.where(np.abs(v) < floor, 0.0, v) if isinstance(v, np.ndarray) else v for v in values[1:])


def _penalty(d: NetDraw, way: str) -> float:
    squares = {key: float((value**2).sum()) for key, value in d.params.items()}
    weights = [squares[f"W{i}"] for i in range(1, d.layers + 1)]
    extra = {
        "biases_regularized": ("b",), "norm_parameters_regularized": ("gamma", "beta"),
        "all_parameters_regularized": ("b", "gamma", "beta"),
    }.get(way, ())  # fmt: skip
    added = sum(value for key, value in squares.items() if key.rstrip("0123456789") in extra)
    if extra and not added:
        raise ValueError("nothing of this kind to regularize")
    total = {"reg_loss_last_only": weights[-1], "reg_loss_first_only": weights[0], "reg_loss_missing": 0.0}.get(
        way, sum(weights)
    )
    factor = {"reg_loss_half_missing": 1.0, "reg_loss_quarter": 0.25}.get(way, 0.5)
    return factor * d.reg * (total + added)


def _backward(d: NetDraw, choice: Mapping[str, str], caches: list[dict[str, Any]], dout: Array) -> dict[str, Array]:
    kind, grads, mixed = kind_of(d, choice), {}, choice["caches"]
    step = {"": 0, "wrong_cache": -1, "wrong_cache#next": 1}[mixed]
    if choice["order"] in ("backward_order", "norm_backward_missing") and not kind:
        raise ValueError("no norm here")
    if choice["mask"] and not kind:
        raise ValueError("no norm here")
    for i in range(d.layers, 0, -1):
        hidden = d.layers - 1
        cache = caches[i - 1] if i == d.layers or not hidden else caches[(i - 1 + step) % hidden]
        if i == d.layers:
            if choice["forward"] == "relu_on_scores":
                dout = dout * cache["mask"]
            if "norm" in cache:
                dout = _norm_back(dout, cache["norm"])[0]
        else:
            mask = cache["a"] > 0 if choice["mask"] else cache["mask"]
            if choice["forward"] == "relu_missing" or choice["order"] == "relu_backward_missing":
                mask = np.ones_like(mask)
            first = (choice["norm"] == "norm_after_relu") != (choice["order"] == "backward_order")
            if not first:
                dout = dout * mask
            if kind:
                through, dgamma, dbeta = _norm_back(dout, cache["norm"])
                dout = dout if choice["order"] == "norm_backward_missing" else through
                pair = (dbeta, dgamma) if choice["keys"] else (dgamma, dbeta)
                grads[f"gamma{i}"], grads[f"beta{i}"] = pair
            if first:
                dout = dout * mask
        grads[f"W{i}"] = cache["h"].T @ dout
        grads[f"b{i}"] = dout.sum(0)
        dout = dout @ cache["w"].T
    for key in d.params:
        if key not in grads:
            grads[key] = np.zeros_like(d.params[key])
        term = d.params[key].sum() if choice["reg_gradient_form"] and key[0] == "W" else d.params[key]
        grads[key] = grads[key] + d.reg * _factor(d, key, choice) * term
    return grads


def _factor(d: NetDraw, key: str, choice: Mapping[str, str]) -> float:
    """The multiple of reg * parameter that a choice adds to a gradient."""
    letters, number = key.rstrip("0123456789"), int(key[len(key.rstrip("0123456789")) :])
    if letters != "W":
        kinds = {"biases_regularized#gradient": ("b",), "norm_parameters_regularized#gradient": ("gamma", "beta"),
                 "all_parameters_regularized#gradient": ("b", "gamma", "beta")}  # fmt: skip
        return 1.0 if letters in kinds.get(choice["reg_gradient_extra"], ()) else 0.0
    last, first = number == d.layers, number == 1
    return {
        "": 1.0, "reg_gradient_missing": 0.0, "reg_gradient_hidden_missing": float(last),
        "reg_gradient_last_missing": float(not last), "reg_gradient_first_missing": float(not first),
        "reg_gradient_half": 0.5, "reg_gradient_double": 2.0,
    }[choice["reg_gradient"]]  # fmt: skip


NET = Family(SLOTS, _compute)
PLAIN = {slot: options[0] for slot, options in SLOTS.items()}
