"""Forwarding addresses of the assignment's nets, which live in `normlab.nets`.

`from cs682.classifiers.fc_net import *` also brings every layer, the joined layers and `np`: its
notebooks import nothing else and use them all.
"""

import numpy as np

from cs682 import layer_utils
from cs682.layer_utils import *
from normlab.nets import FullyConnectedNet, TwoLayerNet

__all__ = [*layer_utils.__all__, "FullyConnectedNet", "TwoLayerNet", "np"]
