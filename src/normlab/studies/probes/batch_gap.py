"""How far the statistics of one batch are from the running ones, in a net that batch norm has trained.

Training normalizes with the batch's mean and variance, testing with running averages of them. The probe trains the
net as any run is trained, keeps its history, and then compares the two on training images, at the batch size
the net was trained with.
"""

from __future__ import annotations

import copy
import math
import warnings
from typing import Any

import numpy as np

from normlab import randomness
from normlab.data import Dataset
from normlab.engines import trained_net
from normlab.errors import NonFiniteWarning
from normlab.layers.checks import EPS
from normlab.nets import FullyConnectedNet
from normlab.specs import History, RunSpec
from normlab.studies.measures import log10_or_floor
from normlab.typing import Array

IMAGES = 200


def trained_and_measured(spec: RunSpec, data: Dataset, engine: str = "auto") -> tuple[History, dict[str, Any]]:
    """The run's history, and what `gap` finds on the net it leaves."""
    history, net = trained_net(spec, data, engine)
    chosen = randomness.distinct(randomness.generator(spec.seed), len(data.X_train), IMAGES)
    return history, gap(net, data.X_train[chosen], data.y_train[chosen], spec.training.batch_size)


def gap(net: FullyConnectedNet, X: Array, y: Array, batch_size: int) -> dict[str, Any]:
    """Distances between the statistics of batches of X (N, …) and the net's running ones, and what they do to accuracy.

    'statistics gap' is log10 of the distance of means in running standard deviations, 'variance gap' log10 of
    the factor between variances, both as root mean squares over batches, layers and features.
    """
    running = [(param["running_mean"], param["running_var"]) for param in net.bn_params]
    means, variances = [], []
    right_with_batch = right_with_running = 0
    batches = [slice(start, start + batch_size) for start in range(0, len(X) - batch_size + 1, batch_size)]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", NonFiniteWarning)
        for batch in batches:
            adapted = with_statistics_of(net, X[batch], y[batch])
            for (mean, variance), param in zip(running, adapted.bn_params, strict=True):
                means.append((param["running_mean"] - mean) ** 2 / (variance + EPS))
                variances.append(np.log10((param["running_var"] + EPS) / (variance + EPS)) ** 2)
            right_with_batch += int(np.sum(np.argmax(adapted.loss(X[batch]), axis=1) == y[batch]))
            right_with_running += int(np.sum(np.argmax(net.loss(X[batch]), axis=1) == y[batch]))
    images = len(batches) * batch_size
    return {
        "statistics gap": _finite(log10_or_floor(math.sqrt(float(np.mean(means))))),
        "variance gap": _finite(math.sqrt(float(np.mean(variances)))),
        "accuracy with batch statistics": right_with_batch / images,
        "accuracy with running statistics": right_with_running / images,
    }


def with_statistics_of(net: FullyConnectedNet, X: Array, y: Array) -> FullyConnectedNet:
    """A copy of the net that tests with the statistics that X has in train mode.

    With momentum 0 a training pass leaves the batch's own statistics as the running ones, layer by layer.
    """
    adapted = copy.deepcopy(net)
    for param in adapted.bn_params:
        param["momentum"] = 0.0
    adapted.loss(X, y)
    return adapted


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
