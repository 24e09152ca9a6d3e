"""Arithmetic that rounds nothing: arrays of Python's whole numbers over one power of two.

Every float is a whole number times a power of two, so sums, differences and products of floats are
whole numbers again, and Python's have no limit. The one thing that cannot be had exactly is 1 /
sqrt(var + eps): it is rounded once, to more than BITS bits, which is the only error of a whole
reference built from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from normlab.typing import Array

BITS = 192  # of the one rounded number; what is measured against it has 53


@dataclass(frozen=True, slots=True)
class Exact:
    """An array of real numbers, integers * 2**exponent, without error.

    >>> third = Exact.of(np.array([0.1])) + Exact.of(np.array([1e300])) - Exact.of(np.array([1e300]))
    >>> float(third.integers[0]) * 2.0**third.exponent
    0.1
    """

    integers: Array  # of Python's int
    exponent: int

    @classmethod
    def of(cls, x: Array) -> Self:
        """The floats of x, all of them finite."""
        digits = np.finfo(x.dtype).nmant + 1
        mantissas, exponents = np.frexp(x)
        whole = np.ldexp(mantissas, digits).astype(np.int64)
        used = exponents[whole != 0]
        lowest = int(used.min()) if used.size else 0
        shifts = np.where(whole == 0, 0, exponents - lowest)
        return cls(whole.astype(object) << shifts.astype(object), lowest - digits)

    def __add__(self, other: Exact) -> Exact:
        a, b, exponent = _aligned(self, other)
        return Exact(a + b, exponent)

    def __sub__(self, other: Exact) -> Exact:
        a, b, exponent = _aligned(self, other)
        return Exact(a - b, exponent)

    def __mul__(self, other: Exact | int) -> Exact:
        if isinstance(other, int):
            return Exact(self.integers * other, self.exponent)
        return Exact(self.integers * other.integers, self.exponent + other.exponent)

    def __abs__(self) -> Exact:
        return Exact(np.abs(self.integers), self.exponent)

    def sum(self, axes: tuple[int, ...]) -> Exact:
        """The sum over some axes, which stay, of length 1."""
        return Exact(self.integers.sum(axis=axes, keepdims=True), self.exponent)

    def max(self, axes: tuple[int, ...]) -> Exact:
        """The largest over some axes, which stay, of length 1."""
        return Exact(np.maximum.reduce(self.integers, axis=axes, keepdims=True), self.exponent)

    def reshape(self, *shape: int) -> Exact:
        """The same numbers in another shape."""
        return Exact(self.integers.reshape(*shape), self.exponent)

    def reciprocal_root(self, numerator: int) -> Exact:
        """sqrt(numerator / self) to BITS bits or more; 0 where self is 0."""
        even, odd = self.exponent - self.exponent % 2, self.exponent % 2
        flat = [int(whole) << odd for whole in self.integers.flat]
        places = BITS + max(whole.bit_length() for whole in flat) // 2
        roots = [math.isqrt((numerator << 2 * places) // whole) if whole else 0 for whole in flat]
        integers = np.array([*roots, None], dtype=object)[
            :-1
        ]  # the None keeps NumPy from looking for a type of its own
        return Exact(integers.reshape(self.integers.shape), -places - even // 2)


def larger(a: Exact, b: Exact) -> Exact:
    """The larger of each two numbers."""
    left, right, exponent = _aligned(a, b)
    return Exact(np.maximum(left, right), exponent)


def ratios(a: Exact, b: Exact) -> list[float]:
    """a / b of each two numbers >= 0, correctly rounded; infinity where it is above 2**64."""
    left, right, _ = _aligned(a, b)
    pairs = zip(*(wide.flat for wide in np.broadcast_arrays(left, right)), strict=True)
    return [math.inf if p > q << 64 else p / q if p else 0.0 for p, q in pairs]


def _aligned(a: Exact, b: Exact) -> tuple[Array, Array, int]:
    """The integers of both over one power of two."""
    exponent = min(a.exponent, b.exponent)
    return a.integers << (a.exponent - exponent), b.integers << (b.exponent - exponent), exponent
