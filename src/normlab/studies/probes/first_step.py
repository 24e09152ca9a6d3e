"""How wide the signals are in each layer of a net, forward and backward, before anything is learned."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np

from normlab import randomness
from normlab.data import Dataset
from normlab.engines import solver_for
from normlab.errors import NonFiniteWarning
from normlab.nets import FullyConnectedNet
from normlab.specs import RunSpec
from normlab.studies.measures import Curve, Measure, log10_or_floor
from normlab.studies.probes.record import Probe
from normlab.typing import Array


def first_step(spec: RunSpec, data: Dataset) -> dict[str, Any]:
    """log10 of the standard deviation of each hidden layer's activations and each weight's gradient.

    Measured on the minibatch that the run's own first step draws. 'signal kept' compares the last
    hidden layer's activations with the first's, 'gradient kept' the first weight's gradient with
    the last's.
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
    """What leaves each hidden layer, (N, H), for images X (N, …) in train mode: the next layer's inputs.

    Taken on a copy, so that looking does not move the running statistics.
    """
    copied = copy.deepcopy(net)
    for param in copied.bn_params:
        param["mode"] = "train"
    _, caches = copied._forward(copied._rows(X))
    return [affine_cache.x for affine_cache, *_ in caches[1:]]


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


FIRST_STEP = Probe(
    "first step",
    "a fresh net",
    first_step,
    gives=(
        Measure("signal kept", "Last activations over first (factor)", "decades"),
        Measure("gradient kept", "First layer over last (factor)", "decades"),
        Measure("first-layer gradient", "Spread of the first layer's weight gradient", "decades"),
        Curve("activation spread", "Standard deviation of the activations", "decades", "layer"),
        Curve("gradient spread", "Standard deviation of the weights' gradient", "decades", "layer"),
    ),
    edition=3,
)
