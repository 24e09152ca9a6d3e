"""The assignment's names that the checker knows, in the order in which they are judged."""

from __future__ import annotations

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
)
RULES = ("sgd", "sgd_momentum", "rmsprop", "adam")
NETS = ("TwoLayerNet", "FullyConnectedNet")
NAMES = LAYERS + RULES + NETS
