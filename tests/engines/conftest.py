"""Small data sets whose runs take milliseconds."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from normlab import randomness
from normlab.data.dataset import Dataset


@functools.cache
def made_up(num_train: int = 120, features: int = 70, classes: int = 4) -> Dataset:
    """Classes told by which of the first features is largest; more features than a panel holds."""
    rng = randomness.generator(0)
    parts = []
    for count in (num_train, 75, 5):
        X = 50 * rng.randn(count, features)
        parts += [X, X[:, :classes].argmax(axis=1)]
    return Dataset("made up", *parts, num_classes=classes)


@pytest.fixture
def data() -> Dataset:
    return made_up()


def relative(ours, theirs) -> float:
    """Largest relative difference; numbers that are not finite must be so in both."""
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    finite = np.isfinite(theirs)
    assert np.array_equal(finite, np.isfinite(ours))
    return float(
        np.max(
            np.abs(ours - theirs)[finite] / np.maximum(np.abs(theirs[finite]), 1e-30), initial=0.0
        )
    )
