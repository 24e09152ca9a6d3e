"""The course's way: NumPy as a student writes it, each formula as in the lecture, float32, one net at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from normlab.data.dataset import Dataset
from normlab.specs import RunSpec
from normlab.typing import Array
from proof.bench.trainers.draws import EPS, MOMENTUM, Draws, Images, Outcome, draws, images, outcome

AT_ONCE = 100  # examples predicted at a time, as the course's Solver does


class NumpyTrainer:
    """Forward, backward and Adam, layer by layer."""

    def prepare(self, specs: Sequence[RunSpec], data: Dataset) -> None:
        self.specs, self.images, self.draws = (
            list(specs),
            images(data),
            [draws(spec) for spec in specs],
        )

    def compile(self, nets: Sequence[int]) -> None:
        """Nothing to compile."""

    def train(self, nets: Sequence[int]) -> list[Outcome]:
        with np.errstate(all="ignore"):  # at the largest weight scales a net overflows
            return [outcome(*_train(self.specs[net], self.draws[net], self.images)) for net in nets]


def _train(spec: RunSpec, drawn: Draws, data: Images) -> tuple[list[float], list[float]]:
    """Losses and validation accuracies of a run."""
    net = _Net(drawn.weights, spec.net.normalization)
    configs: dict[str, dict[str, Any]] = {name: {} for name in net.params}
    losses: list[float] = []
    val_accs: list[float] = []
    for batch, measured in zip(drawn.batches, drawn.measured, strict=True):
        loss, grads = net.loss(data.X_train[batch], data.y_train[batch])
        losses.append(float(loss))
        for name in net.params:
            net.params[name] = _adam(
                net.params[name], grads[name], configs[name], spec.training.learning_rate
            )
        if measured:
            _accuracy(net, data.X_train, data.y_train)
            val_accs.append(_accuracy(net, data.X_val, data.y_val))
    return losses, val_accs


class _Net:
    """{affine, [norm], ReLU} for each hidden layer, affine, softmax; parameters in a dictionary."""

    def __init__(self, weights: list[Array], norm: str | None) -> None:
        self.norm, self.layers = norm, len(weights)
        self.params: dict[str, Array] = {}
        self.running: list[dict[str, Any]] = []
        for i, w in enumerate(weights):
            self.params[f"W{i}"], self.params[f"b{i}"] = w.copy(), np.zeros(w.shape[1], w.dtype)
            if norm is not None and i < self.layers - 1:
                self.params[f"gamma{i}"], self.params[f"beta{i}"] = (
                    np.ones(w.shape[1], w.dtype),
                    np.zeros_like(w[0]),
                )
                self.running.append({"mean": np.zeros_like(w[0]), "var": np.zeros_like(w[0])})

    def scores(self, x: Array, caches: list[Any] | None) -> Array:
        """Scores (N, classes); with a list for the caches, in training mode."""
        p = self.params
        for i in range(self.layers - 1):
            a = x.dot(p[f"W{i}"]) + p[f"b{i}"]
            n, norm_cache = a, None
            if self.norm == "batchnorm" and caches is None:
                running = self.running[i]
                n = (
                    p[f"gamma{i}"] * (a - running["mean"]) / np.sqrt(running["var"] + EPS)
                    + p[f"beta{i}"]
                )
            elif self.norm is not None:
                axis = 0 if self.norm == "batchnorm" else 1
                n, norm_cache = _norm_forward(a, p[f"gamma{i}"], p[f"beta{i}"], axis)
                if self.norm == "batchnorm":
                    for name, value in zip(("mean", "var"), norm_cache[-2:], strict=True):
                        self.running[i][name] = (
                            MOMENTUM * self.running[i][name] + (1 - MOMENTUM) * value[0]
                        )
            if caches is not None:
                caches.append((x, norm_cache, n))
            x = np.maximum(0, n)
        if caches is not None:
            caches.append((x, None, None))
        return np.asarray(x.dot(p[f"W{self.layers - 1}"]) + p[f"b{self.layers - 1}"])

    def loss(self, x: Array, y: Array) -> tuple[float, dict[str, Array]]:
        """The softmax loss and every parameter's gradient."""
        caches: list[Any] = []
        scores = self.scores(x, caches)
        shifted = scores - scores.max(axis=1, keepdims=True)
        log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        rows = np.arange(len(y))
        loss = -log_probs[rows, y].mean()
        dout = np.exp(log_probs)
        dout[rows, y] -= 1
        dout /= len(y)
        grads: dict[str, Array] = {}
        for i in reversed(range(self.layers)):
            x, norm_cache, n = caches[i]
            if n is not None:
                dout = dout * (n > 0)
                if norm_cache is not None:
                    dout, grads[f"gamma{i}"], grads[f"beta{i}"] = _norm_backward(dout, norm_cache)
            grads[f"W{i}"], grads[f"b{i}"] = x.T.dot(dout), dout.sum(axis=0)
            dout = dout.dot(self.params[f"W{i}"].T)
        return loss, grads


def _norm_forward(x: Array, gamma: Array, beta: Array, axis: int) -> tuple[Array, tuple[Any, ...]]:
    mean = x.mean(axis=axis, keepdims=True)
    centred = x - mean
    var = (centred**2).mean(axis=axis, keepdims=True)
    std = np.sqrt(var + EPS)
    normalized = centred / std
    return gamma * normalized + beta, (axis, gamma, centred, std, normalized, mean, var)


def _norm_backward(dout: Array, cache: tuple[Any, ...]) -> tuple[Array, Array, Array]:
    """Back through the graph of the forward pass, node by node."""
    axis, gamma, centred, std, normalized, _, _ = cache
    count = centred.shape[axis]
    dgamma, dbeta = (dout * normalized).sum(axis=0), dout.sum(axis=0)
    dnormalized = dout * gamma
    dvar = (dnormalized * centred).sum(axis=axis, keepdims=True) * -0.5 / std**3
    dmean = -(dnormalized / std).sum(axis=axis, keepdims=True) + dvar * -2 * centred.mean(
        axis=axis, keepdims=True
    )
    return dnormalized / std + dvar * 2 * centred / count + dmean / count, dgamma, dbeta


def _adam(w: Array, dw: Array, config: dict[str, Any], learning_rate: float) -> Array:
    config["t"] = config.get("t", 0) + 1
    config["m"] = 0.9 * config.get("m", np.zeros_like(w)) + 0.1 * dw
    config["v"] = 0.999 * config.get("v", np.zeros_like(w)) + 0.001 * dw**2
    m = config["m"] / (1 - 0.9 ** config["t"])
    v = config["v"] / (1 - 0.999 ** config["t"])
    return np.asarray(w - learning_rate * m / (np.sqrt(v) + 1e-8))


def _accuracy(net: _Net, X: Array, y: Array) -> float:
    starts = range(0, len(X), AT_ONCE)
    predicted = [net.scores(X[start : start + AT_ONCE], None).argmax(axis=1) for start in starts]
    return float((np.concatenate(predicted) == y).mean())
