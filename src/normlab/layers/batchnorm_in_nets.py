"""Batch norm as nets use it: statistics of the batch, of parts of it or of the population.

Letters: N examples, D features, G examples of a ghost batch; x is (..., N, D), and any axes before
N stack independent nets, whose gamma and beta are then (..., D).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from normlab.errors import OptionError, ShapeError
from normlab.layers.batchnorm import (
    BatchNormCache,
    FrozenBatchNormCache,
    batchnorm_backward_alt,
    batchnorm_forward,
    batchnorm_test,
    batchnorm_train,
    check_momentum,
    running_of,
    updated,
)
from normlab.layers.checks import check_eps, check_features, check_upstream
from normlab.layers.norm_record import BETA, GAMMA, Norm
from normlab.layers.statistics import order_free_mean, order_free_sum
from normlab.typing import Array


class GhostBatchNormCache(NamedTuple):
    """The same with ghost batches: the cache of the pieces, and the shape of the whole."""

    pieces: BatchNormCache  # of (..., N/G, G, D)
    shape: tuple[int, ...]  # (..., N, D)


# Ghost batches: the batch is cut into pieces of G examples, and each is normalized by its own
# statistics, as if it were a batch. So x (..., N, D) becomes (..., N/G, G, D), whose leading axes
# stack independent layers; they share gamma and beta, whose gradients are therefore sums over the
# pieces.
def ghost_batchnorm_forward(
    x: Array, gamma: Array, beta: Array, bn_param: dict[str, Any]
) -> tuple[Array, GhostBatchNormCache]:
    """Batch norm in train mode with statistics over each `ghost_batch` examples of the batch.

    Hoffer, Hubara and Soudry, "Train Longer, Generalize Better", NeurIPS 2017, algorithm 1. Here
    the running statistics move once a batch, towards the mean of the pieces' statistics, so that
    `momentum` means what it means without ghost batches.

    Arguments: as for batchnorm_forward, and in bn_param `ghost_batch`, which divides N. Returns:
    out and the cache for ghost_batchnorm_backward. Raises ShapeError where it does not divide N,
    and what batchnorm_forward raises.

    >>> x = np.array([[1.0], [3.0], [10.0], [30.0]])
    >>> settings = {"eps": 0.0, "ghost_batch": 2}
    >>> out, cache = ghost_batchnorm_forward(x, np.ones(1), np.zeros(1), settings)
    >>> print(out[:, 0], settings["running_mean"])
    [-1.  1. -1.  1.] [1.1]
    """
    x, eps, momentum = np.asarray(x), check_eps(bn_param), check_momentum(bn_param)
    check_features("batch norm", x, gamma=gamma, beta=beta)
    N, G = x.shape[-2], bn_param["ghost_batch"]
    if N % G:
        raise ShapeError(
            f"batch norm got a batch of {N} examples and ghost_batch={G}, which does not divide "
            f"it; use a batch size that is a multiple of {G}"
        )
    running_mean = running_of(bn_param, "running_mean", x)
    running_var = running_of(bn_param, "running_var", x)
    pieces = x.reshape(*x.shape[:-2], N // G, G, x.shape[-1])
    shape = (*pieces.shape[:-2], pieces.shape[-1])
    gammas, betas = (np.broadcast_to(value[..., None, :], shape) for value in (gamma, beta))
    out, cache, moments = batchnorm_train(pieces, gammas, betas, eps)
    together = moments._replace(
        mean=order_free_mean(moments.mean, axis=-3).squeeze(-3),
        var=order_free_mean(moments.var, axis=-3).squeeze(-3),
    )
    bn_param["running_mean"], bn_param["running_var"] = updated(
        running_mean, running_var, together, momentum
    )
    return out.reshape(x.shape), GhostBatchNormCache(cache, x.shape)


def ghost_batchnorm_backward(dout: Array, cache: GhostBatchNormCache) -> tuple[Array, Array, Array]:
    """Gradients of ghost_batchnorm_forward: dx (..., N, D), dgamma (..., D), dbeta (..., D).

    Raises ShapeError if dout does not fit.
    """
    check_upstream("batch norm's backward pass", dout, cache.shape)
    pieces = cache.pieces._replace(
        gamma=cache.pieces.gamma.astype(np.float64)
    )  # rounded once, below
    dx, dgammas, dbetas = batchnorm_backward_alt(np.reshape(dout, pieces.xhat.shape), pieces)
    dgamma, dbeta = (order_free_sum(d, axis=-2) for d in (dgammas, dbetas))
    dtype = cache.pieces.gamma.dtype
    return dx.reshape(cache.shape), dgamma.astype(dtype), dbeta.astype(dtype)


def population_batchnorm_forward(
    x: Array, gamma: Array, beta: Array, bn_param: dict[str, Any]
) -> tuple[Array, BatchNormCache | FrozenBatchNormCache]:
    """Batch norm in train mode with the running statistics, which are constants of the gradient.

    They are those before this batch, which they follow afterwards. So no example is normalized by
    its company, and test mode computes the same function. Of what batch norm does, this leaves out
    the noise of the batch's statistics and the gradient through them. Before the first batch there
    are none: it is normalized as ever, and they begin as its own.

    Arguments, results and errors as for batchnorm_forward in train mode.

    >>> settings = {"eps": 0.0}
    >>> for x in (np.array([[1.0], [3.0]]), np.array([[2.0], [4.0]])):
    ...     out, cache = population_batchnorm_forward(x, np.ones(1), np.zeros(1), settings)
    ...     print(out[:, 0], settings["running_mean"])
    [-1.  1.] [2.]
    [0. 2.] [2.1]
    """
    x, eps, momentum = np.asarray(x), check_eps(bn_param), check_momentum(bn_param)
    check_features("batch norm", x, gamma=gamma, beta=beta)
    before = running_of(bn_param, "running_mean", x), running_of(bn_param, "running_var", x)
    first = "running_mean" not in bn_param
    out, cache, moments = batchnorm_train(x, gamma, beta, eps)
    after = updated(*before, moments, 0.0 if first else momentum)
    bn_param["running_mean"], bn_param["running_var"] = after
    return (out, cache) if first else batchnorm_test(x, gamma, beta, *before, eps)


def _forward_of_a_net(
    x: Array, gamma: Array, beta: Array, settings: dict[str, Any]
) -> tuple[Array, BatchNormCache | FrozenBatchNormCache | GhostBatchNormCache]:
    if settings["mode"] == "train" and settings.get("ghost_batch") is not None:
        return ghost_batchnorm_forward(x, gamma, beta, settings)
    if settings["mode"] == "train" and settings.get("statistics") == "population":
        return population_batchnorm_forward(x, gamma, beta, settings)
    return batchnorm_forward(x, gamma, beta, settings)


def _backward_of_a_net(
    dout: Array, cache: BatchNormCache | FrozenBatchNormCache | GhostBatchNormCache
) -> tuple[Array, Array, Array]:
    if isinstance(cache, GhostBatchNormCache):
        return ghost_batchnorm_backward(dout, cache)
    return batchnorm_backward_alt(dout, cache)


def _check_statistics(_hidden_dims: Sequence[int], options: Mapping[str, Any]) -> None:
    """Refuse ghost batches of the population's statistics."""
    if options.get("ghost_batch") is not None and options.get("statistics") is not None:
        raise OptionError(
            f"ghost_batch={options['ghost_batch']!r} goes with statistics='batch', not "
            f"{options['statistics']!r}: the population's statistics are nobody's batch"
        )


BATCH_NORM = Norm(
    name="batchnorm",
    title="batch norm",
    parameters=(GAMMA, BETA),
    over="batch",
    forward=_forward_of_a_net,
    backward=_backward_of_a_net,
    running=True,
    options=("ghost_batch", "statistics"),
    check=_check_statistics,
    foreign={
        "pytorch": "BatchNorm1d",
        "keras": "BatchNormalization",
        "onnx": "BatchNormalization",
    },
)
