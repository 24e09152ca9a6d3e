"""Batch norm by the fused kernels: `layers.batchnorm_forward` and `batchnorm_backward`, in three passes over memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from normlab import layers
from normlab.errors import OptionError, ShapeError
from normlab.kernels import columns
from normlab.kernels.sharing import (
    by_the_reference,
    destination,
    fits,
    past_caches,
    plain,
    shared,
    threads_for,
)
from normlab.lanes import COUNT
from normlab.layers.checks import check_eps, check_mode, check_upstream
from normlab.typing import Array

RUNNING = ("running_mean", "running_var")
SMALLEST_VARIANCE = 1e-200  # below it squares were lost, which matters where eps is 0
WORTH_A_THREAD = 3 << 18  # numbers: measured; below it, one thread is done sooner


class FusedBatchNormCache(NamedTuple):
    """What the backward pass needs: the input itself, not a copy, and a column's numbers, float64."""

    x: Array  # (N, D)
    statistics: Array  # (4, D): two parts of the mean, var, and 1 / sqrt(var + eps)
    gamma: Array  # (D,)
    fixed: bool  # the statistics are constants: test mode


def batchnorm_forward(
    x: Array,
    gamma: Array,
    beta: Array,
    bn_param: dict[str, Any],
    *,
    threads: int | None = None,
    out: Array | None = None,
) -> tuple[Array, Any]:
    """`layers.batchnorm_forward`, fused: the same arguments, results, running statistics and errors.

    x (N, D) of float32 or float64 is the kernels', and copied first unless it lies row after row in
    memory; everything else, also a batch with NaN, infinity, or numbers whose squares overflow, is
    the reference's. The cache keeps x itself: leave it as it is until the backward pass. `threads`,
    by default all cores for large inputs, does not change a bit of the result; `out` takes it,
    instead of a new array.

    >>> out, cache = batchnorm_forward(np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1), {"mode": "train", "eps": 0})
    >>> print(out.T)
    [[-1.  1.]]
    """
    if not fits(x, gamma, beta):
        return by_the_reference(layers.batchnorm_forward(x, gamma, beta, bn_param), out)
    mode, eps = check_mode("batch norm", bn_param), check_eps(bn_param)
    n, d = x.shape
    given, x = x, np.ascontiguousarray(x)
    out, given_out = destination(out, given), out
    flat, target, past, statistics = (
        x.reshape(-1),
        out.reshape(-1),
        past_caches(out),
        np.empty((4, d)),
    )
    g, b = plain(gamma, x), plain(beta, x)
    threads = threads_for(x.size, threads, WORTH_A_THREAD)
    if mode == "test":
        statistics[0], statistics[2] = _running(bn_param, d)
        statistics[1] = 0.0
        statistics[3] = 1 / np.sqrt(statistics[2] + eps)
        shared(
            lambda begin, end: columns.normalize(flat, n, d, begin, end, statistics, g, b, target, False, past),
            d, COUNT, threads,
        )  # fmt: skip
    else:
        momentum, running = _momentum(bn_param), _running(bn_param, d)
        finite = shared(
            lambda begin, end: columns.forward(
                flat, n, d, begin, end, eps, statistics, g, b, momentum, running, target, past
            ),
            d, COUNT, threads,
        )  # fmt: skip
        if not all(finite) or (eps == 0 and _squares_lost(x, statistics[2])):
            return by_the_reference(
                layers.batchnorm_forward(given, gamma, beta, bn_param), given_out
            )
        bn_param["running_mean"], bn_param["running_var"] = running
    return out, FusedBatchNormCache(x, statistics, gamma, mode == "test")


def batchnorm_backward(
    dout: Array, cache: Any, *, threads: int | None = None, out: Array | None = None
) -> tuple[Array, Array, Array]:
    """`layers.batchnorm_backward_alt`, fused: dx, dgamma, dbeta from the cache of either forward pass; `out` takes dx.

    >>> x, dout = np.array([[1.0], [2.0], [6.0]]), np.array([[1.0], [0.0], [0.0]])
    >>> _, cache = batchnorm_forward(x, np.ones(1), np.zeros(1), {"mode": "train", "eps": 0.0})
    >>> dx, dgamma, dbeta = batchnorm_backward(dout, cache)
    >>> print(np.round(dx[:, 0], 4), np.round(dgamma, 4), dbeta)
    [ 0.1763 -0.2204  0.0441] [-0.9258] [1.]
    """
    if not isinstance(cache, FusedBatchNormCache):
        return by_the_reference(layers.batchnorm_backward_alt(dout, cache), out)
    x, statistics, gamma, fixed = cache
    check_upstream("batch norm's backward pass", dout, x.shape)
    n, d = x.shape
    dout = np.ascontiguousarray(dout, dtype=x.dtype)
    flat, upstream, threads = (
        x.reshape(-1),
        dout.reshape(-1),
        threads_for(x.size, threads, WORTH_A_THREAD),
    )
    dgamma, dbeta, g = np.empty(d), np.empty(d), plain(gamma, x)
    dx = destination(out, x)
    target, past = dx.reshape(-1), past_caches(dx)
    shared(
        lambda begin, end: columns.backward(
            upstream, flat, n, d, begin, end, statistics, g, dgamma, dbeta, fixed, target, past
        ),
        d, COUNT, threads,
    )  # fmt: skip
    return dx, dgamma.astype(gamma.dtype), dbeta.astype(gamma.dtype)


def _squares_lost(x: Array, var: Array) -> bool:
    """Whether a column seems constant, or nearly so, and is not: its squares may have underflowed."""
    still = var < SMALLEST_VARIANCE
    return bool(still.any() and (x[:, still] != x[0, still]).any())


def _momentum(bn_param: dict[str, Any]) -> float:
    momentum = float(bn_param.get("momentum", 0.9))
    if not 0 <= momentum <= 1:
        raise OptionError(
            f"momentum={momentum!r} is not between 0 and 1; it is the weight of the old running "
            "value, usually 0.9"
        )
    return momentum


def _running(bn_param: dict[str, Any], d: int) -> Array:
    """The running statistics, (2, D), zeros before the first batch. Raises ShapeError, by the reference's sentence."""
    running = np.zeros((2, d))
    for row, name in enumerate(RUNNING):
        given = bn_param.get(name)
        if given is not None:
            value = np.asarray(given)
            if value.size != d:
                raise ShapeError(
                    f"bn_param[{name!r}] has shape {value.shape}; expected ({d},): one value a "
                    "feature"
                )
            running[row] = value.reshape(d)
    return running
