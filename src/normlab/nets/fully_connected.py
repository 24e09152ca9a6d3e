"""The assignment's net of any depth: {affine, [norm], ReLU, [dropout]} ..., affine, softmax."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from normlab import randomness, starts
from normlab.arguments import explained
from normlab.errors import ShapeError
from normlab.layers import (
    activations,
    affine_backward,
    affine_forward,
    dropout_backward,
    dropout_forward,
    norms,
    softmax_loss,
)
from normlab.layers.checks import EPS
from normlab.layers.noise import noise_forward
from normlab.layers.norm_record import MOMENTUM
from normlab.nets.regularization import l2_loss, regularized
from normlab.specs import check_net_options
from normlab.typing import Array, Generator, Params


class FullyConnectedNet:
    """A fully-connected net with optional normalization, dropout and L2 regularization, and softmax
    loss.

    Arguments: hidden_dims, the width of each hidden layer; input_dim; num_classes; dropout, the
    probability of *keeping* a unit, 1 for no dropout; normalization, None or one of
    `layers.norms.BY_NAME`, applied before each ReLU and never to the scores; reg, the weight of
    `0.5 * reg * sum(W * W)` in the loss; weight_scale, the standard deviation of the initial
    weights; dtype, of parameters and arithmetic; seed, which makes dropout and noise deterministic,
    so that the net can be gradient-checked; num_groups, for 'groupnorm'; rng, the generator that
    draws W1, W2, …, noise and dropout's masks, by default NumPy's global one.

    Beyond the assignment: eps and norm_momentum of every norm; activation, one of
    `layers.activations.BY_NAME`; start, one of `starts.BY_NAME`, of which 'scale' is the
    assignment's; residual, 'pre-norm' or 'post-norm', for hidden layers of one width; ghost_batch,
    of how many examples batch norm takes statistics together; statistics, 'population' for batch
    norm by its running statistics in training too; norm_noise, the standard deviation of noise
    added after each norm in training.

    `params` holds W1, b1, gamma1, beta1, W2, …: with L layers, W1 to WL and b1 to bL, gamma and
    beta as the norm has them. `bn_params` holds a settings dictionary for each hidden layer, batch
    norm's running statistics among them.

    Parameters may carry a leading axis, (M, D, H) and (M, H): a stack of M nets. `loss` then takes
    X (M, N, D) and y (M, N) and gives M losses; each net's numbers are those it has alone.

    Raises OptionError for settings that make no net, naming the choices.

    >>> rng = randomness.generator(231)
    >>> net = FullyConnectedNet([20, 30], input_dim=15, normalization="layernorm", rng=rng)
    >>> net.loss(np.ones((2, 15))).shape
    (2, 10)
    >>> FullyConnectedNet([20], residual="prenorm")
    Traceback (most recent call last):
    ...
    normlab.errors.OptionError: residual='prenorm' is not one of None, 'pre-norm', 'post-norm'; \
