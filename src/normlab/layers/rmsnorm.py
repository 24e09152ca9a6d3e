"""RMS normalization: each example by the root mean square of its features, without centring.

Zhang and Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019, section 3, equation 4.

Letters: N examples, D features; x is (..., N, D), and any axes before N stack independent nets,
whose gamma is then (..., D).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from normlab.arguments import explained
from normlab.layers.checks import check_eps, check_features, check_input, check_upstream
from normlab.layers.norm_record import GAMMA, Norm
from normlab.layers.statistics import (
    order_free_mean,
    order_free_sum,
    power_of_two_above,
    scaled_std,
)
from normlab.typing import Array


class RMSNormCache(NamedTuple):
    """What the backward pass needs. Float64 but for gamma."""

    xhat: Array  # (..., N, D)
    rrms: Array  # (..., N, 1), 1 / sqrt(mean(x²) + eps)
    gamma: Array  # (..., D)
    dtype: np.dtype[Any]  # of x


@explained
def rmsnorm_forward(
    x: Array, gamma: Array, rms_param: Mapping[str, Any]
) -> tuple[Array, RMSNormCache]:
    """y = gamma * x / sqrt(mean(x²) + eps), the mean over each example's features.

    Arguments: x (..., N, D); gamma (..., D); rms_param with, optionally, `eps` (1e-5). Other keys
    are ignored. Returns: out of x's shape and type, and the cache for the backward pass. NaN or
    infinity turn their own example into NaN. Raises: ShapeError for shapes that do not fit and for
    an empty batch; OptionError for an impossible eps.

    >>> out, cache = rmsnorm_forward(np.array([[3.0, 4.0]]), np.array([5.0, 5.0]), {"eps": 0})
    >>> print(np.round(out, 4))
    [[4.2426 5.6569]]
    """
    x = np.asarray(x)
    eps = check_eps(rms_param)
    dtype = check_input("RMS norm", x)
    check_features("RMS norm", x, gamma=gamma)
    x = x.astype(np.float64)
    with np.errstate(invalid="ignore"):
        scale = power_of_two_above(np.abs(x).max(axis=-1, keepdims=True))
        u = x * scale  # a power of two: no rounding, and squares that cannot overflow
        d = scaled_std(order_free_mean(u * u, axis=-1), scale, eps)
        xhat = u / d
    out = gamma[..., None, :] * xhat
    return out.astype(dtype), RMSNormCache(xhat, scale / d, gamma, dtype)


# With rms = sqrt(mean(x²) + eps), ∂rms/∂x_j = xhat_j / D, so ∂xhat_i/∂x_j = (δ_ij - xhat_i xhat_j /
# D) / rms and
#
#     dx = (dxhat - xhat * mean(dxhat * xhat)) / rms      with dxhat = gamma * dout
#
# which is layer norm's gradient without the mean's path.
@explained
def rmsnorm_backward(dout: Array, cache: RMSNormCache) -> tuple[Array, Array]:
    """Gradients of rmsnorm_forward.

    Arguments: dout (..., N, D), the upstream gradient; the cache of the forward pass.
    Returns: dx (..., N, D), dgamma (..., D). Raises ShapeError if dout does not fit.

    >>> out, cache = rmsnorm_forward(np.array([[3.0, 4.0]]), np.ones(2), {"eps": 0})
    >>> dx, dgamma = rmsnorm_backward(np.array([[4.0, -3.0]]), cache)
    >>> print(np.round(dx, 4))  # dout is at a right angle to x: only the first term is left
    [[ 1.1314 -0.8485]]
    """
    xhat, rrms, gamma, dtype = cache
    check_upstream("RMS norm's backward pass", dout, xhat.shape)
    dout = np.asarray(dout, dtype=np.float64)

    dgamma = order_free_sum(dout * xhat, axis=-2)
    dxhat = dout * gamma[..., None, :]
    dx = rrms * (dxhat - xhat * order_free_mean(dxhat * xhat, axis=-1))
    return dx.astype(dtype), dgamma.astype(gamma.dtype)


RMS_NORM = Norm(
    name="rmsnorm",
    title="RMS norm",
    parameters=(GAMMA,),
    over="features",
    forward=rmsnorm_forward,
    backward=rmsnorm_backward,
    centred=False,
    foreign={"pytorch": "RMSNorm", "keras": "RMSNormalization", "onnx": "RMSNormalization"},
)
