"""Batch normalization: each feature by its statistics over the batch.

Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
Covariate Shift", ICML 2015, algorithm 1; inference by running averages, section 3.1.

Letters: N examples, D features; x is (..., N, D), and any axes before N stack independent nets,
whose gamma and beta are then (..., D).
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from normlab.arguments import explained
from normlab.errors import NonFiniteWarning, OptionError, ShapeError
from normlab.layers.checks import (
    check_eps,
    check_features,
    check_input,
    check_mode,
    check_upstream,
)
from normlab.layers.norm_record import MOMENTUM
from normlab.layers.statistics import (
    Moments,
    centred_moments,
    order_free_sum,
    scaled_std,
)
from normlab.typing import Array


class BatchNormCache(NamedTuple):
    """What the backward passes need of a forward pass in train mode. Float64 but for gamma."""

    xhat: Array  # (..., N, D), u / d
    u: Array  # (..., N, D), (x - mean) * scale
    d: Array  # (..., 1, D), sqrt(var + eps) * scale
    scale: Array  # (..., 1, D), a power of two
    gamma: Array  # (..., D)
    dtype: np.dtype[Any]  # of x


class FrozenBatchNormCache(NamedTuple):
    """The same of a forward pass in test mode, where the statistics are constants."""

    xhat: Array  # (..., N, D)
    rstd: Array  # (..., 1, D), 1 / sqrt(running_var + eps)
    gamma: Array  # (..., D)
    dtype: np.dtype[Any]


@explained
def batchnorm_forward(
    x: Array, gamma: Array, beta: Array, bn_param: dict[str, Any]
) -> tuple[Array, BatchNormCache | FrozenBatchNormCache]:
    """y = gamma * (x - mean) / sqrt(var + eps) + beta, statistics over the batch.

    In train mode mean and (biased) variance are the batch's, and the running ones follow

        running = momentum * running + (1 - momentum) * batch's

    starting at zero. In test mode the running ones are used. A feature whose batch statistics are
    not finite keeps its running statistics, and a NonFiniteWarning says so.

    Arguments: x (..., N, D); gamma, beta (..., D); bn_param with `mode` ('train' or 'test') and,
    optionally, `eps` (1e-5), `momentum` (0.9), `running_mean` and `running_var` (..., D), both
    written back as float64. Returns: out of x's shape and type, and the cache for the backward
    pass. Raises: MissingKeyError or OptionError for a missing or impossible setting; ShapeError for
    shapes that do not fit, an empty batch, and a batch of one in train mode.

    >>> x = np.array([[1.0, 10.0], [3.0, 30.0]])
    >>> bn_param = {"mode": "train", "eps": 0.0}
    >>> out, cache = batchnorm_forward(x, np.ones(2), np.zeros(2), bn_param)
    >>> print(out)
    [[-1. -1.]
     [ 1.  1.]]
    >>> print(bn_param["running_mean"])
    [0.2 2. ]
    """
    x = np.asarray(x)
    mode, eps, momentum = (
        check_mode("batch norm", bn_param),
        check_eps(bn_param),
        check_momentum(bn_param),
    )
    check_features("batch norm", x, gamma=gamma, beta=beta)
    running_mean = running_of(bn_param, "running_mean", x)
    running_var = running_of(bn_param, "running_var", x)

    if mode == "test":
        return batchnorm_test(x, gamma, beta, running_mean, running_var, eps)

    out, cache, moments = batchnorm_train(x, gamma, beta, eps)
    bn_param["running_mean"], bn_param["running_var"] = updated(
        running_mean, running_var, moments, momentum
    )
    return out, cache


def batchnorm_train(
    x: Array, gamma: Array, beta: Array, eps: float
) -> tuple[Array, BatchNormCache, Moments]:
    """Train mode without the dictionary: out, cache, and the batch's moments, shapes as above."""
    dtype = check_input("batch norm", x)
    if x.shape[-2] == 1:
        raise ShapeError(
            "batch norm got a batch of one example in train mode, whose variance is 0 whatever it "
            "holds; use a batch of at least 2, mode='test', or layer norm"
        )
    moments = centred_moments(x, axis=-2)
    d = scaled_std(moments.v, moments.scale, eps)
    xhat = moments.u / d
    out = gamma[..., None, :] * xhat + beta[..., None, :]
    return (
        out.astype(dtype),
        BatchNormCache(xhat, moments.u, d, moments.scale, gamma, dtype),
        moments,
    )


