"""exp, log, tanh, erf and the logistic function of the compiled engine, sixteen float64 numbers at a time.

The system's mathematical library rounds differently from one machine to the next. These are
polynomials, whose terms are added in one order by fused multiply-adds, so that every machine has
the same bits. Their relative errors, in units of float64's last place, are below 2 (exp, log) and 4
(tanh, erf, logistic): what is then rounded to float32 is off by at most 0.5000001 of its last
place.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from normlab.lanes import (
    Lanes,
    at_most,
    exponent,
    mantissa,
    multiply_add,
    power_of_two,
    size_of,
    spread,
    where_above,
)

_LOG2E = 1 / math.log(2)
# log 2 as the sum of two numbers, the first of so few bits that its product with any exponent is
# exact
_LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
_WHOLE = 1.5 * 2.0**52  # added and taken off again, it rounds to a whole number

# expm1(r) / r = Σ r^k / (k + 1)!, highest power first; |r| <= log(2) / 2
_EXPM1 = np.array([1 / math.factorial(k + 1) for k in range(13, -1, -1)])
# atanh(s) / s = Σ s^2k / (2k + 1); |s| <= 0.1716
_ATANH = np.array([1 / (2 * k + 1) for k in range(10, -1, -1)])
# erf(x) / x = 2 / sqrt(pi) * Σ (-x²)^k / (k! (2k + 1)); |x| <= 1
_ERF = np.array(
    [
        (-1) ** k * 2 / math.sqrt(math.pi) / (math.factorial(k) * (2 * k + 1))
        for k in range(18, -1, -1)
    ]
)
# erfc(x) exp(x²) where 1 <= x <= 6, in powers of (48 / (2 + x) - 11) / 5: interpolated at
# Chebyshev's nodes in 60 digits; relative error 1e-15
_ERFC = np.array([
    1.8620989806815163e-11, -7.290508535165398e-11, -2.634243021000669e-10, 2.622350032514279e-09,
    -5.926361315281833e-10, -7.005170205475373e-08, 1.6350102372087984e-07, 1.979561158209264e-06,
    -7.340518284999869e-06, -8.079220411804128e-05, 0.00019713917776008889, 0.0055888162818258785,
    0.038560570425181566, 0.16189356804102537, 0.2214295402299318,
])  # fmt: skip


@njit(error_model="numpy", _nrt=False)
def _polynomial(x: Lanes, coefficients: np.ndarray) -> Lanes:
    """Σ c_k x^k by Horner's rule, the highest power first."""
    value = spread(coefficients[0])
    for k in range(1, len(coefficients)):
        value = multiply_add(value, x, spread(coefficients[k]))
    return value


@njit(error_model="numpy", _nrt=False)
def _whole_powers(x: Lanes) -> Lanes:
    """The whole number k of exp(x) = 2^k exp(r), |r| <= log(2) / 2."""
    return (x * spread(_LOG2E) + spread(_WHOLE)) - spread(_WHOLE)


@njit(error_model="numpy", _nrt=False)
def _rest(x: Lanes, k: Lanes) -> Lanes:
    """r = x - k log 2."""
    return multiply_add(k, spread(-_LN2_LOW), multiply_add(k, spread(-_LN2_HIGH), x))


@njit(error_model="numpy", _nrt=False)
def exp(x: Lanes) -> Lanes:
    """e to the power of each lane; NaN stays."""
    x = at_most(x, spread(710.0))
    x = where_above(spread(-750.0), x, spread(-750.0), x)
    k = _whole_powers(x)
    r = _rest(x, k)
    power = multiply_add(r, _polynomial(r, _EXPM1), spread(1.0))
    # in two steps, because 2^k alone may be beyond float64's range where the result is not
    half = (k * spread(0.5) + spread(_WHOLE)) - spread(_WHOLE)
    return power * power_of_two(half) * power_of_two(k - half)


@njit(error_model="numpy", _nrt=False)
def log(x: Lanes) -> Lanes:
    """The natural logarithm of each lane, of positive numbers; NaN and infinity stay."""
    e, m = exponent(x), mantissa(x)
    large = spread(math.sqrt(2))
    e = where_above(m, large, e + spread(1.0), e)
    m = where_above(m, large, m * spread(0.5), m)
    s = (m - spread(1.0)) / (m + spread(1.0))
    twice = s + s
    tail = twice * (s * s) * _polynomial(s * s, _ATANH[:-1])
    value = multiply_add(e, spread(_LN2_HIGH), twice + multiply_add(e, spread(_LN2_LOW), tail))
    # an infinite or missing number has no exponent of its own
    return where_above(spread(math.inf), x, value, x)


@njit(error_model="numpy", _nrt=False)
def tanh(x: Lanes) -> Lanes:
    """tanh of each lane: E / (E + 2) with E = exp(2 |x|) - 1, which loses no digits near 0."""
    y = at_most(size_of(x), spread(20.0))
    y = y + y
    k = _whole_powers(y)
    r = _rest(y, k)
    power = power_of_two(k)
    grown = multiply_add(power, r * _polynomial(r, _EXPM1), power - spread(1.0))
    value = grown / (grown + spread(2.0))
    return where_above(spread(0.0), x, spread(0.0) - value, value)


@njit(error_model="numpy", _nrt=False)
def erf(x: Lanes) -> Lanes:
    """The error function of each lane; NaN stays."""
    y = at_most(size_of(x), spread(6.0))
    near = y * _polynomial(y * y, _ERF)
    u = (spread(48.0) / (spread(2.0) + y) - spread(11.0)) / spread(5.0)
    far = spread(1.0) - exp(spread(0.0) - y * y) * _polynomial(u, _ERFC)
    value = where_above(y, spread(1.0), far, near)
    return where_above(spread(0.0), x, spread(0.0) - value, value)


@njit(error_model="numpy", _nrt=False)
def logistic(x: Lanes) -> Lanes:
    """1 / (1 + exp(-x)) of each lane; NaN stays."""
    return spread(1.0) / (spread(1.0) + exp(spread(0.0) - x))
