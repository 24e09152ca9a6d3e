"""How wide the signals are in each layer of a net, forward and backward, before anything is learned."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from normlab import randomness
from normlab.data import Dataset
from normlab.engines import solver_for
from normlab.errors import NonFiniteWarning
from normlab.layers import affine_forward, relu_forward
from normlab.nets import FullyConnectedNet
from normlab.specs import RunSpec
from normlab.studies.measures import log10_or_floor
from normlab.typing import Array


def first_step(spec: RunSpec, data: Dataset) -> dict[str, Any]:
    """log10 of the standard deviation of each hidden layer's activations and each weight's gradient.

    Measured on the minibatch that the run's own first step draws. 'signal kept' compares the last hidden
    layer's activations with the first's, 'gradient kept' the first weight's gradient with the last's.
    """
    solver = solver_for(spec, data)
    batch = randomness.minibatch(solver.rng, len(solver.X_train), solver.batch_size)
    X, y = solver.X_train[batch], solver.y_train[batch]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", NonFiniteWarning)
        activations = [spread(hidden) for hidden in hidden_activations(solver.model, X)]
        _, grads = solver.model.loss(X, y)
    gradients = [spread(grads[f"W{layer}"]) for layer in range(1, solver.model.num_layers + 1)]
    return {
        "activation spread": activations,
        "gradient spread": gradients,
        "signal kept": _difference(activations[-1], activations[0]),
        "gradient kept": _difference(gradients[0], gradients[-1]),
        "first-layer gradient": gradients[0],
    }


def hidden_activations(net: FullyConnectedNet, X: Array) -> list[Array]:
    """What leaves each hidden layer's ReLU, (N, H), for images X (N, …) in train mode, without dropout."""
    h = X.reshape(len(X), -1).astype(net.dtype)
    activations = []
    for layer in range(1, net.num_layers):
        h, _ = affine_forward(h, net.params[f"W{layer}"], net.params[f"b{layer}"])
        if net.norm is not None:
            # a copy, so that looking does not move the running statistics
            settings = {**net.bn_params[layer - 1], "mode": "train"}
            parameters = [net.params[f"{name}{layer}"] for name in net.norm.parameter_names]
            h, _ = net.norm.forward(h, *parameters, settings)
        h, _ = relu_forward(h)
        activations.append(h)
    return activations


def spread(values: Array) -> float | None:
    """log10 of the standard deviation over all entries; None where it is not finite.

    >>> spread(np.array([-1.0, 1.0])), spread(np.zeros(3))
    (0.0, -30.0)
    """
    with np.errstate(all="ignore"):
        deviation = float(np.std(values, dtype=np.float64))
    return log10_or_floor(deviation) if np.isfinite(deviation) else None


def _difference(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left - right
