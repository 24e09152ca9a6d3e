"""Many small images as one picture: what the assignment's notebooks show filters with."""

from __future__ import annotations

import math

import numpy as np

from normlab.errors import ShapeError
from normlab.typing import Array


def visualize_grid(Xs: Array, ubound: float = 255.0, padding: int = 1) -> Array:
    """The images side by side, in as many rows as columns, `padding` black pixels apart.

    Arguments: Xs (N, H, W, C). Each image is stretched by itself so that its values go from 0 to
    `ubound`; an image of one value stays black. Returns: one picture (n H + (n - 1) padding, n W +
    (n - 1) padding, C), n = ⌈√N⌉. Raises ShapeError for anything but (N, H, W, C).

    >>> visualize_grid(np.arange(24.0).reshape(2, 2, 2, 3)).shape
    (5, 5, 3)
    """
    Xs = np.asarray(Xs, dtype=float)
    if Xs.ndim != 4:
        raise ShapeError(
            f"visualize_grid got Xs of shape {Xs.shape}; expected (N, H, W, C): images, channels "
            "last"
        )
    N, H, W, C = Xs.shape
    n = math.ceil(math.sqrt(N))
    grid = np.zeros((n * (H + padding), n * (W + padding), C))
    for place, image in enumerate(Xs):
        top, left = (place // n) * (H + padding), (place % n) * (W + padding)
        low, high = image.min(), image.max()
        if high > low:
            grid[top : top + H, left : left + W] = ubound * (image - low) / (high - low)
    return grid[: n * (H + padding) - padding, : n * (W + padding) - padding]
