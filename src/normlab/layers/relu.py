"""The rectified linear unit, y = max(0, x).

Nair and Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines", ICML 2010.
"""

from __future__ import annotations

import numpy as np

from normlab.arguments import explained
from normlab.layers.checks import check_upstream
from normlab.typing import Array


@explained
def relu_forward(x: Array) -> tuple[Array, Array]:
    """max(0, x), element by element, for x of any shape. Returns out, and x itself as the cache.

    >>> out, cache = relu_forward(np.array([-1.0, 0.0, 2.0]))
    >>> print(out)
    [0. 0. 2.]
    """
    return np.maximum(0, x), x


# The derivative is 1 where x > 0 and 0 where x < 0; at 0 any value between is a subgradient, and 0
# is the choice.
@explained
def relu_backward(dout: Array, cache: Array) -> Array:
    """Gradient of relu_forward: dout where x > 0, else 0. Raises ShapeError if dout does not have x's shape.

    >>> print(relu_backward(np.array([5.0, 5.0, 5.0]), np.array([-1.0, 0.0, 2.0])))
    [0. 0. 5.]
    """
    check_upstream("ReLU's backward pass", dout, np.shape(cache))
    # chosen, not multiplied: an infinite dout times 0 would be NaN
    return np.where(cache > 0, dout, np.zeros_like(dout))
