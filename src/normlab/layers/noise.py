"""Gaussian noise, added in training: what small batches do to a net, without their statistics.

Luo, Wang, Shao and Peng, "Towards Understanding Regularization in Batch Normalization", ICLR 2019,
ask how much of batch norm's regularization is noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from normlab import randomness
from normlab.layers.checks import check_mode
from normlab.typing import Array


# The noise does not depend on x: dx is dout, and there is no backward pass.
def noise_forward(x: Array, noise_param: Mapping[str, Any]) -> Array:
    """x plus normal draws of standard deviation `std` in train mode; x itself in test mode.

    Arguments: x of any shape; noise_param with `mode` ('train' or 'test'), `std`, and, optionally,
    `seed`, which makes the draws the same in every call, or `rng`, a generator to draw from
    instead of NumPy's global one. Raises: MissingKeyError or OptionError for a missing or
    impossible mode.

    >>> import numpy as np
    >>> out = noise_forward(np.zeros((1, 2)), {"mode": "train", "std": 0.5, "seed": 0})
    >>> print(out / randomness.generator(0).randn(1, 2))
    [[0.5 0.5]]
    """
    if check_mode("noise", noise_param) == "test":
        return x
    seed = noise_param.get("seed")
    rng = noise_param.get("rng") or randomness.global_generator()
    drawn = randomness.noise(rng if seed is None else randomness.generator(seed), x.shape)
    noisy: Array = (x + noise_param["std"] * drawn).astype(x.dtype)
    return noisy
