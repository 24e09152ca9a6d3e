"""The assignment's net of any depth: {affine, [norm], ReLU, [dropout]} × (L - 1), affine, softmax."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from normlab import randomness
from normlab.errors import ShapeError
from normlab.layers import (
    affine_backward,
    affine_forward,
    dropout_backward,
    dropout_forward,
    norms,
    relu_backward,
    relu_forward,
    softmax_loss,
)
from normlab.nets.regularization import l2_loss, regularized
from normlab.specs import check_net_options
from normlab.typing import Array, Generator, Params


class FullyConnectedNet:
    """A fully-connected net with optional normalization, dropout and L2 regularization, and softmax loss.

    Arguments: hidden_dims, the width of each hidden layer; input_dim; num_classes; dropout, the probability of
    *keeping* a unit, 1 for no dropout; normalization, None or one of `layers.norms.BY_NAME`,
    applied before each ReLU and never to the scores; reg, the weight of `0.5 * reg * sum(W * W)` in the loss;
    weight_scale, the standard deviation of the initial weights; dtype, of parameters and arithmetic; seed, which makes
    dropout deterministic, so that the net can be gradient-checked; num_groups, for 'groupnorm'; rng, the generator that
    draws W1, W2, … and dropout's masks, by default NumPy's global one.

    `params` holds W1, b1, gamma1, beta1, W2, …: with L layers, W1 to WL and b1 to bL, gamma and beta as the norm has
    them. `bn_params` holds a settings dictionary for each hidden layer, batch norm's running statistics among them.

    Parameters may carry a leading axis, (M, D, H) and (M, H): a stack of M nets. `loss` then takes X (M, N, D) and
    y (M, N) and gives M losses; each net's numbers are those it has alone.

    Raises OptionError for settings that make no net, naming the choices.

    >>> net = FullyConnectedNet([20, 30], input_dim=15, normalization="layernorm", rng=randomness.generator(231))
    >>> net.loss(np.ones((2, 15))).shape
    (2, 10)
    >>> FullyConnectedNet([20], normalization="batch")
    Traceback (most recent call last):
    ...
    normlab.errors.OptionError: normalization='batch' is not one of None, 'batchnorm', 'groupnorm', 'layernorm', \
