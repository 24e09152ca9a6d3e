"""JAX's way: all nets of one shape are one compiled call, mapped over one after another or as a batch of nets.

The whole training is one `lax.scan` over the steps, accuracies within, so that it is compiled once
for each shape of net and batch. Minibatches come drawn ahead. Nothing goes back to Python before
all nets are trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from normlab.data.dataset import Dataset
from normlab.specs import RunSpec
from proof.bench.trainers import guest
from proof.bench.trainers.draws import EPS, MOMENTUM, Outcome, draws, images, outcome

jax: Any = guest("jax")
jnp: Any = guest("jax.numpy")
lax: Any = guest("jax.lax")


class JaxTrainer:
    """`jit` of `lax.map` (one net after another) or of `vmap` (all nets in step)."""

    def __init__(self, over: str) -> None:
        self.over = {"map": lambda one: lambda nets: lax.map(one, nets), "vmap": jax.vmap}[over]
        self.programs: dict[Any, Any] = {}  # compiled, by shape and number of nets

    def prepare(self, specs: Sequence[RunSpec], data: Dataset) -> None:
        self.specs, self.images = list(specs), [jnp.asarray(array) for array in images(data)]
        self.draws = [draws(spec) for spec in specs]

    def compile(self, nets: Sequence[int]) -> None:
        for shape, members in self._groups(nets).items():
            spec, drawn = self.specs[members[0]], self.draws[members[0]]
            one = _training(spec.net.normalization, spec.training.learning_rate, drawn.measured)
            program = jax.jit(
                lambda given, images, one=one: self.over(lambda net: one(*net, *images))(given)
            )
            self.programs[shape, len(members)] = program.lower(
                self._given(members), self.images
            ).compile()

    def train(self, nets: Sequence[int]) -> list[Outcome]:
        found: dict[int, Outcome] = {}
        for shape, members in self._groups(nets).items():
            if (shape, len(members)) not in self.programs:
                self.compile(members)
            losses, (_, accs) = self.programs[shape, len(members)](
                self._given(members), self.images
            )
            measured = self.draws[members[0]].measured
            for net, loss, acc in zip(members, np.asarray(losses), np.asarray(accs), strict=True):
                found[net] = outcome(loss.tolist(), acc[measured].tolist())
        return [found[net] for net in nets]

    def _groups(self, nets: Sequence[int]) -> dict[Any, list[int]]:
        groups: dict[Any, list[int]] = {}
        for net in nets:
            spec = self.specs[net]
            groups.setdefault(
                (spec.net.hidden_dims, spec.net.normalization, spec.training), []
            ).append(net)
        return groups

    def _given(self, nets: Sequence[int]) -> Any:
        """First weights and minibatches of many nets, stacked."""
        weights = [
            np.stack(layer)
            for layer in zip(*(self.draws[net].weights for net in nets), strict=True)
        ]
        return weights, np.stack([self.draws[net].batches for net in nets]).astype(np.int32)


def _training(norm: str | None, learning_rate: float, measured: Any) -> Any:
    """The function (weights, batches, images) -> (losses, (training, validation accuracies)), one entry a step."""
    t = np.arange(1, len(measured) + 1)
    rates = (learning_rate / (1 - 0.9**t)).astype(np.float32)
    corrections = (1 / (1 - 0.999**t)).astype(np.float32)

    def train_one(
        weights: Any, batches: Any, X_train: Any, y_train: Any, X_val: Any, y_val: Any
    ) -> Any:
        params = [{"w": w, "b": jnp.zeros(w.shape[1])} for w in weights]
        if norm is not None:
            params = [
                p | {"gamma": jnp.ones_like(p["b"]), "beta": jnp.zeros_like(p["b"])}
                for p in params[:-1]
            ]
            params.append({"w": weights[-1], "b": jnp.zeros(weights[-1].shape[1])})
        running = [
            (jnp.zeros_like(p["b"][None]), jnp.zeros_like(p["b"][None])) for p in params[:-1]
        ]
        zeros = jax.tree.map(jnp.zeros_like, params)

        def accuracies(params: Any, running: Any) -> Any:
            of_train = _accuracy(params, running, X_train, y_train, norm)
            return of_train, _accuracy(params, running, X_val, y_val, norm)

        def step(carried: Any, given: Any) -> Any:
            params, m, v, running = carried
            batch, measure, rate, correction = given

            def loss_of(params: Any) -> Any:
                scores, statistics = _scores(params, X_train[batch], norm, None)
                log_probs = jax.nn.log_softmax(scores)
                return -jnp.mean(log_probs[jnp.arange(len(batch)), y_train[batch]]), statistics

            (loss, statistics), grads = jax.value_and_grad(loss_of, has_aux=True)(params)
            m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, grads)
            v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, grads)
            params = jax.tree.map(
                lambda p, m, v: p - rate * m / (jnp.sqrt(v * correction) + 1e-8), params, m, v
            )
            if norm == "batchnorm":
                running = jax.tree.map(
                    lambda old, new: MOMENTUM * old + (1 - MOMENTUM) * new, running, statistics
                )
            accs = lax.cond(measure, accuracies, lambda *_: (0.0, 0.0), params, running)
            # both go out: an accuracy that nobody asked for would not be computed
            return (params, m, v, running), (loss, accs)

        steps = (batches, jnp.asarray(measured), jnp.asarray(rates), jnp.asarray(corrections))
        return lax.scan(step, (params, zeros, zeros, running), steps)[1]

    return train_one


def _scores(params: Any, x: Any, norm: str | None, running: Any) -> Any:
    """Scores (N, classes), and the mean and variance that each norm used; with `running`, in test mode."""
    statistics = []
    for number, layer in enumerate(params[:-1]):
        x = x @ layer["w"] + layer["b"]
        if norm is not None:
            axis = 0 if norm == "batchnorm" else 1
            mean, var = x.mean(axis, keepdims=True), x.var(axis, keepdims=True)
            if norm == "batchnorm" and running is not None:
                mean, var = running[number]
            x = layer["gamma"] * (x - mean) * lax.rsqrt(var + EPS) + layer["beta"]
            statistics.append((mean, var))
        x = jax.nn.relu(x)
    return x @ params[-1]["w"] + params[-1]["b"], statistics


def _accuracy(params: Any, running: Any, X: Any, y: Any, norm: str | None) -> Any:
    scores, _ = _scores(params, X, norm, running)
    return jnp.mean((scores.argmax(axis=1) == y).astype(jnp.float32))
