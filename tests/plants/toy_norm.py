"""A norm that only centres: the mean over the features is subtracted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from normlab.layers.norm_record import BETA, GAMMA, Norm
from normlab.typing import Array


class ToyNormCache(NamedTuple):
    """What the backward pass needs."""

    centred: Array
    gamma: Array


def toynorm_forward(
    x: Array, gamma: Array, beta: Array, _settings: Mapping[str, Any]
) -> tuple[Array, ToyNormCache]:
    """y = gamma * (x - mean) + beta."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return gamma[..., None, :] * centred + beta[..., None, :], ToyNormCache(centred, gamma)


def toynorm_backward(dout: Array, cache: ToyNormCache) -> tuple[Array, Array, Array]:
    """Gradients by x, gamma and beta: subtracting a mean is its own transpose."""
    dcentred = dout * cache.gamma[..., None, :]
    dx = dcentred - dcentred.mean(axis=-1, keepdims=True)
    return dx, np.sum(dout * cache.centred, axis=-2), np.sum(dout, axis=-2)


TOY_NORM = Norm(
    name="toynorm",
    title="toy norm",
    parameters=(GAMMA, BETA),
    over="features",
    forward=toynorm_forward,
    backward=toynorm_backward,
)
