"""What every trainer is given: the data as float32, and each run's own draws, made ahead.

They are the reference's draws to the bit, so that all trainers start from the same weights, see the
same minibatches, and must come to the same losses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np

from normlab import randomness
from normlab.data.dataset import Dataset
from normlab.specs import RunSpec
from normlab.typing import Array

EPS = 1e-5
MOMENTUM = 0.9


class Images(NamedTuple):
    """Rows of float32 pixels and whole-number labels."""

    X_train: Array  # (n, D)
    y_train: Array
    X_val: Array
    y_val: Array


class Draws(NamedTuple):
    """A run's first weights, (fan_in, fan_out) float32 each, its minibatches (steps, batch), and when to measure."""

    weights: list[Array]
    batches: Array
    measured: Array  # (steps,) Booleans: accuracies are measured after this step


class Outcome(NamedTuple):
    """What a training came to, for a comparison with the reference's."""

    first_loss: float
    final_loss: float  # the mean of the last 100 steps, as History has it
    val_acc: float  # the best
    measurements: int
    """How often the accuracies were measured."""


class Trainer(Protocol):
    """One way to train."""

    def prepare(self, specs: Sequence[RunSpec], data: Dataset) -> None:
        """Get ready, outside the clock."""

    def compile(self, nets: Sequence[int]) -> None:
        """What is compiled anew in each process, for training these of the specs; by a clock of its own."""

    def train(self, nets: Sequence[int]) -> list[Outcome]:
        """Train these of the specs, by the clock."""


def images(data: Dataset) -> Images:
    """The data as every trainer reads it."""
    rows = [X.reshape(len(X), -1).astype(np.float32) for X in (data.X_train, data.X_val)]
    labels = [
        y.astype(np.int64) for y in (data.y_train, data.y_val)
    ]  # copies, which PyTorch may call its own
    return Images(rows[0], labels[0], rows[1], labels[1])


def draws(spec: RunSpec) -> Draws:
    """The weights and minibatches that the reference would draw for a run without dropout."""
    rng = randomness.generator(spec.seed)
    dims = [spec.data.input_dim, *spec.net.hidden_dims, spec.data.num_classes]
    weights = [
        randomness.initial_weights(rng, fan_in, fan_out, spec.net.weight_scale).astype(np.float32)
        for fan_in, fan_out in pairwise(dims)
    ]
    size = spec.training.batch_size
    epoch = max(spec.data.num_train // size, 1)
    steps = spec.training.num_epochs * epoch
    batches = np.stack([randomness.minibatch(rng, spec.data.num_train, size) for _ in range(steps)])
    done = np.arange(1, steps + 1)
    return Draws(weights, batches, (done == 1) | (done % epoch == 0))


def outcome(losses: Sequence[float], val_accs: Sequence[float]) -> Outcome:
    """What is compared of a training.

    >>> outcome([4.0, 2.0], [0.25, 0.5])
    Outcome(first_loss=4.0, final_loss=3.0, val_acc=0.5, measurements=2)
    """
    tail = losses[-100:]
    final = sum(tail) / len(tail)
    return Outcome(
        float(losses[0]),
        float(final) if math.isfinite(final) else math.nan,
        max(val_accs),
        len(val_accs),
    )
