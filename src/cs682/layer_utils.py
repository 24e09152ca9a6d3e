"""Forwarding addresses of the assignment's layers and of those it joins to one, which live in `normlab.layers`."""

from cs682 import layers
from cs682.layers import *
from normlab.layers import affine_relu_backward, affine_relu_forward

__all__ = [*layers.__all__, "affine_relu_backward", "affine_relu_forward"]
