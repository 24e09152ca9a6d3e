"""Layers that are always used together."""

from __future__ import annotations

from normlab.layers.affine import AffineCache, affine_backward, affine_forward
from normlab.layers.relu import relu_backward, relu_forward
from normlab.typing import Array


def affine_relu_forward(x: Array, w: Array, b: Array) -> tuple[Array, tuple[AffineCache, Array]]:
    """max(0, x W + b): affine_forward, then relu_forward. Arguments as for affine_forward.

    >>> import numpy as np
    >>> print(affine_relu_forward(np.ones((1, 2)), np.array([[1.0, -1.0], [1.0, -1.0]]), np.zeros(2))[0])
    [[2. 0.]]
    """
    a, affine_cache = affine_forward(x, w, b)
    out, relu_cache = relu_forward(a)
    return out, (affine_cache, relu_cache)


def affine_relu_backward(dout: Array, cache: tuple[AffineCache, Array]) -> tuple[Array, Array, Array]:
    """Gradients of affine_relu_forward: dx, dw, db, as of affine_backward."""
    affine_cache, relu_cache = cache
    return affine_backward(relu_backward(dout, relu_cache), affine_cache)
