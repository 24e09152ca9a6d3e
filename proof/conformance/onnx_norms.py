"""ONNX's normalization operators, each from attributes and inputs to outputs, by the reference.

ONNX puts channels on axis 1 and may normalize over any trailing axes; the reference's batch and
layer norm take rows of features. So arrays are reshaped on the way in and out, and nothing else is
computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from normlab import layers
from normlab.errors import OptionError
from normlab.layers.statistics import centred_moments
from normlab.typing import Array

Attributes = Mapping[str, Any]
Inputs = list[Any]
"""Arrays; None for an optional input that is not given."""
Operator = Callable[[Attributes, Inputs], tuple[Array, ...]]

ONNX_EPS = 1e-5


class Norms(NamedTuple):
    """Who computes: the reference's forward passes, or the kernels'."""

    batchnorm: Callable[..., tuple[Array, Any]]
    layernorm: Callable[..., tuple[Array, Any]]


def norm_operators(norms: Norms) -> dict[str, Operator]:
    """The operators that have a fused kernel, computed by the given forward passes."""
    return {
        "BatchNormalization": lambda attributes, inputs: _batch(norms, attributes, inputs),
        "LayerNormalization": lambda attributes, inputs: _layer(norms, attributes, inputs),
    }


def _batch(norms: Norms, attributes: Attributes, inputs: Inputs) -> tuple[Array, ...]:
    """ONNX keeps the biased variance and weights the old running value by `momentum`, as we do."""
    x, gamma, beta, running_mean, running_var = inputs
    bn_param = {
        "mode": "train" if attributes.get("training_mode", 0) else "test",
        "eps": attributes.get("epsilon", ONNX_EPS),
        "momentum": attributes.get("momentum", 0.9),
        "running_mean": running_mean,
        "running_var": running_var,
    }
    channels_last = np.moveaxis(x, 1, -1)
    out, _ = norms.batchnorm(
        np.ascontiguousarray(channels_last).reshape(-1, x.shape[1]), gamma, beta, bn_param
    )
    out = np.moveaxis(out.reshape(channels_last.shape), -1, 1)
    if bn_param["mode"] == "test":
        return (out,)
    return (
        out,
        *(bn_param[name].astype(running_mean.dtype) for name in ("running_mean", "running_var")),
    )


def _layer(norms: Norms, attributes: Attributes, inputs: Inputs) -> tuple[Array, ...]:
    """Layer norm over the axes from `axis` on; also the mean and 1 / std of each row, in float32."""
    x, gamma, *rest = inputs
    rows, normalized, kept = _rows(x, attributes.get("axis", -1))
    beta = rest[0] if rest and rest[0] is not None else np.zeros(normalized, x.dtype)
    gamma, beta = (np.broadcast_to(parameter, normalized).ravel() for parameter in (gamma, beta))
    out, cache = norms.layernorm(rows, gamma, beta, {"eps": attributes.get("epsilon", ONNX_EPS)})
    mean, rstd = _row_statistics(rows, cache)
    return (
        out.reshape(x.shape),
        mean.astype(np.float32).reshape(kept),
        rstd.astype(np.float32).reshape(kept),
    )


def _row_statistics(rows: Array, cache: Any) -> tuple[Array, Array]:
    """Each row's mean and 1 / std: the fused cache holds both, the reference's leaves the mean to its statistics."""
    if isinstance(cache, layers.LayerNormCache):
        return centred_moments(rows, -1).mean, cache.rstd
    return cache.statistics[0] + cache.statistics[1], cache.statistics[2]


def rms(attributes: Attributes, inputs: Inputs) -> tuple[Array, ...]:
    """RMSNormalization: RMS norm over the axes from `axis` on."""
    x, gamma = inputs
    rows, normalized, _ = _rows(x, attributes.get("axis", -1))
    gamma = np.broadcast_to(gamma, normalized).ravel()
    out, _ = layers.rmsnorm_forward(rows, gamma, {"eps": attributes.get("epsilon", ONNX_EPS)})
    return (out.reshape(x.shape),)


def group(attributes: Attributes, inputs: Inputs) -> tuple[Array, ...]:
    """GroupNormalization, with gamma and beta a channel (opset 21 on). Raises OptionError for opset 18's a group."""
    x, gamma, beta = inputs
    if gamma.shape != x.shape[1:2]:
        raise OptionError(
            f"GroupNormalization got scale of shape {gamma.shape}, expected one a channel: opset "
            "21 or later"
        )
    gn_param = {"eps": attributes.get("epsilon", ONNX_EPS)}
    return (layers.groupnorm_forward(x, gamma, beta, attributes["num_groups"], gn_param)[0],)


def instance(attributes: Attributes, inputs: Inputs) -> tuple[Array, ...]:
    """InstanceNormalization."""
    x, gamma, beta = inputs
    return (
        layers.instancenorm_forward(x, gamma, beta, {"eps": attributes.get("epsilon", ONNX_EPS)})[
            0
        ],
    )


def lp(attributes: Attributes, inputs: Inputs) -> tuple[Array, ...]:
    """LpNormalization along one axis."""
    axis = attributes.get("axis", -1)
    out, _ = layers.lpnorm_forward(np.moveaxis(inputs[0], axis, -1), {"p": attributes.get("p", 2)})
    return (np.moveaxis(out, -1, axis),)


def local_response(attributes: Attributes, inputs: Inputs) -> tuple[Array, ...]:
    """LRN, whose alpha multiplies the mean of squares over the full window, where ours has the sum."""
    n = attributes["size"]
    lrn_param = {
        "n": n,
        "k": attributes.get("bias", 1.0),
        "alpha": attributes.get("alpha", 1e-4) / n,
        "beta": attributes.get("beta", 0.75),
    }
    return (layers.localresponse_forward(inputs[0], lrn_param)[0],)


def mean_variance(attributes: Attributes, inputs: Inputs) -> tuple[Array, ...]:
    """MeanVarianceNormalization, without the 1e-9 that ONNX adds to the standard deviation."""
    axes = {"axes": tuple(attributes.get("axes", (0, 2, 3)))}
    return (layers.meanvariance_forward(inputs[0], axes)[0],)


def _rows(x: Array, axis: int) -> tuple[Array, tuple[int, ...], tuple[int, ...]]:
    """x as rows to be normalized; the shape of a row; and x's shape with length 1 along the normalized axes."""
    axis %= x.ndim
    normalized = x.shape[axis:]
    kept = x.shape[:axis] + (1,) * len(normalized)
    return np.ascontiguousarray(x).reshape(-1, int(np.prod(normalized))), normalized, kept
