"""The assignment's convolutional net: convolution, ReLU, 2 x 2 max pool, affine, ReLU, affine, softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from normlab import randomness
from normlab.errors import ShapeError
from normlab.layers import (
    affine_backward,
    affine_forward,
    affine_relu_backward,
    affine_relu_forward,
    conv_relu_pool_backward,
    conv_relu_pool_forward,
    softmax_loss,
)
from normlab.nets.regularization import l2_loss, regularized
from normlab.typing import Array, Generator, Params

POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}


class ThreeLayerConvNet:
    """conv - relu - 2x2 max pool - affine - relu - affine - softmax, with L2 regularization.

    Arguments: input_dim (C, H, W) of an image, H and W even; num_filters F of filter_size by
    filter_size pixels, an odd number, padded so that images keep their size; hidden_dim,
    num_classes; weight_scale, the standard deviation of the initial weights; reg, the weight of
    `0.5 * reg * sum(W * W)` in the loss; dtype; rng, the generator that draws W1, W2 and W3, by
    default NumPy's global one.

    `params` holds W1 (F, C, filter_size, filter_size), b1 (F,), W2 (F · H/2 · W/2, hidden_dim), b2,
    W3 (hidden_dim, num_classes), b3.

    >>> net = ThreeLayerConvNet((1, 4, 4), num_filters=2, filter_size=3, rng=randomness.generator(0))
    >>> loss, grads = net.loss(np.ones((5, 1, 4, 4)), np.array([0, 1, 0, 1, 0]))
    >>> round(float(loss), 3), grads["W1"].shape
    (2.303, (2, 1, 3, 3))
    """

    def __init__(
        self,
        input_dim: tuple[int, int, int] = (3, 32, 32),
        num_filters: int = 32,
        filter_size: int = 7,
        hidden_dim: int = 100,
        num_classes: int = 10,
        weight_scale: float = 1e-3,
        reg: float = 0.0,
        dtype: DTypeLike = np.float32,
        *,
        rng: Generator | None = None,
    ) -> None:
        rng = randomness.checked_generator(rng)
        C, H, W = input_dim
        if H % 2 or W % 2 or filter_size % 2 == 0:
            raise ShapeError(
                f"ThreeLayerConvNet got input_dim={input_dim} and filter_size={filter_size}; "
                "expected images of even height and width, which the 2 x 2 pool halves, and an "
                "odd filter size, which keeps them"
            )
        self.input_dim, self.num_classes, self.reg = input_dim, num_classes, reg
        self.dtype = np.dtype(dtype)
        self.conv_param = {"stride": 1, "pad": (filter_size - 1) // 2}
        pooled = num_filters * (H // 2) * (W // 2)
        filters = (num_filters, C, filter_size, filter_size)
        self.params: Params = {
            "W1": randomness.initial_filters(rng, filters, weight_scale),
            "b1": np.zeros(num_filters),
            "W2": randomness.initial_weights(rng, pooled, hidden_dim, weight_scale),
            "b2": np.zeros(hidden_dim),
            "W3": randomness.initial_weights(rng, hidden_dim, num_classes, weight_scale),
            "b3": np.zeros(num_classes),
        }
        self.params = {name: value.astype(self.dtype) for name, value in self.params.items()}

    def loss(self, X: Array, y: Array | None = None) -> Any:
        """Without labels, the scores (N, num_classes) of images X (N, C, H, W); with labels y (N,), the loss and a
        dictionary of gradients with the keys of `params`. Raises ShapeError for images that do not fit."""
        W1, b1, W2, b2, W3, b3 = (
            self.params[name] for name in ("W1", "b1", "W2", "b2", "W3", "b3")
        )
        X = np.asarray(X).astype(W1.dtype, copy=False)
        if X.shape[1:] != tuple(self.input_dim):
            raise ShapeError(
                f"the net takes images of shape {tuple(self.input_dim)}, and X is {X.shape}; build "
                f"the net with input_dim={X.shape[1:]}, or give it the images it was built for"
            )
        pooled, conv_cache = conv_relu_pool_forward(X, W1, b1, self.conv_param, POOL)
        hidden, hidden_cache = affine_relu_forward(pooled, W2, b2)
        scores, scores_cache = affine_forward(hidden, W3, b3)
        if y is None:
            return scores

        data_loss, dscores = softmax_loss(scores, y)
        grads: Params = {}
        dhidden, grads["W3"], grads["b3"] = affine_backward(dscores, scores_cache)
        dpooled, grads["W2"], grads["b2"] = affine_relu_backward(dhidden, hidden_cache)
        _, grads["W1"], grads["b1"] = conv_relu_pool_backward(dpooled, conv_cache, with_dx=False)
        return data_loss + l2_loss(self.params, self.reg), regularized(grads, self.params, self.reg)
