"""What a trained net's test accuracy owes to the statistics it is tested with."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from normlab import randomness
from normlab.data import Dataset
from normlab.errors import NonFiniteWarning
from normlab.nets import FullyConnectedNet
from normlab.specs import RunSpec
from normlab.studies.measures import Measure
from normlab.studies.probes.batch_gap import with_statistics_of
from normlab.studies.probes.record import Probe
from normlab.typing import Array

CONTRAST = 2.0
IMAGES = 200


def statistics_at_test(spec: RunSpec, data: Dataset, net: FullyConnectedNet) -> dict[str, Any]:
    """Test accuracy with running statistics, with those of all training images, and on images of twice the contrast;
    and training accuracy with statistics of batches that hold one class each, and of mixed ones."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", NonFiniteWarning)
        recomputed = with_statistics_of(net, data.X_train, data.y_train)
        order = np.argsort(data.y_train, kind="stable")
        mixed = randomness.distinct(randomness.generator(spec.seed), len(data.X_train), IMAGES)
        every = max(len(order) // IMAGES, 1)
        size = spec.training.batch_size
        return {
            "with running statistics": accuracy(net, data.X_test, data.y_test),
            "with recomputed statistics": accuracy(recomputed, data.X_test, data.y_test),
            "at twice the contrast": accuracy(net, CONTRAST * data.X_test, data.y_test),
            "in sorted batches": in_batches(net, data, order[::every], size),
            "in mixed batches": in_batches(net, data, mixed, size),
        }


def accuracy(net: FullyConnectedNet, X: Array, y: Array) -> float:
    """The share of images that the net classifies rightly in test mode."""
    return float(np.mean(np.argmax(net.loss(X), axis=1) == y))


def in_batches(net: FullyConnectedNet, data: Dataset, order: Array, size: int) -> float:
    """Training accuracy with each batch's own statistics, batches taken in this order."""
    right = counted = 0
    for start in range(0, len(order) - size + 1, size):
        batch = order[start : start + size]
        X, y = data.X_train[batch], data.y_train[batch]
        right += int(np.sum(np.argmax(with_statistics_of(net, X, y).loss(X), axis=1) == y))
        counted += size
    return right / counted


STATISTICS_AT_TEST = Probe(
    "statistics at test",
    "a trained net",
    statistics_at_test,
    gives=(
        Measure("with running statistics", "Test accuracy, running statistics", "accuracy"),
        Measure("with recomputed statistics", "Test accuracy, recomputed statistics", "accuracy"),
        Measure("at twice the contrast", "Test accuracy at twice the contrast", "accuracy"),
        Measure("in sorted batches", "Accuracy with statistics of one class", "accuracy"),
        Measure("in mixed batches", "Accuracy with statistics of mixed batches", "accuracy"),
    ),
)