did you mean 'pre-norm'?
    """

    @explained
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
        eps: float = EPS,
        activation: str = "relu",
        start: str = "scale",
        residual: str | None = None,
        ghost_batch: int | None = None,
        statistics: str = "batch",
        norm_noise: float = 0.0,
        norm_momentum: float = MOMENTUM,
    ) -> None:
        check_net_options(
            hidden_dims, normalization, num_groups, dropout, reg, eps=eps, activation=activation,
            start=start, residual=residual, ghost_batch=ghost_batch, statistics=statistics,
            norm_noise=norm_noise, norm_momentum=norm_momentum,
        )  # fmt: skip
        rng = randomness.checked_generator(rng)
        self.input_dim, self.num_classes = input_dim, num_classes
        self.normalization, self.reg, self.dtype = normalization, reg, np.dtype(dtype)
        self.use_dropout = dropout != 1
        self.num_layers = 1 + len(hidden_dims)
        self.norm = norms.BY_NAME[normalization] if normalization is not None else None
        self.activation, self.residual = activation, residual

        self.params: Params = {}
        dims = [input_dim, *hidden_dims, num_classes]
        stds = starts.stds(start, dims, weight_scale)
        for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(dims), start=1):
            std = stds[layer - 1]
            self.params[f"W{layer}"] = randomness.initial_weights(rng, fan_in, fan_out, std)
            self.params[f"b{layer}"] = np.zeros(fan_out)
            if self.norm and layer < self.num_layers:
                for parameter in self.norm.parameters:
                    values = np.full(parameter.size(fan_out), parameter.start)
                    self.params[f"{parameter.name}{layer}"] = values
        self.params = {name: value.astype(self.dtype) for name, value in self.params.items()}

        self.dropout_param: dict[str, Any] = {}
        if self.use_dropout:
            self.dropout_param = {"mode": "train", "p": dropout, "rng": rng}
            if seed is not None:  # the door reseeds and draws from NumPy's global generator
                self.dropout_param = {"mode": "train", "p": dropout, "seed": seed}
        self.noise_param: dict[str, Any] = {}
        if norm_noise:
            self.noise_param = {"mode": "train", "std": norm_noise, "rng": rng, "seed": seed}
        self.bn_params: list[dict[str, Any]] = []
        if self.norm:
            # a layer is told only what differs from its own defaults: notebooks look in here
            settings: dict[str, tuple[Any, Any]] = {
                "num_groups": (num_groups, None),
                "eps": (eps, EPS),
                "momentum": (norm_momentum, MOMENTUM),
                "ghost_batch": (ghost_batch, None),
                "statistics": (statistics, "batch"),
            }
            own = {name: value for name, (value, usual) in settings.items() if value != usual}
            self.bn_params = [{"mode": "train", **own} for _ in hidden_dims]

    @explained
    def loss(self, X: Array, y: Array | None = None) -> Any:
        """Without labels, the scores of X in test mode; with labels, the loss and the gradients in
        train mode.

        Arguments: X (N, d_1, …, d_k) with d_1 · … · d_k = input_dim; y (N,), labels from 0 to
        num_classes - 1. Returns: scores (N, C); or the loss, a number, and a dictionary of
        gradients with the keys of `params`. Raises ShapeError for inputs that do not fit. In train
        mode batch norm's running statistics move on.
        """
        mode = "test" if y is None else "train"
        for param in (self.dropout_param, self.noise_param, *self.bn_params):
            param["mode"] = mode
        scores, caches = self._forward(self._rows(X))
        if y is None:
            return scores
        data_loss, dscores = softmax_loss(scores, y)
        grads = self._backward(dscores, caches)
        return data_loss + l2_loss(self.params, self.reg), regularized(grads, self.params, self.reg)

    # One hidden layer of a plain net is z = h W + b, y = norm(z), h = activation(y). In a residual
    # net each layer after the first adds what the layer below had before its norm (pre-norm: only
    # what goes into the branch is normalized) or after it (post-norm: the sum itself is
    # normalized):
    #
    #     pre-norm    z = z' + activation(norm'(z')) W + b
    #     post-norm   y = norm(y' + activation(y') W + b)      where ' marks the layer below
    #
    # He, Zhang, Ren and Sun, "Identity Mappings in Deep Residual Networks", ECCV 2016, and Xiong et
    # al., "On Layer Normalization in the Transformer Architecture", ICML 2020, with one affine
    # layer a branch.
    def _forward(self, h: Array) -> tuple[Array, list[tuple[Any, ...]]]:
        """Scores, and for each layer the caches that its backward pass needs."""
        activation = activations.BY_NAME[self.activation]
        caches: list[tuple[Any, ...]] = []
        skip: Array | None = None
        for layer in range(1, self.num_layers):
            h, affine_cache = affine_forward(h, self.params[f"W{layer}"], self.params[f"b{layer}"])
            if skip is not None:
                h = h + skip
            if self.residual == "pre-norm":
                skip = h
            norm_cache = dropout_cache = None
            if self.norm:
                parameters = [self.params[f"{name}{layer}"] for name in self.norm.parameter_names]
                h, norm_cache = self.norm.forward(h, *parameters, self.bn_params[layer - 1])
            if self.noise_param.get("std"):
                h = noise_forward(h, self.noise_param)
            if self.residual == "post-norm":
                skip = h
            h, activation_cache = activation.forward(h)
            if self.use_dropout:
                h, dropout_cache = dropout_forward(h, self.dropout_param)
            caches.append((affine_cache, norm_cache, activation_cache, dropout_cache))
        scores, affine_cache = affine_forward(
            h, self.params[f"W{self.num_layers}"], self.params[f"b{self.num_layers}"]
        )
        return scores, [*caches, (affine_cache,)]

    def _backward(self, dscores: Array, caches: list[tuple[Any, ...]]) -> Params:
        """Gradients of the data loss by every parameter, last layer first."""
        activation = activations.BY_NAME[self.activation]
        grads: Params = {}
        dskip: Array | None = None
        last = self.num_layers
        dh, grads[f"W{last}"], grads[f"b{last}"] = affine_backward(dscores, caches[-1][0])
        for layer in range(last - 1, 0, -1):
            affine_cache, norm_cache, activation_cache, dropout_cache = caches[layer - 1]
            if self.use_dropout:
                dh = dropout_backward(dh, dropout_cache)
            dh = activation.backward(dh, activation_cache)
            if self.residual == "post-norm" and dskip is not None:
                dh = dh + dskip
            if self.norm:
                dh, *dparameters = self.norm.backward(dh, norm_cache)
                for name, gradient in zip(self.norm.parameter_names, dparameters, strict=True):
                    grads[f"{name}{layer}"] = gradient
            if self.residual == "pre-norm" and dskip is not None:
                dh = dh + dskip
            dskip = dh if self.residual else None  # a sum hands its gradient to both terms
            dh, grads[f"W{layer}"], grads[f"b{layer}"] = affine_backward(dh, affine_cache)
        return grads

    def _rows(self, X: Array) -> Array:
        """X in the net's dtype, an example a row."""
        stacked = self.params["W1"].ndim > 2
        X = np.asarray(X, dtype=self.dtype)
        rows = X if stacked else X.reshape(X.shape[0] if X.ndim else 1, -1)
        if rows.shape[-1] != self.input_dim:
            raise ShapeError(
                f"the net takes {self.input_dim} values an example, and X of shape {X.shape} has "
                f"{rows.shape[-1]}; build the net with input_dim={rows.shape[-1]}, or give it the "
                f"data it was built for"
            )
        return rows
