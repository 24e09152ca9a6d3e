"""Layers that are always used together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from normlab.arguments import explained
from normlab.layers.affine import AffineCache, affine_backward, affine_forward
from normlab.layers.convolution import ConvCache
from normlab.layers.fast_convolution import (
    conv_backward_fast,
    conv_forward_fast,
    max_pool_backward_fast,
    max_pool_forward_fast,
)
from normlab.layers.relu import relu_backward, relu_forward
from normlab.layers.spatial import spatial_batchnorm_backward, spatial_batchnorm_forward
from normlab.typing import Array


@explained
def affine_relu_forward(x: Array, w: Array, b: Array) -> tuple[Array, tuple[AffineCache, Array]]:
    """max(0, x W + b): affine_forward, then relu_forward. Arguments as for affine_forward.

    >>> import numpy as np
    >>> print(affine_relu_forward(np.ones((1, 2)), np.array([[1.0, -1.0], [1.0, -1.0]]), np.zeros(2))[0])
    [[2. 0.]]
    """
    a, affine_cache = affine_forward(x, w, b)
    out, relu_cache = relu_forward(a)
    return out, (affine_cache, relu_cache)


@explained
def affine_relu_backward(
    dout: Array, cache: tuple[AffineCache, Array]
) -> tuple[Array, Array, Array]:
    """Gradients of affine_relu_forward: dx, dw, db, as of affine_backward."""
    affine_cache, relu_cache = cache
    return affine_backward(relu_backward(dout, relu_cache), affine_cache)


@explained
def conv_relu_forward(
    x: Array, w: Array, b: Array, conv_param: Mapping[str, Any]
) -> tuple[Array, tuple[ConvCache, Array]]:
    """Convolution, then ReLU. Arguments as for conv_forward_naive; the cache is (convolution's, ReLU's).

    >>> import numpy as np
    >>> x, w = np.ones((1, 1, 1, 2)), np.array([[[[-1.0]]], [[[2.0]]]])
    >>> print(conv_relu_forward(x, w, np.zeros(2), {"stride": 1, "pad": 0})[0].ravel())
    [0. 0. 2. 2.]
    """
    a, conv_cache = conv_forward_fast(x, w, b, conv_param)
    out, relu_cache = relu_forward(a)
    return out, (conv_cache, relu_cache)


@explained
def conv_relu_backward(
    dout: Array, cache: tuple[ConvCache, Array]
) -> tuple[Array | None, Array, Array]:
    """Gradients of conv_relu_forward: dx, dw, db, as of conv_backward_naive."""
    conv_cache, relu_cache = cache
    return conv_backward_fast(relu_backward(dout, relu_cache), conv_cache)


@explained
def conv_bn_relu_forward(
    x: Array,
    w: Array,
    b: Array,
    gamma: Array,
    beta: Array,
    conv_param: Mapping[str, Any],
    bn_param: dict[str, Any],
) -> tuple[Array, tuple[ConvCache, Any, Array]]:
    """Convolution, spatial batch norm, ReLU. Arguments as for the three; the cache is (each one's).

    >>> import numpy as np
    >>> x, one = np.array([[[[1.0, 3.0]]]]), np.ones(1)
    >>> settings = {"stride": 1, "pad": 0}, {"mode": "train", "eps": 0.0}
    >>> print(conv_bn_relu_forward(x, np.ones((1, 1, 1, 1)), one, one, 0 * one, *settings)[0].ravel())
    [0. 1.]
    """
    a, conv_cache = conv_forward_fast(x, w, b, conv_param)
    normalized, bn_cache = spatial_batchnorm_forward(a, gamma, beta, bn_param)
    out, relu_cache = relu_forward(normalized)
    return out, (conv_cache, bn_cache, relu_cache)


@explained
def conv_bn_relu_backward(
    dout: Array, cache: tuple[ConvCache, Any, Array]
) -> tuple[Array | None, Array, Array, Array, Array]:
    """Gradients of conv_bn_relu_forward: dx, dw, db, dgamma, dbeta."""
    conv_cache, bn_cache, relu_cache = cache
    da, dgamma, dbeta = spatial_batchnorm_backward(relu_backward(dout, relu_cache), bn_cache)
    dx, dw, db = conv_backward_fast(da, conv_cache)
    return dx, dw, db, dgamma, dbeta


@explained
def conv_relu_pool_forward(
    x: Array, w: Array, b: Array, conv_param: Mapping[str, Any], pool_param: Mapping[str, Any]
) -> tuple[Array, tuple[ConvCache, Array, Any]]:
    """Convolution, ReLU, max pooling. Arguments as for the three; the cache is (each one's).

    >>> import numpy as np
    >>> pool = {"pool_height": 1, "pool_width": 2, "stride": 2}
    >>> x, w = np.array([[[[1.0, 3.0]]]]), np.ones((1, 1, 1, 1))
    >>> print(conv_relu_pool_forward(x, w, np.zeros(1), {"stride": 1, "pad": 0}, pool)[0])
    [[[[3.]]]]
    """
    a, conv_cache = conv_forward_fast(x, w, b, conv_param)
    positive, relu_cache = relu_forward(a)
    out, pool_cache = max_pool_forward_fast(positive, pool_param)
    return out, (conv_cache, relu_cache, pool_cache)


@explained
def conv_relu_pool_backward(
    dout: Array, cache: tuple[ConvCache, Array, Any], *, with_dx: bool = True
) -> tuple[Array | None, Array, Array]:
    """Gradients of conv_relu_pool_forward: dx, dw, db. `with_dx=False` leaves dx out, as a first layer may."""
    conv_cache, relu_cache, pool_cache = cache
    da = relu_backward(max_pool_backward_fast(dout, pool_cache), relu_cache)
    return conv_backward_fast(da, conv_cache, with_dx=with_dx)
