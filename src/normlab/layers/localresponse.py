"""Local response normalization: each channel damped by the squares of its neighbouring channels.

Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural Networks",
NeurIPS 2012, section 3.3. It has no parameters to learn, and nothing is kept between batches.

Letters: N examples, C channels; x is (N, C, ...spatial), with any number of spatial axes, none
included; n channels make a window.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from normlab.arguments import explained
from normlab.errors import OptionError, ShapeError
from normlab.layers.checks import check_input, check_upstream
from normlab.layers.statistics import order_free_sum, power_of_two_above, scaled_std
from normlab.typing import Array

DEFAULTS = {"n": 5, "k": 2.0, "alpha": 1e-4, "beta": 0.75}  # AlexNet's


class LocalResponseCache(NamedTuple):
    """What the backward pass needs. Arrays are float64."""

    x: Array  # (N, C, ...spatial)
    r: Array  # the same, sqrt(k + alpha * sum of squares)
    n: int
    alpha: float
    beta: float
    dtype: np.dtype[Any]  # of x


@explained
def localresponse_forward(
    x: Array, lrn_param: Mapping[str, Any]
) -> tuple[Array, LocalResponseCache]:
    """y_c = x_c / (k + alpha * Σ x_j²)^beta, the sum over the n channels around c, fewer at the ends.

    A window reaches from channel c - (n - 1) // 2 to c + n // 2; the paper's n is odd, as far to
    either side.

    Arguments: x (N, C, ...spatial); lrn_param with, optionally, `n` (5), `k` (2), `alpha` (1e-4,
    times the sum, not the mean, of the squares) and `beta` (0.75). Returns: out of x's shape and
    type, and the cache for the backward pass. NaN or infinity turn the channels whose windows hold
    them into NaN, and no others. Raises: ShapeError for x without a channel axis and for an empty
    batch; OptionError for impossible settings.

    >>> out, cache = localresponse_forward(np.array([[3.0, 4.0, 12.0]]), {"n": 3, "k": 0, "alpha": 1, "beta": 0.5})
    >>> print(np.round(out, 4))  # divided by 5, 13, and the square root of 160
    [[0.6    0.3077 0.9487]]
    """
    x = np.asarray(x)
    n, k, alpha, beta = _settings(lrn_param)
    dtype = check_input("local response norm", x)
    if x.ndim < 2:
        raise ShapeError(
            f"local response norm got x of shape {x.shape}; expected (N, C, ...spatial)"
        )
    x = x.astype(np.float64)
    with np.errstate(invalid="ignore", under="ignore"):
        around = _windows(x, (n - 1) // 2, n // 2)
        scale = power_of_two_above(np.abs(around).max(axis=-1))
        v = alpha * order_free_sum(
            np.square(around * scale[..., None]), axis=-1
        )  # of numbers up to 1: no overflow
        r = scaled_std(v, scale, k) / scale
        damping = (
            r**-beta
        )  # half of the power at a time: the whole one may underflow where the output does not
        out = x * damping * damping
    return out.astype(dtype), LocalResponseCache(x, r, n, alpha, beta, dtype)


# With r_i² = k + alpha Σ_j x_j², the derivative ∂r_i/∂x_j is alpha x_j / r_i wherever j lies in the
# window of i, so y_i = x_i r_i^(-2 beta) has
#
#     ∂y_i/∂x_j = r_i^(-2 beta) * (δ_ij - 2 alpha beta * (x_i / r_i) * (x_j / r_i))
#
# and dx_j collects dout_i over the windows that hold j: those of the channels in j's own window,
# mirrored. The factors stay apart, each x over its r, because squares of the numbers themselves
# could overflow.
@explained
def localresponse_backward(dout: Array, cache: LocalResponseCache) -> Array:
    """Gradient of localresponse_forward.

    Arguments: dout (N, C, ...spatial), the upstream gradient; the cache of the forward pass.
    Returns: dx of x's shape. Raises ShapeError if dout does not fit.

    >>> _, cache = localresponse_forward(np.array([[3.0, 4.0]]), {"n": 3, "k": 0, "alpha": 1, "beta": 0.5})
    >>> print(np.round(localresponse_backward(np.array([[4.0, -3.0]]), cache), 4))  # at a right angle to x
    [[ 0.8 -0.6]]
    """
    x, r, n, alpha, beta, dtype = cache
    check_upstream("local response norm's backward pass", dout, x.shape)
    dout = np.asarray(dout, dtype=np.float64)

    with np.errstate(invalid="ignore", under="ignore"):
        own = dout * r ** (-2 * beta)
        holding = _windows(own * (x / r), n // 2, (n - 1) // 2)
        of_neighbours = holding * (x[..., None] * _windows(1 / r, n // 2, (n - 1) // 2))
        dx = own - 2 * alpha * beta * order_free_sum(of_neighbours, axis=-1)
    return dx.astype(dtype)


def _windows(x: Array, before: int, after: int) -> Array:
    """(N, C, ...spatial, before + 1 + after): each channel's window, with zeros beyond the first and last channel."""
    padded = np.pad(x, [(before, after) if axis == 1 else (0, 0) for axis in range(x.ndim)])
    windows: Array = np.lib.stride_tricks.sliding_window_view(padded, before + 1 + after, axis=1)
    return windows


def _settings(lrn_param: Mapping[str, Any]) -> tuple[int, float, float, float]:
    n, k, alpha, beta = (lrn_param.get(name, default) for name, default in DEFAULTS.items())
    if not (isinstance(n, int | np.integer) and n >= 1):
        raise OptionError(
            f"n={n!r} is not a whole number >= 1; it counts the channels of a window, usually 5"
        )
    for name, value in (("k", k), ("alpha", alpha), ("beta", beta)):
        if not 0 <= value < np.inf:
            raise OptionError(
                f"{name}={value!r} is not a finite number >= 0; AlexNet's is {DEFAULTS[name]}"
            )
    return int(n), float(k), float(alpha), float(beta)
