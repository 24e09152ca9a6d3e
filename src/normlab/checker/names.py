"""The assignment's names that the checker knows, in the order in which they are judged."""

from __future__ import annotations

import difflib
import re

LAYERS = (
    "affine_forward",
    "affine_backward",
    "relu_forward",
    "relu_backward",
    "affine_relu_forward",
    "affine_relu_backward",
    "softmax_loss",
    "svm_loss",
    "batchnorm_forward",
    "batchnorm_backward",
    "batchnorm_backward_alt",
    "layernorm_forward",
    "layernorm_backward",
    "dropout_forward",
    "dropout_backward",
    "spatial_batchnorm_forward",
    "spatial_batchnorm_backward",
    "spatial_groupnorm_forward",
    "spatial_groupnorm_backward",
    "max_pool_forward_naive",
    "max_pool_backward_naive",
    "conv_forward_naive",
    "conv_backward_naive",
    "conv_relu_forward",
    "conv_relu_backward",
    "conv_relu_pool_forward",
    "conv_relu_pool_backward",
    "conv_bn_relu_forward",
    "conv_bn_relu_backward",
)
RULES = ("sgd", "sgd_momentum", "rmsprop", "adam")
NETS = ("TwoLayerNet", "FullyConnectedNet", "ThreeLayerConvNet")
NAMES = LAYERS + RULES + NETS


def not_known(name: str) -> str:
    """Why a function of this name is not judged, with the name that it may be meant to have.

    >>> not_known("batchnorm_forwrd")
    'not known; did you mean batchnorm_forward?'
    """
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    names = {known.lower(): known for known in NAMES}
    near = difflib.get_close_matches(plain, names, n=1, cutoff=0.8)
    near = near or [known for known in names if known.replace("_", "") == plain.replace("_", "")]
    return f"not known; did you mean {names[near[0]]}?" if near else "not known"
