"""Names for the types that annotations share."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
"""Any NumPy array; the docstring gives its shape."""

Params: TypeAlias = dict[str, Array]
"""A net's parameters, or their gradients, by name: W1, b1, gamma1, beta1, W2, …"""

Generator: TypeAlias = np.random.RandomState
"""NumPy's legacy generator, whose streams are frozen for ever (NEP 19): old records stay reproducible."""
