"""The functions between a net's layers by name, and the two that are not ReLU.

An activation is `forward(x) -> (out, cache)` and `backward(dout, cache) -> dx`, element by
element, for x of any shape; results come back in x's type, computed in float64 and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from normlab.layers.checks import check_upstream
from normlab.layers.relu import relu_backward, relu_forward
from normlab.typing import Array


@dataclass(frozen=True)
class Activation:
    """An activation as nets and specs look it up in `BY_NAME`."""

    name: str
    title: str
    forward: Callable[[Array], tuple[Array, Any]]
    backward: Callable[[Array, Any], Array]


def sigmoid_forward(x: Array) -> tuple[Array, Array]:
    """1 / (1 + exp(-x)). Returns out, and the slope, float64, as the cache.

    With e = exp(-|x|), which cannot overflow, it is 1 / (1 + e) for x >= 0 and e / (1 + e) below.

    >>> print(sigmoid_forward(np.array([-np.inf, 0.0, np.log(3)]))[0])
    [0.   0.5  0.75]
    """
    with np.errstate(under="ignore"):
        e = np.exp(-np.abs(np.asarray(x, dtype=np.float64)))
        out = np.where(np.signbit(x), e, 1.0) / (1 + e)
        slope = e / (1 + e) ** 2
    return out.astype(np.result_type(x, np.float16)), slope


# With s = 1 / (1 + exp(-x)), ds/dx = s (1 - s) = e / (1 + e)², the same for x and -x: written with
# e = exp(-|x|), it keeps its digits where s is nearly 1.
def sigmoid_backward(dout: Array, cache: Array) -> Array:
    """Gradient of sigmoid_forward. Raises ShapeError if dout does not have x's shape.

    >>> _, cache = sigmoid_forward(np.array([0.0, np.log(3)]))
    >>> print(sigmoid_backward(np.array([4.0, 16.0]), cache))
    [1. 3.]
    """
    return _times_slope("the sigmoid's backward pass", dout, cache)


def tanh_forward(x: Array) -> tuple[Array, Array]:
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)). Returns out, and the slope, float64, as the cache.

    >>> print(tanh_forward(np.array([-np.inf, 0.0, np.log(2)]))[0])
    [-1.   0.   0.6]
    """
    with np.errstate(over="ignore", under="ignore"):
        wide = np.asarray(x, dtype=np.float64)
        out, slope = np.tanh(wide), 1 / np.cosh(wide) ** 2
    return out.astype(np.result_type(x, np.float16)), slope


# d tanh(x)/dx = 1 - tanh² = 1 / cosh², whose digits are not lost where tanh is nearly 1.
def tanh_backward(dout: Array, cache: Array) -> Array:
    """Gradient of tanh_forward. Raises ShapeError if dout does not have x's shape.

    >>> _, cache = tanh_forward(np.array([0.0, np.log(2)]))
    >>> print(tanh_backward(np.array([1.0, 25.0]), cache))
    [ 1. 16.]
    """
    return _times_slope("tanh's backward pass", dout, cache)


def _times_slope(layer: str, dout: Array, slope: Array) -> Array:
    check_upstream(layer, dout, slope.shape)
    dout = np.asarray(dout)
    dx: Array = (dout * slope).astype(dout.dtype)
    return dx


BY_NAME = {
    activation.name: activation
    for activation in (
        Activation("relu", "ReLU", relu_forward, relu_backward),
        Activation("sigmoid", "sigmoid", sigmoid_forward, sigmoid_backward),
        Activation("tanh", "tanh", tanh_forward, tanh_backward),
    )
}
