"""How far the statistics of one batch are from the running ones, in a net that batch norm has trained.

Training normalizes with the batch's mean and variance, testing with running averages of them. The
probe trains the net as any run is trained, keeps its history, and then compares the two on training
images, at the batch size the net was trained with.
"""

from __future__ import annotations

import copy
import math
import warnings
from typing import Any

import numpy as np

from normlab import randomness
from normlab.data import Dataset
from normlab.errors import NonFiniteWarning
from normlab.nets import FullyConnectedNet
from normlab.specs import RunSpec
from normlab.studies.measures import Curve, Measure, log10_or_floor
from normlab.studies.probes.record import Probe
from normlab.typing import Array

IMAGES = 200


def batch_gap(spec: RunSpec, data: Dataset, net: FullyConnectedNet) -> dict[str, Any]:
    """What `gap` finds on the net that a run has left, at the run's own batch size."""
    chosen = randomness.distinct(randomness.generator(spec.seed), len(data.X_train), IMAGES)
    X, y = data.X_train[chosen], data.y_train[chosen]
    return gap(net, X, y, spec.training.batch_size, getattr(spec.net, "eps", 1e-5))


def gap(
    net: FullyConnectedNet, X: Array, y: Array, batch_size: int, eps: float = 1e-5
) -> dict[str, Any]:
    """How far the statistics of batches of X (N, …) lie from the net's running ones, and what that does to accuracy.

    'statistics gap' is log10 of the distance of means in running standard deviations, 'variance
    gap' log10 of the factor between variances, both as root mean squares over batches, layers and
    features. 'statistics gap by layer' is the first of them a layer at a time.
    """
    running = [(param["running_mean"], param["running_var"]) for param in net.bn_params]
    means: list[list[Array]] = [[] for _ in running]
    variances = []
    right_with_batch = right_with_running = 0
    starts = range(0, len(X) - batch_size + 1, batch_size)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", NonFiniteWarning)
        for start in starts:
            batch = slice(start, start + batch_size)
            adapted = with_statistics_of(net, X[batch], y[batch])
            layers = zip(running, adapted.bn_params, strict=True)
            for layer, ((mean, variance), param) in enumerate(layers):
                means[layer].append((param["running_mean"] - mean) ** 2 / (variance + eps))
                variances.append(np.log10((param["running_var"] + eps) / (variance + eps)) ** 2)
            right_with_batch += int(np.sum(np.argmax(adapted.loss(X[batch]), axis=1) == y[batch]))
            right_with_running += int(np.sum(np.argmax(net.loss(X[batch]), axis=1) == y[batch]))
        by_layer = [float(np.mean(squares)) for squares in means]
        overall = float(np.mean([np.mean(squares) for layer in means for squares in layer]))
    images = len(starts) * batch_size
    return {
        "statistics gap": _finite(log10_or_floor(math.sqrt(overall))),
        "statistics gap by layer": [_finite(log10_or_floor(math.sqrt(each))) for each in by_layer],
        "variance gap": _finite(math.sqrt(float(np.mean(variances)))),
        "accuracy with batch statistics": right_with_batch / images,
        "accuracy with running statistics": right_with_running / images,
    }


def with_statistics_of(net: FullyConnectedNet, X: Array, y: Array) -> FullyConnectedNet:
    """A copy of the net that tests with the statistics that X has in train mode.

    With momentum 0 a training pass leaves the batch's own statistics as the running ones, layer by
    layer.
    """
    adapted = copy.deepcopy(net)
    for param in adapted.bn_params:
        param["momentum"] = 0.0
    adapted.loss(X, y)
    return adapted


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


BATCH_GAP = Probe(
    "batch gap",
    "a trained net",
    batch_gap,
    gives=(
        Measure("statistics gap", "Distance (standard deviations)", "decades"),
        Measure("variance gap", "Variance, as a factor", "decades"),
        Measure(
            "accuracy with batch statistics", "Training accuracy with batch statistics", "accuracy"
        ),
        Measure(
            "accuracy with running statistics",
            "Training accuracy with running statistics",
            "accuracy",
        ),
        Curve("statistics gap by layer", "Distance (standard deviations)", "decades", "layer"),
    ),
    edition=3,
)
