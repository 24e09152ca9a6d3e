"""The norms in extended precision: definitions, one formula a line, to say who is right where two disagree.

NumPy's `longdouble` has 64 bits of mantissa or more where this is of use (`has_extended`); what
float32 and float64 disagree about is settled far above its last bits. Results are (y, dx, dgamma,
dbeta), None for what there is not.
"""

from __future__ import annotations

import numpy as np

from normlab.typing import Array

Results = tuple[Array, Array, Array | None, Array | None]


def has_extended() -> bool:
    """Whether this machine's longdouble is more than a float64."""
    return int(np.finfo(np.longdouble).nmant) >= 63


def standardized(
    x: Array,
    gamma: Array | None,
    beta: Array | None,
    dout: Array,
    axes: tuple[int, ...],
    eps: float,
    centred: bool = True,
) -> Results:
    """gamma (x - mean) / sqrt(var + eps) + beta, statistics over `axes`; gamma and beta broadcast against x."""
    x, dout, g = _long(x), _long(dout), _long(1 if gamma is None else gamma)
    mean = _mean(x, axes) if centred else np.longdouble(0)
    c = x - mean
    std = np.sqrt(_mean(c * c, axes) + np.longdouble(eps))
    xhat = c / std
    dxhat = dout * g
    dx = (dxhat - centred * _mean(dxhat, axes) - xhat * _mean(dxhat * xhat, axes)) / std
    return _with_parameters(xhat, dx, gamma, beta, dout)


def with_fixed_statistics(
    x: Array,
    gamma: Array | None,
    beta: Array | None,
    dout: Array,
    mean: Array,
    var: Array,
    eps: float,
) -> Results:
    """The same with given statistics, which broadcast against x."""
    rstd = 1 / np.sqrt(_long(var) + np.longdouble(eps))
    xhat = (_long(x) - _long(mean)) * rstd
    return _with_parameters(
        xhat, _long(dout) * _long(1 if gamma is None else gamma) * rstd, gamma, beta, dout
    )


def local_response(
    x: Array, dout: Array, before: int, after: int, k: float, alpha: float, beta: float
) -> Results:
    """x (k + alpha Σ x²)^-beta, the sum over the channels from `before` a channel to `after` it, on axis 1."""
    x, dout = _long(x), _long(dout)
    C = x.shape[1]
    near = [[1.0 if -before <= j - i <= after else 0.0 for j in range(C)] for i in range(C)]
    window = np.array(near, dtype=np.longdouble)  # (i, j): 1 where j lies in the window of i
    D = np.longdouble(k) + np.longdouble(alpha) * np.einsum("ij,nj...->ni...", window, x * x)
    power = D ** -np.longdouble(beta)
    through = np.einsum("ij,ni...->nj...", window, dout * x * power / D)
    return (
        x * power,
        dout * power - 2 * np.longdouble(alpha) * np.longdouble(beta) * x * through,
        None,
        None,
    )


def lp(x: Array, dout: Array, p: float, axis: int) -> Results:
    """x / (Σ |x|^p)^(1/p), the sum over one axis."""
    x, dout, P = _long(x), _long(dout), np.longdouble(p)
    norm = (np.abs(x) ** P).sum(axis=axis, keepdims=True) ** (1 / P)
    y = x / norm
    slope = np.sign(x) * (np.abs(x) / norm) ** (P - 1)
    return y, (dout - slope * (dout * y).sum(axis=axis, keepdims=True)) / norm, None, None


def _with_parameters(
    xhat: Array, dx: Array, gamma: Array | None, beta: Array | None, dout: Array
) -> Results:
    y = xhat * _long(1 if gamma is None else gamma) + _long(0 if beta is None else beta)
    dgamma = None if gamma is None else _summed_to(_long(dout) * xhat, gamma.shape)
    return y, dx, dgamma, None if beta is None else _summed_to(_long(dout), beta.shape)


def _summed_to(terms: Array, shape: tuple[int, ...]) -> Array:
    """The terms summed over the axes along which an array of this shape was broadcast."""
    shape = (1,) * (terms.ndim - len(shape)) + shape
    axes = tuple(axis for axis, length in enumerate(shape) if length == 1)
    total: Array = terms.sum(axis=axes, keepdims=True)
    return total


def _mean(x: Array, axes: tuple[int, ...]) -> Array:
    """Mean, and the mean of what is left: the second takes away the first one's rounding."""
    mean = x.mean(axis=axes, keepdims=True)
    total: Array = mean + (x - mean).mean(axis=axes, keepdims=True)
    return total


def _long(x: Array | float) -> Array:
    return np.asarray(x, dtype=np.longdouble)
