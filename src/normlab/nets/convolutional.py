"""A convolutional net of any depth.

    {convolution, [norm], ReLU, 2 x 2 max pool} ..., {affine, ReLU} ..., affine, softmax

Convolutions keep the size of their images and pools halve it, as in the nets of Wu and He's
question: which norm stands small batches. A norm of images is the norm of features that there is,
on other axes:

    batch norm              a channel's statistics over the batch and all positions; `per_pixel`: over the batch alone
    group and layer norm    over an example's channels, a group of them or all, with all their positions
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from normlab import randomness, starts
from normlab.errors import ShapeError
from normlab.layers import (
    affine_backward,
    affine_forward,
    conv_backward_fast,
    conv_forward_fast,
    max_pool_backward_fast,
    max_pool_forward_fast,
    norms,
    relu_backward,
    relu_forward,
    softmax_loss,
)
from normlab.layers.checks import EPS
from normlab.layers.norm_record import MOMENTUM
from normlab.net_options import check_images
from normlab.nets.regularization import l2_loss, regularized
from normlab.nets.three_layer_conv import POOL
from normlab.typing import Array, Generator, Params


class ConvolutionalNet:
    """{convolution, [norm], ReLU, 2 x 2 max pool} for each of `filters`, {affine, ReLU} for each of `hidden_dims`,
    then affine, softmax.

    Arguments: filters, how many each block has; image_shape (C, H, W), H and W divisible by 2 to
    the number of blocks; hidden_dims; filter_size, odd; num_classes; normalization, None or one of
    `layers.norms.BY_NAME`, before the ReLU of each block; num_groups, for 'groupnorm', a divisor of
    every number of filters; per_pixel, whether each position of an image is a feature of its own to
    the norm; reg, weight_scale, start, dtype, eps, norm_momentum and rng as for FullyConnectedNet.

    `params` holds W1 (F, C, filter_size, filter_size), b1 (F,), gamma1, beta1, … block by block,
    then the affine layers' W and b, numbered on. `bn_params` holds a settings dictionary a block.

    Raises OptionError for settings that make no net.

    >>> net = ConvolutionalNet((4, 8), (1, 8, 8), normalization="batchnorm", rng=randomness.generator(0))
    >>> net.loss(np.ones((5, 1, 8, 8))).shape, sorted(net.params)
    ((5, 10), ['W1', 'W2', 'W3', 'b1', 'b2', 'b3', 'beta1', 'beta2', 'gamma1', 'gamma2'])
    """

    def __init__(
        self,
        filters: tuple[int, ...],
        image_shape: tuple[int, ...],
        hidden_dims: tuple[int, ...] = (),
        filter_size: int = 3,
        num_classes: int = 10,
        normalization: str | None = None,
        *,
        num_groups: int | None = None,
        per_pixel: bool = False,
        reg: float = 0.0,
        weight_scale: float = 1e-2,
        start: str = "scale",
        dtype: DTypeLike = np.float32,
        eps: float = EPS,
        norm_momentum: float = MOMENTUM,
        rng: Generator | None = None,
    ) -> None:
        check_images(filters, image_shape, filter_size)
        rng = rng or randomness.global_generator()
        self.image_shape, self.num_classes = tuple(image_shape), num_classes
        self.input_dim = int(np.prod(image_shape))
        self.normalization, self.reg, self.dtype = normalization, reg, np.dtype(dtype)
        self.norm = norms.BY_NAME[normalization] if normalization is not None else None
        self.per_pixel = per_pixel
        self.blocks, self.num_layers = len(filters), len(filters) + len(hidden_dims) + 1
        self.conv_param = {"stride": 1, "pad": (filter_size - 1) // 2}

        C, H, W = image_shape
        std, window = starts.BY_NAME[start].std, filter_size * filter_size
        self.params: Params = {}
        for layer, (channels, F) in enumerate(itertools.pairwise((C, *filters)), start=1):
            scale = std(
                channels * window, F * window, weight_scale, "first" if layer == 1 else "hidden"
            )
            shape = (F, channels, filter_size, filter_size)
            self.params[f"W{layer}"] = randomness.initial_filters(rng, shape, scale)
            self.params[f"b{layer}"] = np.zeros(F)
            for parameter in self.norm.parameters if self.norm else ():
                features = F * H * W if per_pixel else F
                value = np.full(parameter.size(features), parameter.start)
                self.params[f"{parameter.name}{layer}"] = value
            H, W = H // 2, W // 2
        dims = (filters[-1] * H * W, *hidden_dims, num_classes)
        for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(dims), start=self.blocks + 1):
            scale = std(
                fan_in, fan_out, weight_scale, "hidden" if layer < self.num_layers else "scores"
            )
            self.params[f"W{layer}"] = randomness.initial_weights(rng, fan_in, fan_out, scale)
            self.params[f"b{layer}"] = np.zeros(fan_out)
        self.params = {name: value.astype(self.dtype) for name, value in self.params.items()}

        self.bn_params: list[dict[str, Any]] = []
        if self.norm:
            own = {"num_groups": num_groups} if num_groups is not None else {}
            settings = {"mode": "train", "eps": eps, "momentum": norm_momentum, **own}
            self.bn_params = [dict(settings) for _ in filters]

    def loss(self, X: Array, y: Array | None = None) -> Any:
        """Without labels, the scores of X in test mode; with labels, the loss and the gradients in train mode.

        Arguments: X (N, C, H, W), or (N, C · H · W); y (N,), labels from 0 to num_classes - 1.
        Returns: scores (N, num_classes); or the loss and a dictionary of gradients with the keys of
        `params`. Raises ShapeError for images that do not fit. In train mode batch norm's running
        statistics move on.
        """
        for param in self.bn_params:
            param["mode"] = "test" if y is None else "train"
        h, caches = self._images(X), []
        for layer in range(1, self.blocks + 1):
            h, cache = self._block_forward(h, layer)
            caches.append(cache)
        for layer in range(self.blocks + 1, self.num_layers + 1):
            h, affine_cache = affine_forward(h, self.params[f"W{layer}"], self.params[f"b{layer}"])
            relu_cache = None
            if layer < self.num_layers:
                h, relu_cache = relu_forward(h)
            caches.append((affine_cache, relu_cache))
        if y is None:
            return h

        data_loss, dh = softmax_loss(h, y)
        grads: Params = {}
        for layer in range(self.num_layers, self.blocks, -1):
            affine_cache, relu_cache = caches[layer - 1]
            if relu_cache is not None:
                dh = relu_backward(dh, relu_cache)
            dh, grads[f"W{layer}"], grads[f"b{layer}"] = affine_backward(dh, affine_cache)
        for layer in range(self.blocks, 0, -1):
            dh = self._block_backward(dh, caches[layer - 1], layer, grads)
        return data_loss + l2_loss(self.params, self.reg), regularized(grads, self.params, self.reg)

    def _block_forward(self, h: Array, layer: int) -> tuple[Array, tuple[Any, ...]]:
        W, b = self.params[f"W{layer}"], self.params[f"b{layer}"]
        h, conv_cache = conv_forward_fast(h, W, b, self.conv_param)
        norm_cache = None
        if self.norm:
            parameters = [
                self._spread(parameter.each, self.params[f"{parameter.name}{layer}"], h)
                for parameter in self.norm.parameters
            ]
            rows, norm_cache = self.norm.forward(
                self._rows(h), *parameters, self.bn_params[layer - 1]
            )
            h = self._unrows(rows, h.shape).astype(self.dtype, copy=False)
        h, relu_cache = relu_forward(h)
        h, pool_cache = max_pool_forward_fast(h, POOL)
        return h, (conv_cache, norm_cache, relu_cache, pool_cache)

    def _block_backward(
        self, dh: Array, cache: tuple[Any, ...], layer: int, grads: Params
    ) -> Array:
        conv_cache, norm_cache, relu_cache, pool_cache = cache
        images = pool_cache.x.shape
        dh = dh.reshape(len(dh), images[1], images[2] // 2, images[3] // 2)
        dh = relu_backward(max_pool_backward_fast(dh, pool_cache), relu_cache)
        if self.norm:
            rows, *gradients = self.norm.backward(self._rows(dh), norm_cache)
            dh = self._unrows(rows, dh.shape)
            for parameter, gradient in zip(self.norm.parameters, gradients, strict=True):
                name = f"{parameter.name}{layer}"
                grads[name] = gradient.reshape(*self.params[name].shape, -1).sum(axis=-1)
        first = layer == 1  # nobody asks for the gradient of the images themselves
        dx, grads[f"W{layer}"], grads[f"b{layer}"] = conv_backward_fast(
            dh, conv_cache, with_dx=not first
        )
        return dh if dx is None else dx

    def _over_positions(self) -> bool:
        """Whether the norm takes a channel's positions for examples, as spatial batch norm does."""
        assert self.norm is not None
        return self.norm.over == "batch" and not self.per_pixel

    def _rows(self, x: Array) -> Array:
        """Images as the norm takes them: (N H W, C) where positions are examples, (N, C H W) otherwise."""
        if self._over_positions():
            return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])
        return x.reshape(len(x), -1)

    def _unrows(self, rows: Array, shape: tuple[int, ...]) -> Array:
        if self._over_positions():
            N, C, H, W = shape
            return np.ascontiguousarray(rows.reshape(N, H, W, C).transpose(0, 3, 1, 2))
        return rows.reshape(shape)

    def _spread(self, each: str, parameter: Array, x: Array) -> Array:
        """A channel's parameter once for each of its positions, where the norm takes those for features."""
        if each == "layer" or self.per_pixel or self._over_positions():
            return parameter
        return np.repeat(parameter, x.shape[2] * x.shape[3])

    def _images(self, X: Array) -> Array:
        X = np.asarray(X, dtype=self.dtype)
        if X.ndim == 0 or X[:1].size != self.input_dim:
            raise ShapeError(
                f"the net takes images of shape {self.image_shape}, and X is {X.shape}; build the "
                "net with their image_shape, or give it the images it was built for"
            )
        return X.reshape(-1, *self.image_shape)
