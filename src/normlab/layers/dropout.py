"""Inverted dropout: at training time each unit is kept with probability p and scaled by 1/p.

Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", JMLR 15,
2014; the scaling is moved from test time to training time, so that test time needs none.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from normlab.arguments import explained
from normlab.errors import OptionError
from normlab.layers.checks import check_mode, check_upstream
from normlab.typing import Array


class DropoutCache(NamedTuple):
    """The settings, and the mask of 0 and 1/p that multiplied x (None in test mode)."""

    dropout_param: dict[str, Any]
    mask: Array | None


@explained
def dropout_forward(x: Array, dropout_param: dict[str, Any]) -> tuple[Array, DropoutCache]:
    """x times a random mask of 0 and 1/p in train mode; x itself in test mode.

    Arguments: x of any shape; dropout_param with `mode` ('train' or 'test'), `p`, the probability
    of *keeping* a unit, and, optionally, `seed`, which reseeds NumPy's global generator, or `rng`,
    a generator to draw from instead of the global one. Returns: out of x's shape and type (float64
    for whole numbers), and the cache. Raises: MissingKeyError or OptionError for a missing or
    impossible setting.

    >>> out, cache = dropout_forward(np.ones(6), {"mode": "train", "p": 0.5, "seed": 0})
    >>> print(out)
    [0. 0. 0. 0. 2. 0.]
    """
    mode = check_mode("dropout", dropout_param)
    p = dropout_param.get("p", 1.0)
    if not 0 < p <= 1:
        raise OptionError(
            f"p={p!r} is not a probability of keeping a unit, in (0, 1]; p=1 means no dropout"
        )
    if dropout_param.get("seed") is not None:
        np.random.seed(dropout_param["seed"])
    if mode == "test":
        return x, DropoutCache(dropout_param, None)
    rng = dropout_param.get("rng", np.random)
    mask = (rng.rand(*x.shape) < p) / p  # float64, which whole numbers need: 1/p is none
    if x.dtype.kind == "f":
        mask = mask.astype(x.dtype)
    return x * mask, DropoutCache(dropout_param, mask)


# out = x * mask, and the mask does not depend on x.
@explained
def dropout_backward(dout: Array, cache: DropoutCache) -> Array:
    """Gradient of dropout_forward: dout times the same mask; dout itself in test mode.

    >>> out, cache = dropout_forward(np.ones(6), {"mode": "train", "p": 0.5, "seed": 0})
    >>> print(dropout_backward(np.full(6, 3.0), cache))
    [0. 0. 0. 0. 6. 0.]
    """
    if cache.mask is None:
        return dout
    check_upstream("dropout's backward pass", dout, cache.mask.shape)
    return dout * cache.mask