def batchnorm_test(
    x: Array, gamma: Array, beta: Array, running_mean: Array, running_var: Array, eps: float
) -> tuple[Array, FrozenBatchNormCache]:
    """Test mode without the dictionary: the statistics are given, (..., D) each."""
    dtype = check_input("batch norm", x)
    rstd = 1 / np.sqrt(running_var[..., None, :] + eps)
    xhat = (x - running_mean[..., None, :]) * rstd
    out = gamma[..., None, :] * xhat + beta[..., None, :]
    return out.astype(dtype), FrozenBatchNormCache(xhat, rstd, gamma, dtype)


# The graph, from x to the output, with each node's derivative on the way back. Everything is
# measured in units of 1 / scale, a constant on which the output does not depend.
#
#     c = scale * x
#     u = c - mean(c)              dc = du - mean(du)
#     v = mean(u²)                 du += dv * 2u / N
#     d = sqrt(v + eps * scale²)   dv = dd / (2d)
#     xhat = u / d                 du = dxhat / d,   dd = -sum(dxhat * xhat) / d
#     out = gamma * xhat + beta    dxhat = gamma * dout
#
# The mean's path through the variance is left out: it is sum(u) * 2 / N * dv, and sum(u) is 0.
# For the same reason dout may lose its mean first, which changes neither sum with xhat nor dx: what
# rounding leaves of sum(xhat) is then not multiplied by a mean of dout that may be large.
@explained
def batchnorm_backward(
    dout: Array, cache: BatchNormCache | FrozenBatchNormCache
) -> tuple[Array, Array, Array]:
    """Gradients of batchnorm_forward, staged: back through the computation graph, node by node.

    Arguments: dout (..., N, D), the upstream gradient; the cache of the forward pass. After a
    forward pass in test mode, the gradients are those with the statistics held fixed.
    Returns: dx (..., N, D), dgamma (..., D), dbeta (..., D). Raises ShapeError if dout does not
    fit.

    >>> x, dout = np.array([[1.0], [2.0], [6.0]]), np.array([[1.0], [0.0], [0.0]])
    >>> _, cache = batchnorm_forward(x, np.ones(1), np.zeros(1), {"mode": "train", "eps": 0.0})
    >>> dx, dgamma, dbeta = batchnorm_backward(dout, cache)
    >>> print(np.round(dx[:, 0], 4), np.round(dgamma, 4), dbeta)
    [ 0.1763 -0.2204  0.0441] [-0.9258] [1.]
    """
    dout = _upstream(dout, cache)
    if isinstance(cache, FrozenBatchNormCache):
        return _frozen_backward(dout, cache)
    xhat, u, d, scale, gamma, dtype = cache
    N = dout.shape[-2]

    dbeta = order_free_sum(dout, axis=-2)
    dout = dout - dbeta[..., None, :] / N
    dgamma = order_free_sum(dout * xhat, axis=-2)
    dxhat = dout * gamma[..., None, :]

    du = dxhat / d
    dd = -order_free_sum(dxhat * xhat, axis=-2, keepdims=True) / d
    dv = dd / (2 * d)
    du += dv * 2 * u / N
    dc = du - order_free_sum(du, axis=-2, keepdims=True) / N
    dx = dc * scale
    return dx.astype(dtype), dgamma.astype(gamma.dtype), dbeta.astype(gamma.dtype)


