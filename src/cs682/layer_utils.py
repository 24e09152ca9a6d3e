"""Forwarding addresses of the assignment's layers and of those it joins to one, which live in `normlab.layers`."""

from cs682 import fast_layers, layers
from cs682.fast_layers import *
from cs682.layers import *
from normlab.layers import (
    affine_relu_backward,
    affine_relu_forward,
    conv_bn_relu_backward,
    conv_bn_relu_forward,
    conv_relu_backward,
    conv_relu_forward,
    conv_relu_pool_backward,
    conv_relu_pool_forward,
)

__all__ = [
    *layers.__all__,
    *fast_layers.__all__,
    "affine_relu_backward",
    "affine_relu_forward",
    "conv_bn_relu_backward",
    "conv_bn_relu_forward",
    "conv_relu_backward",
    "conv_relu_forward",
    "conv_relu_pool_backward",
    "conv_relu_pool_forward",
]
