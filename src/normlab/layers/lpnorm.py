"""Lp normalization: each example divided by the p-norm of its features.

With p = 2 an example keeps its direction and gets length 1, as in Wang et al., "NormFace: L2
Hypersphere Embedding for Face Verification", ACM Multimedia 2017. It has no parameters to learn,
and nothing is kept between batches.

Letters: D features; x is (..., D), and every axis before D is batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from normlab.arguments import explained
from normlab.errors import OptionError, ShapeError
from normlab.layers.checks import check_input, check_upstream
from normlab.layers.statistics import order_free_sum, power_of_two_above
from normlab.typing import Array

LARGEST_P = 100  # beyond it the powers of all but the largest feature would be lost


class LpNormCache(NamedTuple):
    """What the backward pass needs. Arrays are float64."""

    xhat: Array  # (..., D)
    rnorm: Array  # (..., 1), 1 / norm of x
    p: float
    dtype: np.dtype[Any]  # of x


@explained
def lpnorm_forward(x: Array, lp_param: Mapping[str, Any]) -> tuple[Array, LpNormCache]:
    """y = x / (Σ |x_j|^p)^(1/p), the sum over each example's features. An example of zeros stays zero.

    Arguments: x (..., D); lp_param with, optionally, `p` (2), from 1, where a norm begins, to 100.
    Returns: out of x's shape and type, and the cache for the backward pass. NaN or infinity turn
    their own example into NaN. Raises: ShapeError for an empty batch and for a single number;
    OptionError for an impossible p.

    >>> out, cache = lpnorm_forward(np.array([[3.0, -4.0], [0.0, 0.0]]), {})
    >>> print(out)
    [[ 0.6 -0.8]
     [ 0.   0. ]]
    """
    x = np.asarray(x)
    p = float(lp_param.get("p", 2))
    if not 1 <= p <= LARGEST_P:
        raise OptionError(
            f"p={p!r} is not a number from 1 to {LARGEST_P}; the usual ones are 1 and 2"
        )
    dtype = check_input("Lp norm", x)
    if x.ndim == 0:
        raise ShapeError("Lp norm got a single number; expected x of shape (..., D)")
    x = x.astype(np.float64)
    with np.errstate(invalid="ignore", under="ignore"):
        scale = power_of_two_above(np.abs(x).max(axis=-1, keepdims=True))
        u = x * scale  # a power of two: no rounding, and powers that cannot overflow
        norm = order_free_sum(np.abs(u) ** p, axis=-1, keepdims=True) ** (1 / p)
        norm = np.where(norm == 0, np.inf, norm)
        xhat = u / norm
    return xhat.astype(dtype), LpNormCache(xhat, scale / norm, p, dtype)


# With norm = (Σ |x_j|^p)^(1/p), ∂norm/∂x_j = sign(x_j) |x_j|^(p-1) / norm^(p-1) = sign(xhat_j)
# |xhat_j|^(p-1), so
#
#     ∂xhat_i/∂x_j = (δ_ij - xhat_i sign(xhat_j) |xhat_j|^(p-1)) / norm
#     dx = (dout - sign(xhat) |xhat|^(p-1) * Σ dout * xhat) / norm
#
# which for p = 2 is RMS norm's gradient, with the sum in place of the mean.
@explained
def lpnorm_backward(dout: Array, cache: LpNormCache) -> Array:
    """Gradient of lpnorm_forward; 0 for an example of zeros, where there is none.

    Arguments: dout (..., D), the upstream gradient; the cache of the forward pass.
    Returns: dx of x's shape. Raises ShapeError if dout does not fit.

    >>> _, cache = lpnorm_forward(np.array([[3.0, 4.0]]), {"p": 2})
    >>> print(lpnorm_backward(np.array([[4.0, -3.0]]), cache))  # at a right angle to x: only the first term is left
    [[ 0.8 -0.6]]
    """
    xhat, rnorm, p, dtype = cache
    check_upstream("Lp norm's backward pass", dout, xhat.shape)
    dout = np.asarray(dout, dtype=np.float64)

    slope = np.sign(xhat) * np.abs(xhat) ** (p - 1)
    dx = rnorm * (dout - slope * order_free_sum(dout * xhat, axis=-1, keepdims=True))
    return dx.astype(dtype)
