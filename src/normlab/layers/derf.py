"""Dynamic erf: Dynamic Tanh with the error function, and a shift, in the place of a norm.

Chen, Lu, Zhu, Sun and Liu, "Stronger Normalization-Free Transformers", arXiv 2512.10938, 2025,
equation 10. Train and test mode are the same, and no example or feature knows of another.

Letters: N examples, D features; x is (..., N, D), and any axes before N stack independent nets,
whose gamma and beta are then (..., D), and alpha and s (..., 1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from normlab.layers.checks import check_features, check_input, check_scalars, check_upstream
from normlab.layers.norm_record import BETA, GAMMA, Norm, Parameter
from normlab.layers.statistics import order_free_sum
from normlab.typing import Array

# Cody, "Rational Chebyshev approximations for the error function", Mathematics of Computation 23,
# 1969. Coefficients from the highest power down: erf(z) = z * P(z²) / Q(z²) up to SMALL, and
# beyond it erf(z) = 1 - exp(-z²) * R(z) / S(z), which serves to where erf is 1 to the last digit.
SMALL, ONE_FROM = 0.46875, 6.0
P = (
    1.85777706184603153e-1,
    3.16112374387056560,
    1.13864154151050156e2,
    3.77485237685302021e2,
    3.20937758913846947e3,
)
Q = (
    1.0,
    2.36012909523441209e1,
    2.44024637934444173e2,
    1.28261652607737228e3,
    2.84423683343917062e3,
)
R = (
    2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
    2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
    1.23033935479799725e3,
)  # fmt: skip
S = (
    1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
    3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3,
)  # fmt: skip


class DerfCache(NamedTuple):
    """What the backward pass needs. Float64 but for the parameters."""

    x: Array  # (..., N, D)
    e: Array  # (..., N, D), erf(alpha * x + s)
    slope: Array  # (..., N, D), 2 / sqrt(π) * exp(-(alpha * x + s)²)
    alpha: Array  # (..., 1)
    s: Array  # (..., 1)
    gamma: Array  # (..., D)
    dtype: np.dtype[Any]  # of x


def derf_forward(
    x: Array, alpha: Array, s: Array, gamma: Array, beta: Array
) -> tuple[Array, DerfCache]:
    """y = gamma * erf(alpha * x + s) + beta, with one alpha and one s for the whole layer.

    Arguments: x (..., N, D); alpha, s (..., 1); gamma, beta (..., D). Returns: out of x's shape
    and type, and the cache for the backward pass. NaN stays where it is, and an infinity is
    squashed like any other number. Raises: ShapeError for shapes that do not fit and for an empty
    batch.

    >>> x = np.array([[-np.inf, 0.0, 2.0]])
    >>> out, cache = derf_forward(x, np.full(1, 0.5), np.zeros(1), np.ones(3), np.zeros(3))
    >>> print(out)
    [[-1.          0.          0.84270079]]
    """
    x = np.asarray(x)
    dtype = check_input("Dynamic erf", x)
    check_features("Dynamic erf", x, gamma=gamma, beta=beta)
    check_scalars("Dynamic erf", x, alpha=alpha, s=s)
    x = x.astype(np.float64, order="C")
    with np.errstate(over="ignore", invalid="ignore"):
        z = alpha[..., None, :] * x + s[..., None, :]
    e, slope = erf(z), 2 / math.sqrt(math.pi) * gaussian(z)
    out = gamma[..., None, :] * e + beta[..., None, :]
    return out.astype(dtype), DerfCache(x, e, slope, alpha, s, gamma, dtype)


# With z = alpha * x + s and e = erf(z), which is 2 / sqrt(π) times the integral of exp(-t²) from 0
# to z, ∂e/∂z = 2 / sqrt(π) * exp(-z²), so that
#
#     dz = gamma * dout * 2 / sqrt(π) * exp(-z²)
#     dx = alpha * dz
#     dalpha = Σ dz * x,   ds = Σ dz      over all values of the layer, since they share alpha and s
#
# while gamma and beta are those of any norm.
def derf_backward(dout: Array, cache: DerfCache) -> tuple[Array, Array, Array, Array, Array]:
    """Gradients of derf_forward.

    Arguments: dout (..., N, D), the upstream gradient; the cache of the forward pass.
    Returns: dx (..., N, D), dalpha (..., 1), ds (..., 1), dgamma (..., D), dbeta (..., D).
    Raises ShapeError if dout does not fit.

    >>> x, one, zero = np.array([[0.0, 1.0]]), np.ones(1), np.zeros(1)
    >>> out, cache = derf_forward(x, one, zero, np.ones(2), np.zeros(2))
    >>> dx, dalpha, ds, dgamma, dbeta = derf_backward(np.array([[1.0, 1.0]]), cache)
    >>> print(np.round(dx, 6), np.round(ds - dalpha, 6))  # only the second value moves with alpha
    [[1.128379 0.415107]] [1.128379]
    """
    x, e, slope, alpha, s, gamma, dtype = cache
    check_upstream("Dynamic erf's backward pass", dout, x.shape)
    dout = np.asarray(dout, dtype=np.float64)

    dbeta = order_free_sum(dout, axis=-2)
    dgamma = order_free_sum(dout * e, axis=-2)
    dz = dout * gamma[..., None, :] * slope
    dx = alpha[..., None, :] * dz
    ds = order_free_sum(dz, axis=(-2, -1))[..., None]
    # a value that is squashed flat has no part in dalpha, not even an infinite one
    parts = np.multiply(dz, x, out=np.zeros_like(dz), where=slope != 0)
    dalpha = order_free_sum(parts, axis=(-2, -1))[..., None]
    return (
        dx.astype(dtype),
        dalpha.astype(alpha.dtype),
        ds.astype(s.dtype),
        dgamma.astype(gamma.dtype),
        dbeta.astype(gamma.dtype),
    )


def erf(z: Array) -> Array:
    """The error function of float64 z, of any shape, to a few units in the last place.

    >>> print(erf(np.array([-np.inf, 0.0, 1.0])))
    [-1.          0.          0.84270079]
    """
    size = np.abs(z)
    near, far = np.clip(z, -SMALL, SMALL), np.clip(size, SMALL, ONE_FROM)
    small = near * (_polynomial(P, near * near) / _polynomial(Q, near * near))
    # 1/2 + (1/2 - …): the tail is at most 0.507, so that the inner difference is small
    large = 0.5 + (0.5 - gaussian(far) * (_polynomial(R, far) / _polynomial(S, far)))
    return np.where(size <= SMALL, small, np.copysign(large, z))


def gaussian(z: Array) -> Array:
    """exp(-z²), to the last digits where z² is large.

    With q the part of z in sixteenths, z² = q² + (z - q)(z + q): q² is exact, and the rest is
    small.
    """
    size = np.minimum(np.abs(z), 40.0)  # beyond 27 it is below all numbers
    q = np.floor(size * 16) / 16
    with np.errstate(under="ignore"):
        value: Array = np.exp(-q * q) * np.exp(-(size - q) * (size + q))
    return value


def _polynomial(coefficients: Sequence[float], x: Array) -> Array:
    """The polynomial with these coefficients, the highest power's first: Horner's rule."""
    total = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total


def _forward_of_a_net(
    x: Array, alpha: Array, s: Array, gamma: Array, beta: Array, _settings: Mapping[str, Any]
) -> tuple[Array, DerfCache]:
    return derf_forward(x, alpha, s, gamma, beta)


DERF = Norm(
    name="derf",
    title="Dynamic erf",
    parameters=(
        Parameter("alpha", 0.5, each="layer"),
        Parameter("s", 0.0, each="layer"),
        GAMMA,
        BETA,
    ),
    over=None,
    forward=_forward_of_a_net,
    backward=derf_backward,
    centred=False,
)
