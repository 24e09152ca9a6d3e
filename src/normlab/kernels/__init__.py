"""Fused norm kernels: batch norm and layer norm, forward and backward, as fast as memory allows.

The signatures are those of `normlab.layers`, and so are the promises of accuracy: float64
statistics, measured from the mean, a constant input exactly beta; the same bits for any number of
threads. They need Numba and are compiled on first use, once a machine.
"""

from normlab.kernels.batchnorm import FusedBatchNormCache, batchnorm_backward, batchnorm_forward
from normlab.kernels.layernorm import FusedLayerNormCache, layernorm_backward, layernorm_forward

__all__ = [
    "FusedBatchNormCache",
    "FusedLayerNormCache",
    "batchnorm_backward",
    "batchnorm_forward",
    "layernorm_backward",
    "layernorm_forward",
]
