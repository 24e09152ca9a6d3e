"""Layer norm by the fused kernels: `layers.layernorm_forward` and `layernorm_backward`, row by row in the cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from normlab import layers
from normlab.kernels import rows
from normlab.kernels.sharing import (
    by_the_reference,
    destination,
    fits,
    past_caches,
    shared,
    threads_for,
)
from normlab.lanes import COUNT
from normlab.layers.checks import check_eps, check_upstream
from normlab.typing import Array

LARGEST_RSTD = 1e100
WORTH_A_THREAD = 3 << 17  # numbers: measured; below it, one thread is done sooner


class FusedLayerNormCache(NamedTuple):
    """What the backward pass needs: the input itself, not a copy, and a row's numbers, float64."""

    x: Array  # (N, D)
    statistics: Array  # (3, N): two parts of the mean, and 1 / sqrt(var + eps)
    gamma: Array  # (D,)


def layernorm_forward(
    x: Array, gamma: Array, beta: Array, ln_param: Mapping[str, Any], *, threads: int | None = None,
    out: Array | None = None,
) -> tuple[Array, Any]:  # fmt: skip
    """`layers.layernorm_forward`, fused: the same arguments, results and errors; `threads` and `out` as for batch norm.

    >>> out, cache = layernorm_forward(np.array([[1.0, 3.0], [10.0, 30.0]]), np.ones(2), np.zeros(2), {"eps": 0})
    >>> print(out)
    [[-1.  1.]
     [-1.  1.]]
    """
    if not fits(x, gamma, beta):
        return by_the_reference(layers.layernorm_forward(x, gamma, beta, ln_param), out)
    eps = check_eps(ln_param)
    n, d = x.shape
    statistics = np.empty((3, n))
    given, out = out, destination(out, x)
    x = np.ascontiguousarray(x)
    flat, target, past = x.reshape(-1), out.reshape(-1), past_caches(out)
    g, b = np.ascontiguousarray(gamma, np.float64), np.ascontiguousarray(beta, np.float64)
    finite = shared(
        lambda begin, end: rows.forward(flat, d, begin, end, eps, g, b, statistics, target, past),
        n, 1, threads_for(x.size, threads, WORTH_A_THREAD),
    )  # fmt: skip
    if not all(finite) or (eps == 0 and _squares_lost(x, statistics[2])):
        return by_the_reference(layers.layernorm_forward(x, gamma, beta, ln_param), given)
    return out, FusedLayerNormCache(x, statistics, gamma)


def layernorm_backward(
    dout: Array, cache: Any, *, threads: int | None = None, out: Array | None = None
) -> tuple[Array, Array, Array]:
    """`layers.layernorm_backward`, fused: dx, dgamma, dbeta from the cache of either forward pass; `out` takes dx.

    >>> _, cache = layernorm_forward(np.array([[1.0, 2.0, 6.0]] * 2), np.ones(3), np.zeros(3), {"eps": 0})
    >>> dx, dgamma, dbeta = layernorm_backward(np.array([[1.0, 0.0, 0.0]] * 2), cache)
    >>> print(np.round(dx[0], 4))
    [ 0.1763 -0.2204  0.0441]
    """
    if not isinstance(cache, FusedLayerNormCache):
        return by_the_reference(layers.layernorm_backward(dout, cache), out)
    x, statistics, gamma = cache
    check_upstream("layer norm's backward pass", dout, x.shape)
    n, d = x.shape
    dout = np.ascontiguousarray(dout, dtype=x.dtype)
    height = rows.chunk(x)
    # a row a chunk, of whole lanes; these are added in their order, whoever filled them
    parts, sums = np.empty((2, -(-n // height), -(-d // COUNT) * COUNT)), np.empty((2, d))
    of_gamma, of_beta = parts.reshape(2, -1)
    dx = destination(out, x)
    flat, upstream, target, past = x.reshape(-1), dout.reshape(-1), dx.reshape(-1), past_caches(dx)
    g = np.ascontiguousarray(gamma, np.float64)
    shared(
        lambda begin, end: rows.backward(
            upstream, flat, d, begin, end, height, statistics, g, target, of_gamma, of_beta, past
        ),
        n, height, threads_for(x.size, threads, WORTH_A_THREAD),
    )  # fmt: skip
    rows.over_chunks(parts, d, sums)
    return dx, *sums.astype(gamma.dtype)


def _squares_lost(x: Array, rstd: Array) -> bool:
    """Whether a row seems constant, or nearly so, and is not: its squares may have underflowed."""
    still = (rstd == 0) | (rstd > LARGEST_RSTD)
    return bool(still.any() and (x[still] != x[still, :1]).any())
