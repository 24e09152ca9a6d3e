"""The assignment's first net: affine, ReLU, affine, softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from normlab import randomness
from normlab.arguments import explained
from normlab.layers import (
    affine_backward,
    affine_forward,
    affine_relu_backward,
    affine_relu_forward,
    softmax_loss,
)
from normlab.nets.regularization import l2_loss, regularized
from normlab.typing import Array, Generator, Params


class TwoLayerNet:
    """A net with one hidden layer: scores = max(0, X W1 + b1) W2 + b2, with softmax loss and L2 regularization.

    Arguments: input_dim D, hidden_dim H, num_classes C; weight_scale, the standard deviation of the
    initial weights; reg, the weight of `0.5 * reg * sum(W * W)` in the loss; rng, the generator
    that draws W1, then W2, by default NumPy's global one. `params` holds W1 (D, H), b1 (H,), W2 (H,
    C), b2 (C,), in float64.

    >>> net = TwoLayerNet(input_dim=4, hidden_dim=3, num_classes=2, rng=randomness.generator(0))
    >>> loss, grads = net.loss(np.ones((5, 4)), np.array([0, 1, 0, 1, 0]))
    >>> round(float(loss), 3), sorted(grads)
    (0.693, ['W1', 'W2', 'b1', 'b2'])
    """

    @explained
    def __init__(
        self,
        input_dim: int = 3072,
        hidden_dim: int = 100,
        num_classes: int = 10,
        weight_scale: float = 1e-3,
        reg: float = 0.0,
        *,
        rng: Generator | None = None,
    ) -> None:
        rng = randomness.checked_generator(rng)
        self.input_dim, self.num_classes, self.reg = input_dim, num_classes, reg
        self.params: Params = {
            "W1": randomness.initial_weights(rng, input_dim, hidden_dim, weight_scale),
            "b1": np.zeros(hidden_dim),
            "W2": randomness.initial_weights(rng, hidden_dim, num_classes, weight_scale),
            "b2": np.zeros(num_classes),
        }

    def loss(self, X: Array, y: Array | None = None) -> Any:
        """Without labels, the scores (N, C) of X (N, d_1, …, d_k); with labels y (N,), the loss and the gradients."""
        W1, b1, W2, b2 = (self.params[name] for name in ("W1", "b1", "W2", "b2"))
        hidden, hidden_cache = affine_relu_forward(X, W1, b1)
        scores, scores_cache = affine_forward(hidden, W2, b2)
        if y is None:
            return scores

        data_loss, dscores = softmax_loss(scores, y)
        grads: Params = {}
        dhidden, grads["W2"], grads["b2"] = affine_backward(dscores, scores_cache)
        _, grads["W1"], grads["b1"] = affine_relu_backward(dhidden, hidden_cache)
        return data_loss + l2_loss(self.params, self.reg), regularized(grads, self.params, self.reg)