'rmsnorm'; did you mean 'batchnorm'?
    """

    def __init__(
        self,
        hidden_dims: list[int] | tuple[int, ...],
        input_dim: int = 3072,
        num_classes: int = 10,
        dropout: float = 1,
        normalization: str | None = None,
        reg: float = 0.0,
        weight_scale: float = 1e-2,
        dtype: DTypeLike = np.float32,
        seed: int | None = None,
        *,
        num_groups: int | None = None,
        rng: Generator | None = None,
    ) -> None:
        check_net_options(hidden_dims, normalization, num_groups, dropout, reg)
        rng = rng or randomness.global_generator()
        self.input_dim, self.num_classes = input_dim, num_classes
        self.normalization, self.reg, self.dtype = normalization, reg, np.dtype(dtype)
        self.use_dropout = dropout != 1
        self.num_layers = 1 + len(hidden_dims)
        self.norm = norms.BY_NAME[normalization] if normalization is not None else None

        self.params: Params = {}
        dims = [input_dim, *hidden_dims, num_classes]
        for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(dims), start=1):
            self.params[f"W{layer}"] = randomness.initial_weights(rng, fan_in, fan_out, weight_scale)
            self.params[f"b{layer}"] = np.zeros(fan_out)
            if self.norm and layer < self.num_layers:
                for parameter in self.norm.parameters:
                    start = np.full(parameter.size(fan_out), parameter.start)
                    self.params[f"{parameter.name}{layer}"] = start
        self.params = {name: value.astype(self.dtype) for name, value in self.params.items()}

        self.dropout_param: dict[str, Any] = {}
        if self.use_dropout:
            self.dropout_param = {"mode": "train", "p": dropout, "rng": rng}
            if seed is not None:  # the door reseeds and draws from NumPy's global generator
                self.dropout_param = {"mode": "train", "p": dropout, "seed": seed}
        self.bn_params: list[dict[str, Any]] = []
        if self.norm:
            settings = {"mode": "train"} | ({"num_groups": num_groups} if num_groups is not None else {})
            self.bn_params = [dict(settings) for _ in hidden_dims]

    def loss(self, X: Array, y: Array | None = None) -> Any:
        """Without labels, the scores of X in test mode; with labels, the loss and the gradients in train mode.

        Arguments: X (N, d_1, …, d_k) with d_1 · … · d_k = input_dim; y (N,), labels from 0 to num_classes - 1.
        Returns: scores (N, C); or the loss, a number, and a dictionary of gradients with the keys of `params`.
        Raises ShapeError for inputs that do not fit. In train mode batch norm's running statistics move on.
        """
        mode = "test" if y is None else "train"
        for param in (self.dropout_param, *self.bn_params):
            param["mode"] = mode
        scores, caches = self._forward(self._rows(X))
        if y is None:
            return scores
        data_loss, dscores = softmax_loss(scores, y)
        grads = self._backward(dscores, caches)
        return data_loss + l2_loss(self.params, self.reg), regularized(grads, self.params, self.reg)

    def _forward(self, h: Array) -> tuple[Array, list[tuple[Any, ...]]]:
        """Scores, and for each layer the caches that its backward pass needs."""
        caches: list[tuple[Any, ...]] = []
        for layer in range(1, self.num_layers):
            h, affine_cache = affine_forward(h, self.params[f"W{layer}"], self.params[f"b{layer}"])
            norm_cache = dropout_cache = None
            if self.norm:
                parameters = [self.params[f"{name}{layer}"] for name in self.norm.parameter_names]
                h, norm_cache = self.norm.forward(h, *parameters, self.bn_params[layer - 1])
            h, relu_cache = relu_forward(h)
            if self.use_dropout:
                h, dropout_cache = dropout_forward(h, self.dropout_param)
            caches.append((affine_cache, norm_cache, relu_cache, dropout_cache))
        scores, affine_cache = affine_forward(h, self.params[f"W{self.num_layers}"], self.params[f"b{self.num_layers}"])
        return scores, [*caches, (affine_cache,)]

    def _backward(self, dscores: Array, caches: list[tuple[Any, ...]]) -> Params:
        """Gradients of the data loss by every parameter, last layer first."""
        grads: Params = {}
        last = self.num_layers
        dh, grads[f"W{last}"], grads[f"b{last}"] = affine_backward(dscores, caches[-1][0])
        for layer in range(last - 1, 0, -1):
            affine_cache, norm_cache, relu_cache, dropout_cache = caches[layer - 1]
            if self.use_dropout:
                dh = dropout_backward(dh, dropout_cache)
            dh = relu_backward(dh, relu_cache)
            if self.norm:
                dh, *dparameters = self.norm.backward(dh, norm_cache)
                for name, gradient in zip(self.norm.parameter_names, dparameters, strict=True):
                    grads[f"{name}{layer}"] = gradient
            dh, grads[f"W{layer}"], grads[f"b{layer}"] = affine_backward(dh, affine_cache)
        return grads

    def _rows(self, X: Array) -> Array:
        """X in the net's dtype, an example a row."""
        stacked = self.params["W1"].ndim > 2
        X = np.asarray(X, dtype=self.dtype)
        rows = X if stacked else X.reshape(X.shape[0] if X.ndim else 1, -1)
        if rows.shape[-1] != self.input_dim:
            raise ShapeError(
                f"the net takes {self.input_dim} values an example, and X of shape {X.shape} has {rows.shape[-1]}; "
                f"build the net with input_dim={rows.shape[-1]}, or give it the data it was built for"
            )
        return rows
