"""Mean-variance normalization: mean 0 and variance 1 over any axes, and nothing learned.

It is what all centred norms here do before gamma and beta; as a layer of its own it prepares
inputs. Viikki and Laurila, "Cepstral domain segmental feature vector normalization for noise robust
speech recognition", Speech Communication 25, 1998; Caffe and ONNX have it as a layer for images.

Letters: N examples, C channels; x is (N, C, ...spatial).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from normlab.arguments import explained
from normlab.errors import OptionError, ShapeError
from normlab.layers.checks import check_eps, check_input, check_upstream
from normlab.layers.statistics import centred_moments, scaled_std, standardize_backward
from normlab.typing import Array


class MeanVarianceCache(NamedTuple):
    """What the backward pass needs. Arrays are float64."""

    xhat: Array  # of x's shape
    rstd: Array  # the axes of the statistics have length 1; 1 / sqrt(var + eps)
    axes: tuple[int, ...]
    dtype: np.dtype[Any]  # of x


@explained
def meanvariance_forward(x: Array, mvn_param: Mapping[str, Any]) -> tuple[Array, MeanVarianceCache]:
    """y = (x - mean) / sqrt(var + eps), statistics over the given axes.

    Arguments: x (N, C, ...spatial), or any other shape; mvn_param with, optionally, `axes` (all but
    axis 1, so that each channel gets mean 0) and `eps` (0: a slice of one value repeated gives 0
    without it). Returns: out of x's shape and type, and the cache for the backward pass. NaN or
    infinity turn their own slice into NaN. Raises: ShapeError for an empty batch and for slices of
    one number, each its own mean; OptionError for impossible axes or eps.

    >>> out, cache = meanvariance_forward(np.array([[1.0, 10.0], [3.0, 30.0]]), {"axes": (0,)})
    >>> print(out)
    [[-1. -1.]
     [ 1.  1.]]
    """
    x = np.asarray(x)
    eps = check_eps({"eps": 0.0, **mvn_param})
    axes = _axes(x, mvn_param)
    dtype = check_input("mean-variance norm", x)
    if math.prod(x.shape[axis] for axis in axes) == 1:
        raise ShapeError(
            f"mean-variance norm got x of shape {x.shape} and axes {axes}, along which there is "
            "one number, its own mean; name axes along which there are more"
        )
    moments = centred_moments(x, axes)
    d = scaled_std(moments.v, moments.scale, eps)
    xhat = moments.u / d
    return xhat.astype(dtype), MeanVarianceCache(xhat, moments.scale / d, axes, dtype)


# Layer norm's derivation, with means over the given axes and dxhat = dout.
@explained
def meanvariance_backward(dout: Array, cache: MeanVarianceCache) -> Array:
    """Gradient of meanvariance_forward.

    Arguments: dout of x's shape, the upstream gradient; the cache of the forward pass.
    Returns: dx of x's shape. Raises ShapeError if dout does not fit.

    >>> _, cache = meanvariance_forward(np.array([[1.0], [2.0], [6.0]]), {})
    >>> print(np.round(meanvariance_backward(np.array([[1.0], [0.0], [0.0]]), cache).T, 4))
    [[ 0.1763 -0.2204  0.0441]]
    """
    xhat, rstd, axes, dtype = cache
    check_upstream("mean-variance norm's backward pass", dout, xhat.shape)
    dout = np.asarray(dout, dtype=np.float64)

    return standardize_backward(dout, xhat, rstd, axes).astype(dtype)


def _axes(x: Array, mvn_param: Mapping[str, Any]) -> tuple[int, ...]:
    """The axes of the statistics, counted from 0."""
    given = tuple(mvn_param.get("axes", (axis for axis in range(x.ndim) if axis != 1)))
    if not (
        given
        and all(isinstance(axis, int | np.integer) and -x.ndim <= axis < x.ndim for axis in given)
    ):
        raise OptionError(
            f"axes={given!r} are no axes of x, whose shape is {x.shape}; expected some of 0 to "
            f"{x.ndim - 1}"
        )
    axes = tuple(sorted(int(axis) % x.ndim for axis in given))
    if len(set(axes)) < len(axes):
        raise OptionError(f"axes={given!r} name an axis of x twice; its shape is {x.shape}")
    return axes
