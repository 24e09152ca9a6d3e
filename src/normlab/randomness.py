"""Every random draw, in one place.

A run's draws come from NumPy's legacy generator, in the assignment's order: the weights W1, W2, …
when the net is built, then one minibatch a step, then (where the data set is larger than asked) the
examples an accuracy is measured on. After a step's minibatch come, for each hidden layer in turn,
the noise after its norm and dropout's mask, where the net has them. So a run with seed s is what a
notebook gets after `np.random.seed(s)`, and its stream is frozen for ever (NEP 19). Without a
generator, the same draws come from NumPy's global one.
"""

from __future__ import annotations

import numpy as np

from normlab.errors import OptionError
from normlab.typing import Array, Generator


def generator(seed: int) -> Generator:
    """A generator of its own, in the state that `np.random.seed(seed)` gives the global one.

    >>> float(generator(231).randn()) == (np.random.seed(231), float(np.random.randn()))[1]
    True
    """
    return np.random.RandomState(seed)


def global_generator() -> Generator:
    """NumPy's global generator, which the assignment's notebooks seed."""
    return np.random.mtrand._rand  # the object behind np.random.seed, np.random.randn, …


def checked_generator(rng: Generator | None) -> Generator:
    """`rng` itself, or NumPy's global generator for None. Raises OptionError for anything else.

    >>> checked_generator(0)
    Traceback (most recent call last):
    ...
    normlab.errors.OptionError: rng=0 is no generator; expected None or \
np.random.RandomState(seed), whose streams are frozen
    """
    if rng is None:
        return global_generator()
    if not isinstance(rng, np.random.RandomState) and rng is not np.random:
        raise OptionError(
            f"rng={rng!r} is no generator; expected None or np.random.RandomState(seed), whose "
            "streams are frozen"
        )
    return rng


def initial_weights(rng: Generator, fan_in: int, fan_out: int, weight_scale: float) -> Array:
    """`weight_scale` times standard normal draws, (fan_in, fan_out), float64."""
    return weight_scale * rng.randn(fan_in, fan_out)


def initial_filters(rng: Generator, shape: tuple[int, int, int, int], weight_scale: float) -> Array:
    """`weight_scale` times standard normal draws for filters (F, C, HH, WW), float64."""
    return weight_scale * rng.randn(*shape)


def noise(rng: Generator, shape: tuple[int, ...]) -> Array:
    """Standard normal draws for the noise after a norm, float64."""
    return rng.randn(*shape)


def minibatch(rng: Generator, num_train: int, batch_size: int) -> Array:
    """`batch_size` indices below `num_train`, drawn with replacement as the Solver does."""
    return rng.choice(num_train, batch_size)


def subsample(rng: Generator, num_examples: int, num_samples: int) -> Array:
    """`num_samples` indices below `num_examples`, with replacement, to measure accuracy on."""
    return rng.choice(num_examples, num_samples)


def split(seed: int, num_train: int, num_val: int) -> tuple[Array, Array]:
    """Which examples train and which validate: one permutation of both, cut in two."""
    order = generator(seed).permutation(num_train + num_val)
    return order[:num_train], order[num_train:]


def distinct(rng: Generator, num_examples: int, num_samples: int) -> Array:
    """`num_samples` different indices below `num_examples`, in random order."""
    return rng.permutation(num_examples)[:num_samples]
