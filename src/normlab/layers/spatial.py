"""The norms of images as the assignment has them: spatial batch norm, and spatial group norm.

Ioffe and Szegedy, 2015, section 3.2: a convolution treats every position alike, so its batch norm
takes the statistics of a channel over the batch and over all positions, and gives a channel one
gamma and one beta. Wu and He, "Group Normalization", ECCV 2018, section 3.

Letters: x (N, C, H, W). Both are the layers that there are, on other axes: an image's positions are
examples to batch norm, and group norm takes spatial axes as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from normlab.arguments import explained
from normlab.errors import ShapeError
from normlab.layers.batchnorm import (
    BatchNormCache,
    FrozenBatchNormCache,
    batchnorm_backward_alt,
    batchnorm_forward,
)
from normlab.layers.groupnorm import GroupNormCache, groupnorm_backward, groupnorm_forward
from normlab.typing import Array


class SpatialGroupNormCache(NamedTuple):
    """Group norm's cache, and the shape in which gamma and beta came."""

    groupnorm: GroupNormCache
    parameter_shape: tuple[int, ...]


@explained
def spatial_batchnorm_forward(
    x: Array, gamma: Array, beta: Array, bn_param: dict[str, Any]
) -> tuple[Array, BatchNormCache | FrozenBatchNormCache]:
    """Batch norm of each channel, over the batch and all positions.

    Arguments: x (N, C, H, W); gamma, beta (C,); bn_param as for batchnorm_forward, with running
    statistics (C,). Returns: out of x's shape and type, and the cache. Raises what
    batchnorm_forward raises, and ShapeError for x that is no images.

    >>> x = np.array([[[[1.0, 3.0]]], [[[5.0, 7.0]]]])
    >>> out, _ = spatial_batchnorm_forward(x, np.ones(1), np.zeros(1), {"mode": "train", "eps": 4.0})
    >>> print(out.ravel())
    [-1.         -0.33333333  0.33333333  1.        ]
    """
    x = np.asarray(x)
    _check_images("spatial batch norm", x)
    out, cache = batchnorm_forward(_positions_as_examples(x), gamma, beta, bn_param)
    return _as_images(out, x.shape), cache


# out[n, c, h, w] is batch norm's output for example (n, h, w) and feature c: the same formulas,
# with sums over n, h and w where batch norm has them over n.
@explained
def spatial_batchnorm_backward(
    dout: Array, cache: BatchNormCache | FrozenBatchNormCache
) -> tuple[Array, Array, Array]:
    """Gradients of spatial_batchnorm_forward: dx (N, C, H, W), dgamma (C,), dbeta (C,).

    Raises ShapeError if dout (N, C, H, W) does not fit.

    >>> x = np.array([[[[1.0, 2.0, 6.0]]]])
    >>> _, cache = spatial_batchnorm_forward(x, np.ones(1), np.zeros(1), {"mode": "train", "eps": 0.0})
    >>> dx, dgamma, dbeta = spatial_batchnorm_backward(np.array([[[[1.0, 0.0, 0.0]]]]), cache)
    >>> print(np.round(dx.ravel(), 4), dbeta)
    [ 0.1763 -0.2204  0.0441] [1.]
    """
    dout = np.asarray(dout)
    _check_images("spatial batch norm's backward pass", dout, "dout")
    dx, dgamma, dbeta = batchnorm_backward_alt(_positions_as_examples(dout), cache)
    return _as_images(dx, dout.shape), dgamma, dbeta


@explained
def spatial_groupnorm_forward(
    x: Array, gamma: Array, beta: Array, G: int, gn_param: Mapping[str, Any]
) -> tuple[Array, SpatialGroupNormCache]:
    """Group norm of images: the statistics of each of G groups of channels, in each image by itself.

    Arguments: x (N, C, H, W); gamma, beta (1, C, 1, 1), or (C,); G, a divisor of C; gn_param with,
    optionally, `eps` (1e-5). Returns: out of x's shape and type, and the cache. Raises what
    groupnorm_forward raises.

    >>> x = np.array([[[[1.0, 3.0]], [[10.0, 30.0]]]])
    >>> ones = np.ones((1, 2, 1, 1))
    >>> out, _ = spatial_groupnorm_forward(x, ones, 0 * ones, 2, {"eps": 0})
    >>> print(out.ravel())
    [-1.  1. -1.  1.]
    """
    x, gamma, beta = np.asarray(x), np.asarray(gamma), np.asarray(beta)
    _check_images("spatial group norm", x)
    for name, value in (("gamma", gamma), ("beta", beta)):
        if value.shape not in ((x.shape[1],), (1, x.shape[1], 1, 1)):
            raise ShapeError(
                f"spatial group norm got {name} of shape {value.shape} for x of shape {x.shape}; "
                f"expected {(1, x.shape[1], 1, 1)} or {(x.shape[1],)}: one value a channel"
            )
    out, cache = groupnorm_forward(x, gamma.reshape(-1), beta.reshape(-1), G, gn_param)
    return out, SpatialGroupNormCache(cache, gamma.shape)


@explained
def spatial_groupnorm_backward(
    dout: Array, cache: SpatialGroupNormCache
) -> tuple[Array, Array, Array]:
    """Gradients of spatial_groupnorm_forward: dx (N, C, H, W), and dgamma, dbeta in gamma's shape.

    >>> x, ones = np.array([[[[1.0, 2.0, 6.0]]]]), np.ones((1, 1, 1, 1))
    >>> _, cache = spatial_groupnorm_forward(x, ones, 0 * ones, 1, {"eps": 0})
    >>> dx, dgamma, dbeta = spatial_groupnorm_backward(np.array([[[[1.0, 0.0, 0.0]]]]), cache)
    >>> print(np.round(dx.ravel(), 4), dbeta.shape)
    [ 0.1763 -0.2204  0.0441] (1, 1, 1, 1)
    """
    dx, dgamma, dbeta = groupnorm_backward(dout, cache.groupnorm)
    return dx, dgamma.reshape(cache.parameter_shape), dbeta.reshape(cache.parameter_shape)


def _check_images(layer: str, x: Array, name: str = "x") -> None:
    if x.ndim != 4:
        raise ShapeError(f"{layer} got {name} of shape {x.shape}; expected (N, C, H, W): images")


def _positions_as_examples(x: Array) -> Array:
    """(N, C, H, W) as (N H W, C)."""
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def _as_images(rows: Array, shape: tuple[int, ...]) -> Array:
    """(N H W, C) as (N, C, H, W)."""
    N, C, H, W = shape
    return rows.reshape(N, H, W, C).transpose(0, 3, 1, 2)
