"""The least time that a training can take on a machine: its arithmetic at the machine's own peak, or its traffic.

Letters: W weights, P all parameters, B batch, D inputs, h1 the first hidden layer's width, H hidden
units. A step takes 6BW - 2B·D·h1 operations in matrix products (three products a layer, but nobody
needs the gradient of the images), 2BH in ReLU and its gradient, 21BH more in a norm's two passes,
and 13P in Adam. It reads and writes W, m and v once: 24P bytes, where they are not in a cache. An
accuracy takes 2W an image, and 5H where there is a norm.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from normlab.specs import RunSpec

__all__ = ["Work", "floor_seconds", "total", "work_of"]


class Work(NamedTuple):
    """Operations and bytes of a training."""

    training: float
    evaluation: float
    bytes: float


def work_of(spec: RunSpec) -> Work:
    """What one float32 run with Adam takes."""
    data, hidden, size = spec.data, spec.net.hidden_dims, spec.training.batch_size
    dims = [data.input_dim, *hidden, data.num_classes]
    normalized = spec.net.normalization is not None
    units = sum(hidden)
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(dims))
    parameters = weights + sum(dims[1:]) + (2 * units if normalized else 0)

    epoch = max(data.num_train // size, 1)
    products = 6 * size * weights - 2 * size * dims[0] * dims[1]
    step = products + (23 if normalized else 2) * size * units + 13 * parameters
    examined = min(data.num_train, 1000) + data.num_val
    accuracies = spec.training.num_epochs + 1
    if epoch == 1:  # the first step is the first epoch's end, and is measured once
        accuracies -= 1
    return Work(
        training=float(spec.training.num_epochs * epoch * step),
        evaluation=float(accuracies * examined * (2 * weights + (5 * units if normalized else 0))),
        bytes=float(spec.training.num_epochs * epoch * 24 * parameters),
    )


def total(specs: Iterable[RunSpec]) -> Work:
    """What many runs take."""
    works = [work_of(spec) for spec in specs]
    return Work(*(sum(parts) for parts in zip(*works, strict=True)))


def floor_seconds(work: Work, flops: float, bandwidth: float, *, evaluation: bool = True) -> float:
    """The floor: the larger of operations over peak and bytes over bandwidth, each in units a second.

    >>> floor_seconds(Work(training=8e9, evaluation=2e9, bytes=1e9), flops=1e10, bandwidth=1e10)
    1.0
    """
    operations = work.training + (work.evaluation if evaluation else 0.0)
    return max(operations / flops, work.bytes / bandwidth)
