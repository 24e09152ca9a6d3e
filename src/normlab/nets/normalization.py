"""The normalization layers as a net uses them: under one name each, with the parameters they have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from normlab import layers
from normlab.typing import Array


class Normalization(NamedTuple):
    """A layer's forward (x, parameters, settings) -> (out, cache), its backward (dout, cache) -> (dx, gradients),
    and the names of its parameters, without the layer's number."""

    forward: Callable[[Array, tuple[Array, ...], dict[str, Any]], tuple[Array, Any]]
    backward: Callable[[Array, Any], tuple[Array, ...]]
    parameters: tuple[str, ...]


def _batchnorm(x: Array, parameters: tuple[Array, ...], param: dict[str, Any]) -> tuple[Array, Any]:
    return layers.batchnorm_forward(x, *parameters, param)


def _layernorm(x: Array, parameters: tuple[Array, ...], param: dict[str, Any]) -> tuple[Array, Any]:
    return layers.layernorm_forward(x, *parameters, param)


def _rmsnorm(x: Array, parameters: tuple[Array, ...], param: dict[str, Any]) -> tuple[Array, Any]:
    return layers.rmsnorm_forward(x, *parameters, param)


def _groupnorm(x: Array, parameters: tuple[Array, ...], param: dict[str, Any]) -> tuple[Array, Any]:
    return layers.groupnorm_forward(x, *parameters, param["num_groups"], param)


BY_NAME = {
    "batchnorm": Normalization(_batchnorm, layers.batchnorm_backward_alt, ("gamma", "beta")),
    "layernorm": Normalization(_layernorm, layers.layernorm_backward, ("gamma", "beta")),
    "rmsnorm": Normalization(_rmsnorm, layers.rmsnorm_backward, ("gamma",)),
    "groupnorm": Normalization(_groupnorm, layers.groupnorm_backward, ("gamma", "beta")),
}
