"""The reference layers: every layer as a forward/backward pair, each formula beside its derivation.

Forward passes return `(out, cache)`; backward passes take `(dout, cache)` and return gradients in
the order of the forward pass's arguments. Batch is axis -2, features axis -1, and parameters enter
as `gamma[..., None, :]`, so the same text serves one net and a stack of nets.
"""

from normlab.layers.affine import AffineCache, affine_backward, affine_forward
from normlab.layers.batchnorm import (
    BatchNormCache,
    FrozenBatchNormCache,
    batchnorm_backward,
    batchnorm_backward_alt,
    batchnorm_forward,
)
from normlab.layers.convolution import ConvCache, conv_backward_naive, conv_forward_naive
from normlab.layers.dropout import DropoutCache, dropout_backward, dropout_forward
from normlab.layers.fast_convolution import (
    conv_backward_fast,
    conv_forward_fast,
    max_pool_backward_fast,
    max_pool_forward_fast,
)
from normlab.layers.groupnorm import (
    GroupNormCache,
    groupnorm_backward,
    groupnorm_forward,
    instancenorm_backward,
    instancenorm_forward,
)
from normlab.layers.layernorm import LayerNormCache, layernorm_backward, layernorm_forward
from normlab.layers.localresponse import (
    LocalResponseCache,
    localresponse_backward,
    localresponse_forward,
)
from normlab.layers.losses import nll_loss, softmax_loss, svm_loss
from normlab.layers.lpnorm import LpNormCache, lpnorm_backward, lpnorm_forward
from normlab.layers.meanvariance import (
    MeanVarianceCache,
    meanvariance_backward,
    meanvariance_forward,
)
from normlab.layers.pooling import MaxPoolCache, max_pool_backward_naive, max_pool_forward_naive
from normlab.layers.relu import relu_backward, relu_forward
from normlab.layers.rmsnorm import RMSNormCache, rmsnorm_backward, rmsnorm_forward
from normlab.layers.sandwich import (
    affine_relu_backward,
    affine_relu_forward,
    conv_bn_relu_backward,
    conv_bn_relu_forward,
    conv_relu_backward,
    conv_relu_forward,
    conv_relu_pool_backward,
    conv_relu_pool_forward,
)
from normlab.layers.spatial import (
    SpatialGroupNormCache,
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
    spatial_groupnorm_backward,
    spatial_groupnorm_forward,
)

__all__ = [
    "AffineCache",
    "BatchNormCache",
    "ConvCache",
    "DropoutCache",
    "FrozenBatchNormCache",
    "GroupNormCache",
    "LayerNormCache",
    "LocalResponseCache",
    "LpNormCache",
    "MaxPoolCache",
    "MeanVarianceCache",
    "RMSNormCache",
    "SpatialGroupNormCache",
    "affine_backward",
    "affine_forward",
    "affine_relu_backward",
    "affine_relu_forward",
    "batchnorm_backward",
    "batchnorm_backward_alt",
    "batchnorm_forward",
    "conv_backward_fast",
    "conv_backward_naive",
    "conv_bn_relu_backward",
    "conv_bn_relu_forward",
    "conv_forward_fast",
    "conv_forward_naive",
    "conv_relu_backward",
    "conv_relu_forward",
    "conv_relu_pool_backward",
    "conv_relu_pool_forward",
    "dropout_backward",
    "dropout_forward",
    "groupnorm_backward",
    "groupnorm_forward",
    "instancenorm_backward",
    "instancenorm_forward",
    "layernorm_backward",
    "layernorm_forward",
    "localresponse_backward",
    "localresponse_forward",
    "lpnorm_backward",
    "lpnorm_forward",
    "max_pool_backward_fast",
    "max_pool_backward_naive",
    "max_pool_forward_fast",
    "max_pool_forward_naive",
    "meanvariance_backward",
    "meanvariance_forward",
    "nll_loss",
    "relu_backward",
    "relu_forward",
    "rmsnorm_backward",
    "rmsnorm_forward",
    "softmax_loss",
    "spatial_batchnorm_backward",
    "spatial_batchnorm_forward",
    "spatial_groupnorm_backward",
    "spatial_groupnorm_forward",
    "svm_loss",
]
