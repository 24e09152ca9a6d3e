"""Forwarding addresses of the assignment's convolutional net, which lives in `normlab.nets`.

A star import also brings the layers and helpers, as the assignment's notebooks rely on.
"""

import numpy as np

from cs682 import layer_utils
from cs682.layer_utils import *
from normlab.nets import ThreeLayerConvNet

__all__ = [*layer_utils.__all__, "ThreeLayerConvNet", "np"]
