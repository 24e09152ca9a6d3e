"""Layer normalization: each example by its own statistics over the features.

Ba, Kiros and Hinton, "Layer Normalization", 2016, section 3, equation 4. Nothing is kept between
batches, and train and test mode are the same.

Letters: N examples, D features; x is (..., N, D), and any axes before N stack independent nets,
whose gamma and beta are then (..., D).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from normlab.arguments import explained
from normlab.layers.checks import check_eps, check_features, check_input, check_upstream
from normlab.layers.norm_record import BETA, GAMMA, Norm
from normlab.layers.statistics import (
    centred_moments,
    order_free_sum,
    scaled_std,
    standardize_backward,
)
from normlab.typing import Array


class LayerNormCache(NamedTuple):
    """What the backward pass needs. Float64 but for gamma."""

    xhat: Array  # (..., N, D)
    rstd: Array  # (..., N, 1), 1 / sqrt(var + eps)
    gamma: Array  # (..., D)
    dtype: np.dtype[Any]  # of x


@explained
def layernorm_forward(
    x: Array, gamma: Array, beta: Array, ln_param: Mapping[str, Any]
) -> tuple[Array, LayerNormCache]:
    """y = gamma * (x - mean) / sqrt(var + eps) + beta, statistics over each example's features.

    Arguments: x (..., N, D); gamma, beta (..., D); ln_param with, optionally, `eps` (1e-5). Other
    keys are ignored, `mode` among them. Returns: out of x's shape and type, and the cache for the
    backward pass. Raises: ShapeError for shapes that do not fit and for an empty batch; OptionError
    for an impossible eps.

    A single feature is always its own mean: with D = 1 the output is beta, whatever x holds.

    >>> out, cache = layernorm_forward(np.array([[1.0, 3.0], [10.0, 30.0]]), np.ones(2), np.zeros(2), {"eps": 0})
    >>> print(out)
    [[-1.  1.]
     [-1.  1.]]
    """
    x = np.asarray(x)
    eps = check_eps(ln_param)
    dtype = check_input("layer norm", x)
    check_features("layer norm", x, gamma=gamma, beta=beta)
    moments = centred_moments(x, axis=-1)
    d = scaled_std(moments.v, moments.scale, eps)
    xhat = moments.u / d
    out = gamma[..., None, :] * xhat + beta[..., None, :]
    return out.astype(dtype), LayerNormCache(xhat, moments.scale / d, gamma, dtype)


# Within an example the layer is batch norm turned on its side, with one difference: gamma varies
# along the axis of the statistics, so it multiplies dout before any mean is taken,
#
#     dxhat = gamma * dout
#     dx = (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)) / std      means over the features
#
# while gamma and beta, shared by the examples, collect their gradients over the batch.
@explained
def layernorm_backward(dout: Array, cache: LayerNormCache) -> tuple[Array, Array, Array]:
    """Gradients of layernorm_forward.

    Arguments: dout (..., N, D), the upstream gradient; the cache of the forward pass. Returns: dx
    (..., N, D), dgamma (..., D), dbeta (..., D). Raises ShapeError if dout does not fit.

    >>> out, cache = layernorm_forward(np.array([[1.0, 2.0, 6.0]]), np.ones(3), np.zeros(3), {"eps": 0})
    >>> dx, dgamma, dbeta = layernorm_backward(np.array([[1.0, 0.0, 0.0]]), cache)
    >>> print(np.round(dx, 4))
    [[ 0.1763 -0.2204  0.0441]]
    """
    xhat, rstd, gamma, dtype = cache
    check_upstream("layer norm's backward pass", dout, xhat.shape)
    dout = np.asarray(dout, dtype=np.float64)

    dbeta = order_free_sum(dout, axis=-2)
    dgamma = order_free_sum(dout * xhat, axis=-2)
    dx = standardize_backward(dout * gamma[..., None, :], xhat, rstd, axis=-1)
    return dx.astype(dtype), dgamma.astype(gamma.dtype), dbeta.astype(gamma.dtype)


LAYER_NORM = Norm(
    name="layernorm",
    title="layer norm",
    parameters=(GAMMA, BETA),
    over="features",
    forward=layernorm_forward,
    backward=layernorm_backward,
    foreign={
        "pytorch": "LayerNorm",
        "keras": "LayerNormalization",
        "onnx": "LayerNormalization",
    },
)
