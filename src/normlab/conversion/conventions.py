"""The conventions in which libraries differ, one function each.

| | here, the assignment | PyTorch | Keras | ONNX |
|---|---|---|---|---|
| a weight matrix | (in, out) | (out, in) | (in, out) | either, by transB |
| momentum weights | the old value | the new value | the old value | the old value |
| running variance | biased, divided by N | unbiased, divided by N - 1 | biased | biased |
| running statistics start at | 0 and 0 | 0 and 1 | 0 and 1 | – |
| running statistics are | float64 | the layer's type | the layer's type | the graph's type |
| eps by default | 1e-5 | 1e-5; RMSNorm the type's own | 1e-3; RMSNormalization 1e-6 | 1e-5 |
| dropout's number is | the chance to keep | to drop | to drop | to drop |

In eval mode every library computes gamma * (x - running_mean) / sqrt(running_var + eps) + beta,
with the running variance as it stands: so a conversion that must not change a net's outputs carries
that number over as it is. How it was collected matters only to what is added to it later;
`unbiased` is for who goes on training.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from normlab.errors import OptionError
from normlab.typing import Array


def complement(share: float) -> float:
    """1 - share, in decimals: a momentum of the old value as one of the new, a chance to keep as one to drop.

    >>> complement(0.9), 1 - 0.9, complement(complement(0.9))
    (0.1, 0.09999999999999998, 0.9)
    """
    return float(1 - Decimal(repr(float(share))))


def unbiased(running_var: Array, batch_size: int) -> Array:
    """A running variance of batches of N as PyTorch collects it: N / (N - 1) times the biased one.

    >>> unbiased(np.array([9.0]), 10)
    array([10.])
    """
    return np.asarray(running_var, np.float64) * (_checked(batch_size) / (batch_size - 1))


def biased(running_var: Array, batch_size: int) -> Array:
    """The opposite of `unbiased`: (N - 1) / N times PyTorch's running variance."""
    return np.asarray(running_var, np.float64) * ((_checked(batch_size) - 1) / batch_size)


def _checked(batch_size: int) -> int:
    if batch_size < 2:
        raise OptionError(
            f"the batch size {batch_size!r} is not above 1: a variance of one example is no "
            "variance"
        )
    return batch_size
