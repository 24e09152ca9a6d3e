"""Max pooling: the largest value of each window.

Letters as for convolution: x (N, C, H, W), windows of pool_height by pool_width, `stride` pixels
apart, and

    H' = 1 + (H - pool_height) // stride        W' = 1 + (W - pool_width) // stride

Where two pixels of a window are equally large, the function has a kink, and its derivative is a
matter of choice. This one gives the whole gradient to the first of them in reading order, as
PyTorch does; a mask `x == max` gives it to each, which counts it twice. Images of ReLU's zeros are
full of such ties.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from normlab.arguments import explained
from normlab.errors import MissingKeyError, ShapeError
from normlab.layers.checks import check_upstream
from normlab.layers.convolution import positions
from normlab.typing import Array
from normlab.validation import whole_number


class MaxPoolCache(NamedTuple):
    """The forward pass's arguments, as given."""

    x: Array  # (N, C, H, W)
    pool_param: Mapping[str, Any]


class PoolShape(NamedTuple):
    """A pool's settings, and how large its output is."""

    pool_height: int
    pool_width: int
    stride: int
    height: int  # H'
    width: int  # W'


@explained
def max_pool_forward_naive(x: Array, pool_param: Mapping[str, Any]) -> tuple[Array, MaxPoolCache]:
    """out[n, c, i, j] = max over p, q of x[n, c, i·stride + p, j·stride + q].

    Arguments: x (N, C, H, W); pool_param with `pool_height`, `pool_width` and `stride`. Returns:
    out (N, C, H', W'), and the cache. A NaN in a window is its maximum. Raises: ShapeError for x
    that is no images and windows larger than they are; MissingKeyError or OptionError for missing
    or impossible settings.

    >>> x = np.array([[[[1.0, 2.0, 5.0], [4.0, 3.0, 0.0]]]])
    >>> print(max_pool_forward_naive(x, {"pool_height": 2, "pool_width": 2, "stride": 1})[0])
    [[[[4. 5.]]]]
    """
    x = np.asarray(x)
    shape = pool_shape("max pool", x, pool_param)
    return windows_of(x, shape).max(axis=(4, 5)), MaxPoolCache(x, pool_param)


# With k(i, j) the place of the largest pixel in window (i, j),
#
#     dx_nckl = Σ dout_ncij over the windows (i, j) whose largest pixel is (k, l)
#
# Where windows overlap, a pixel may be the largest of several: the sum is added to.
@explained
def max_pool_backward_naive(dout: Array, cache: MaxPoolCache) -> Array:
    """Gradient of max_pool_forward_naive: dx (N, C, H, W), from dout (N, C, H', W') and the cache.

    Raises ShapeError if dout does not fit.

    >>> x = np.array([[[[1.0, 2.0, 5.0], [4.0, 3.0, 0.0]]]])
    >>> _, cache = max_pool_forward_naive(x, {"pool_height": 2, "pool_width": 2, "stride": 1})
    >>> print(max_pool_backward_naive(np.array([[[[10.0, 20.0]]]]), cache))
    [[[[ 0.  0. 20.]
       [10.  0.  0.]]]]
    """
    x, pool_param = cache
    shape = pool_shape("max pool", x, pool_param)
    check_upstream("max pool's backward pass", dout, (*x.shape[:2], shape.height, shape.width))
    windows = windows_of(x, shape)
    largest = windows.reshape(*windows.shape[:4], -1).argmax(axis=-1)  # the first in reading order
    p, q = np.divmod(largest, shape.pool_width)
    n, c, i, j = np.indices(largest.shape, sparse=True)
    dx = np.zeros(x.shape, dtype=np.asarray(dout).dtype)
    np.add.at(dx, (n, c, i * shape.stride + p, j * shape.stride + q), dout)
    return dx


def pool_shape(layer: str, x: Array, pool_param: Mapping[str, Any]) -> PoolShape:
    """The settings of a pool and the size of its output; a sentence where there is none."""
    if x.ndim != 4:
        raise ShapeError(f"{layer} got x of shape {x.shape}; expected (N, C, H, W): images")
    for name in ("pool_height", "pool_width", "stride"):
        if name not in pool_param:
            raise MissingKeyError(f"{layer} needs pool_param[{name!r}]; a usual one is 2")
    pool_height, pool_width, stride = (
        whole_number(f"pool_param[{name!r}]", pool_param[name], 1)
        for name in ("pool_height", "pool_width", "stride")
    )
    window = np.empty((0, 0, pool_height, pool_width))
    height, width = (positions(layer, x, window, axis, stride, pad=0) for axis in (2, 3))
    return PoolShape(pool_height, pool_width, stride, height, width)


def windows_of(x: Array, shape: PoolShape) -> Array:
    """The windows, (N, C, H', W', pool_height, pool_width); a view."""
    size = (shape.pool_height, shape.pool_width)
    windows = sliding_window_view(x, size, axis=(2, 3))
    return windows[:, :, :: shape.stride, :: shape.stride]
