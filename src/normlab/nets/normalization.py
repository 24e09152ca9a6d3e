"""The normalization layers as a net uses them: under one name each, with the parameters they have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from normlab import layers
from normlab.typing import Array

Parameters = Sequence[Array]


class Normalization(NamedTuple):
    """A layer's forward (x, parameters, settings) -> (out, cache), its backward (dout, cache) -> (dx, gradients),
    and the names of its parameters, without the layer's number."""

    forward: Callable[[Array, Parameters, dict[str, Any]], tuple[Array, Any]]
    backward: Callable[[Array, Any], tuple[Array, ...]]
    parameters: tuple[str, ...]


def _batchnorm(x: Array, parameters: Parameters, param: dict[str, Any]) -> tuple[Array, Any]:
    gamma, beta = parameters
    return layers.batchnorm_forward(x, gamma, beta, param)


def _layernorm(x: Array, parameters: Parameters, param: dict[str, Any]) -> tuple[Array, Any]:
    gamma, beta = parameters
    return layers.layernorm_forward(x, gamma, beta, param)


def _rmsnorm(x: Array, parameters: Parameters, param: dict[str, Any]) -> tuple[Array, Any]:
    (gamma,) = parameters
    return layers.rmsnorm_forward(x, gamma, param)


def _groupnorm(x: Array, parameters: Parameters, param: dict[str, Any]) -> tuple[Array, Any]:
    gamma, beta = parameters
    return layers.groupnorm_forward(x, gamma, beta, param["num_groups"], param)


BY_NAME = {
    "batchnorm": Normalization(_batchnorm, layers.batchnorm_backward_alt, ("gamma", "beta")),
    "layernorm": Normalization(_layernorm, layers.layernorm_backward, ("gamma", "beta")),
    "rmsnorm": Normalization(_rmsnorm, layers.rmsnorm_backward, ("gamma",)),
    "groupnorm": Normalization(_groupnorm, layers.groupnorm_backward, ("gamma", "beta")),
}