# On paper: with xhat_i = (x_i - mean) / std, ∂mean/∂x_j = 1/N and ∂std/∂x_j = xhat_j / N, so
#
#     ∂xhat_i/∂x_j = (δ_ij - 1/N - xhat_i xhat_j / N) / std
#
# and summed against gamma * dout, where gamma is constant over the batch,
#
#     dx = gamma / std * (dout - sum(dout) / N - xhat * sum(dout * xhat) / N)
#
# whose two sums are dbeta and dgamma: nothing else needs to be summed. And because sum(xhat) is 0,
# dgamma may as well be sum((dout - sum(dout) / N) * xhat), which keeps its digits where dout is
# nearly constant.
@explained
def batchnorm_backward_alt(
    dout: Array, cache: BatchNormCache | FrozenBatchNormCache
) -> tuple[Array, Array, Array]:
    """Gradients of batchnorm_forward, simplified: the derivation on paper in one line.

    Arguments, results and errors as for batchnorm_backward, with dgamma and dbeta the same to the
    bit.

    >>> x, dout = np.array([[1.0], [2.0], [6.0]]), np.array([[1.0], [0.0], [0.0]])
    >>> _, cache = batchnorm_forward(x, np.ones(1), np.zeros(1), {"mode": "train", "eps": 0.0})
    >>> dx, dgamma, dbeta = batchnorm_backward_alt(dout, cache)
    >>> print(np.round(dx[:, 0], 4))
    [ 0.1763 -0.2204  0.0441]
    """
    dout = _upstream(dout, cache)
    if isinstance(cache, FrozenBatchNormCache):
        return _frozen_backward(dout, cache)
    xhat, _, d, scale, gamma, dtype = cache
    N = dout.shape[-2]

    dbeta = order_free_sum(dout, axis=-2)
    centred = dout - dbeta[..., None, :] / N
    dgamma = order_free_sum(centred * xhat, axis=-2)
    rstd = scale / d
    dx = gamma[..., None, :] * (centred - xhat * (dgamma[..., None, :] / N)) * rstd
    return dx.astype(dtype), dgamma.astype(gamma.dtype), dbeta.astype(gamma.dtype)


def _frozen_backward(dout: Array, cache: FrozenBatchNormCache) -> tuple[Array, Array, Array]:
    """With the statistics fixed the layer is affine: dx = gamma * rstd * dout."""
    xhat, rstd, gamma, dtype = cache
    dbeta = order_free_sum(dout, axis=-2)
    dgamma = order_free_sum(dout * xhat, axis=-2)
    dx = gamma[..., None, :] * rstd * dout
    return dx.astype(dtype), dgamma.astype(gamma.dtype), dbeta.astype(gamma.dtype)


def _upstream(dout: Array, cache: BatchNormCache | FrozenBatchNormCache) -> Array:
    check_upstream("batch norm's backward pass", dout, cache.xhat.shape)
    return np.asarray(dout, dtype=np.float64)


def check_momentum(bn_param: dict[str, Any]) -> float:
    momentum = float(bn_param.get("momentum", MOMENTUM))
    if not 0 <= momentum <= 1:
        raise OptionError(
            f"momentum={momentum!r} is not between 0 and 1; it is the weight of the old running "
            f"value, usually 0.9"
        )
    return momentum


def running_of(bn_param: dict[str, Any], name: str, x: Array) -> Array:
    """A running statistic as float64 (..., D): float32 has no room for a mean of 1e7 stds."""
    shape = x.shape[:-2] + x.shape[-1:]
    value = np.asarray(bn_param.get(name, np.zeros(shape)), dtype=np.float64)
    if value.size != np.prod(shape):
        raise ShapeError(
            f"bn_param[{name!r}] has shape {value.shape}; expected {shape}: one value a feature"
        )
    return value.reshape(shape)


def updated(mean: Array, var: Array, batch: Moments, momentum: float) -> tuple[Array, Array]:
    """The running statistics after a batch. Features whose batch's are not finite keep theirs."""
    batch_mean, batch_var = batch.mean[..., 0, :], batch.var[..., 0, :]
    finite = np.isfinite(batch_mean) & np.isfinite(batch_var)
    if not finite.all():
        warnings.warn(
            f"batch norm met statistics that are not finite (NaN, infinity or overflow) in "
            f"{np.sum(~finite)} of {finite.size} features; their running statistics are kept as "
            f"they were. Look at the batch, or at a loss that diverges",
            NonFiniteWarning,
            stacklevel=4,  # one of them is `explained`'s
        )
    with np.errstate(invalid="ignore"):
        return (
            np.where(finite, momentum * mean + (1 - momentum) * batch_mean, mean),
            np.where(finite, momentum * var + (1 - momentum) * batch_var, var),
        )
