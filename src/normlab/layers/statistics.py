"""Mean, variance and sums that can be trusted: the same bits in any order, no digits lost, no overflow.

Three ideas carry every normalization layer here.

*Sums without an order.* Floating-point addition is not associative, so a plain sum depends on the
order of its terms, and with it on memory layout and on how a batch was shuffled. Adding and
subtracting a large constant cuts each term to a multiple of one common unit, coarse enough that the
sum of all of them is exact and fine enough that a second cut of the remainders leaves nothing that
matters (Rump, Ogita and Oishi, "Accurate floating-point summation I", 2008; Demmel and Nguyen,
"Parallel reproducible summation", 2015).

*Centre twice.* `E[x²] - E[x]²` loses all digits when the mean is large against the spread.
Subtracting the mid-range is exact there, keeps a constant input exactly 0, and leaves a remainder
whose own mean is small.

*Scale by a power of two.* Multiplying by a power of two rounds nothing, so squares can neither
overflow nor underflow, and inputs that differ by a power of two give the same bits.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from normlab.typing import Array

LARGEST_POWER = 1020  # 2**1023 is the last that float64 holds
# Deviations are scaled by no more than this: enough for the square of the smallest number there is,
# and little enough that gradients, which are divided by eps and multiplied by the scale, stay
# within float64 between the two.
LARGEST_POWER_OF_DEVIATIONS = 600


class Moments(NamedTuple):
    """An input centred, scaled and measured along an axis. All float64; statistics keep the axis, length 1."""

    u: Array  # (x - mean) * scale, x's shape, every |u| <= 2, and the largest about 1 unless x is below 1e-181
    v: Array  # mean(u²)
    scale: Array  # a power of two
    mean: Array
    var: Array  # v / scale²; infinite where it overflows


def order_free_sum(x: Array, axis: int | tuple[int, ...], keepdims: bool = False) -> Array:
    """Sum of float64 `x` over `axis`: the same bits for every order of the terms.

    With n terms, 2**(L-1) < n <= 2**L, the error is below n * 2**(2L - 105) of the largest term,
    before the one rounding of the result: 2**-75 for a thousand terms, 2**-54 for a hundred
    thousand, 2**-45 for a million. NaN or infinity among the terms give NaN.

    >>> x = np.array([1e16, 1.0, -1e16, 1.0])
    >>> float(x.sum()), float(order_free_sum(x, 0))
    (1.0, 2.0)
    """
    with np.errstate(invalid="ignore", over="ignore"):
        largest = np.maximum.reduce(np.abs(x), axis=axis, keepdims=True)
        total = _sum_in_two_cuts(x, axis, np.frexp(largest)[1])
    return total if keepdims else total.squeeze(axis)


def _sum_in_two_cuts(x: Array, axis: int | tuple[int, ...], exponent: Array | int) -> Array:
    """Sum of x over `axis`, which stays as length 1; every |x| <= 2**exponent."""
    length = max(1, (_count(x, axis) - 1).bit_length())  # log2 of the number of terms
    # x + cutter lies within one binade, whose unit is 2**(exponent + length - 52): a sum of all
    # terms, each a multiple of that unit, needs at most 53 bits
    cutter = np.ldexp(1.5, exponent + length)
    cut = x + cutter
    cut -= cutter
    rest = x - cut  # exact, at most half a unit
    cutter = np.ldexp(1.5, exponent + 2 * length - 53)
    rest += cutter
    rest -= cutter
    total: Array = np.add.reduce(cut, axis=axis, keepdims=True)
    total += np.add.reduce(rest, axis=axis, keepdims=True)
    return total


def order_free_mean(x: Array, axis: int | tuple[int, ...]) -> Array:
    """Mean of float64 `x` over `axis`, which stays as length 1: the same bits for every order of the terms."""
    return order_free_sum(x, axis, keepdims=True) / _count(x, axis)


def centred_moments(x: Array, axis: int | tuple[int, ...]) -> Moments:
    """Centre, scale and measure `x` along `axis`. NaN or infinity turn their own slice into NaN.

    >>> m = centred_moments(np.array([1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3]), 0)
    >>> float(m.mean[0]), float(m.var[0])
    (1000000001.5, 1.25)
    """
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        low = np.minimum.reduce(x, axis=axis, keepdims=True)
        high = np.maximum.reduce(x, axis=axis, keepdims=True)
        middle = 0.5 * low + 0.5 * high  # halves first: the sum cannot overflow
        u = x - middle
        largest = np.maximum(high - middle, middle - low)
        scale = power_of_two_above(largest, LARGEST_POWER_OF_DEVIATIONS)
        u *= scale  # now every |u| <= 1, and the largest at least 1/2 unless it was tiny
        exponent = np.frexp(largest * scale)[1]
        shift = _sum_in_two_cuts(u, axis, exponent) / _count(x, axis)
        u -= shift
        v = _sum_in_two_cuts(u * u, axis, 2 * exponent + 2) / _count(x, axis)
        return Moments(u, v, scale, middle + shift / scale, v / scale / scale)


def power_of_two_above(largest: Array, most: int = LARGEST_POWER) -> Array:
    """The power of two, at most 2**most, that brings values up to `largest` into [-1, 1]; 1 for NaN and infinity."""
    exponent = np.where(np.isfinite(largest), np.frexp(largest)[1], 0)
    return np.ldexp(1.0, -np.maximum(exponent, -most))


def scaled_std(v: Array, scale: Array, eps: float) -> Array:
    """`d = sqrt(var + eps) * scale = sqrt(v + eps * scale²)`, by way of hypot, which cannot overflow.

    It is infinite where it would be 0 (a constant input and eps = 0), so that dividing by it gives
    0.
    """
    d = np.hypot(np.sqrt(v), math.sqrt(eps) * scale)
    return np.where(d == 0, np.inf, d)


def standardize_backward(
    dxhat: Array, xhat: Array, rstd: Array, axis: int | tuple[int, ...]
) -> Array:
    """Gradient of `xhat = (x - mean) / sqrt(var + eps)` along `axis`, with rstd = 1 / sqrt(var + eps).

    With K terms along the axis, dxhat_i/dx_j = rstd * (δ_ij - 1/K - xhat_i xhat_j / K), hence

        dx = rstd * (g - xhat * mean(g * xhat))      with g = dxhat - mean(dxhat)

    The derivation has mean(dxhat * xhat), which is the same because mean(xhat) = 0, but for
    rounding: what that leaves of mean(xhat) is not multiplied by a mean of dxhat that may be large.
    """
    g = dxhat - order_free_mean(dxhat, axis)
    dx: Array = rstd * (g - xhat * order_free_mean(g * xhat, axis))
    return dx


def _count(x: Array, axis: int | tuple[int, ...]) -> int:
    axes = (axis,) if isinstance(axis, int) else axis
    return math.prod(x.shape[a] for a in axes)
