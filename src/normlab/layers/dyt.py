"""Dynamic Tanh: a squashing of each value in the place of a norm, without any statistics.

Zhu, Chen, He, LeCun and Liu, "Transformers without Normalization", CVPR 2025, section 4. Train and
test mode are the same, and no example or feature knows of another.

Letters: N examples, D features; x is (..., N, D), and any axes before N stack independent nets,
whose gamma and beta are then (..., D), and alpha (..., 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from normlab.layers.checks import check_features, check_input, check_scalars, check_upstream
from normlab.layers.norm_record import BETA, GAMMA, Norm, Parameter
from normlab.layers.statistics import order_free_sum
from normlab.typing import Array


class DyTCache(NamedTuple):
    """What the backward pass needs. Float64 but for the parameters."""

    x: Array  # (..., N, D)
    t: Array  # (..., N, D), tanh(alpha * x)
    slope: Array  # (..., N, D), 1 - t²
    alpha: Array  # (..., 1)
    gamma: Array  # (..., D)
    dtype: np.dtype[Any]  # of x


def dyt_forward(x: Array, alpha: Array, gamma: Array, beta: Array) -> tuple[Array, DyTCache]:
    """y = gamma * tanh(alpha * x) + beta, with one alpha for the whole layer.

    Arguments: x (..., N, D); alpha (..., 1); gamma, beta (..., D). Returns: out of x's shape and
    type, and the cache for the backward pass. NaN stays where it is, and an infinity is squashed
    like any other number. Raises: ShapeError for shapes that do not fit and for an empty batch.

    >>> x = np.array([[-np.inf, 0.0, np.log(2)]])
    >>> out, cache = dyt_forward(x, np.ones(1), np.full(3, 5.0), np.zeros(3))
    >>> print(np.round(out, 12))
    [[-5.  0.  3.]]
    """
    x = np.asarray(x)
    dtype = check_input("Dynamic Tanh", x)
    check_features("Dynamic Tanh", x, gamma=gamma, beta=beta)
    check_scalars("Dynamic Tanh", x, alpha=alpha)
    x = x.astype(np.float64, order="C")
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        u = alpha[..., None, :] * x
        t = np.tanh(u)
        slope = 1 / np.cosh(u) ** 2  # as 1 - t² it would lose all digits where t is nearly 1
    out = gamma[..., None, :] * t + beta[..., None, :]
    return out.astype(dtype), DyTCache(x, t, slope, alpha, gamma, dtype)


# With u = alpha * x and t = tanh(u), ∂t/∂u = 1 - t² = 1 / cosh²(u), so that
#
#     du = gamma * dout * (1 - t²)
#     dx = alpha * du
#     dalpha = Σ du * x      over all values of the layer, since they share alpha
#
# while gamma and beta are those of any norm.
def dyt_backward(dout: Array, cache: DyTCache) -> tuple[Array, Array, Array, Array]:
    """Gradients of dyt_forward.

    Arguments: dout (..., N, D), the upstream gradient; the cache of the forward pass.
    Returns: dx (..., N, D), dalpha (..., 1), dgamma (..., D), dbeta (..., D). Raises ShapeError if
    dout does not fit.

    >>> x = np.array([[0.0, np.log(2)]])
    >>> out, cache = dyt_forward(x, np.ones(1), np.ones(2), np.zeros(2))
    >>> dx, dalpha, dgamma, dbeta = dyt_backward(np.array([[1.0, 1.0]]), cache)
    >>> print(np.round(dx, 12), np.round(dgamma, 12))
    [[1.   0.64]] [0.  0.6]
    """
    x, t, slope, alpha, gamma, dtype = cache
    check_upstream("Dynamic Tanh's backward pass", dout, x.shape)
    dout = np.asarray(dout, dtype=np.float64)

    dbeta = order_free_sum(dout, axis=-2)
    dgamma = order_free_sum(dout * t, axis=-2)
    du = dout * gamma[..., None, :] * slope
    dx = alpha[..., None, :] * du
    # a value that is squashed flat has no part in dalpha, not even an infinite one
    parts = np.multiply(du, x, out=np.zeros_like(du), where=slope != 0)
    dalpha = order_free_sum(parts, axis=(-2, -1))[..., None]
    return (
        dx.astype(dtype),
        dalpha.astype(alpha.dtype),
        dgamma.astype(gamma.dtype),
        dbeta.astype(gamma.dtype),
    )


def _forward_of_a_net(
    x: Array, alpha: Array, gamma: Array, beta: Array, _settings: Mapping[str, Any]
) -> tuple[Array, DyTCache]:
    return dyt_forward(x, alpha, gamma, beta)


DYT = Norm(
    name="dyt",
    title="Dynamic Tanh",
    parameters=(Parameter("alpha", 0.5, each="layer"), GAMMA, BETA),
    over=None,
    forward=_forward_of_a_net,
    backward=dyt_backward,
    centred=False,
)
