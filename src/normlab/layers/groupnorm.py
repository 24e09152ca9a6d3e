"""Group normalization: each example by the statistics of groups of its channels; and instance normalization,
its extreme of one channel a group.

Wu and He, "Group Normalization", ECCV 2018, section 3.2, equations 1, 2 and 7; Ulyanov, Vedaldi and
Lempitsky, "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016, equation 3.

Letters: N examples, C channels, G groups; x is (N, C, ...spatial), with any number of spatial axes,
none included. Axes of gamma and beta before their last stack independent nets: gamma (M, C) goes
with x (M, N, C, ...spatial).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from normlab.arguments import explained
from normlab.errors import OptionError, ShapeError
from normlab.layers.checks import check_eps, check_input, check_more_than_one, check_upstream
from normlab.layers.norm_record import BETA, GAMMA, Norm
from normlab.layers.statistics import (
    centred_moments,
    order_free_sum,
    scaled_std,
    standardize_backward,
)
from normlab.typing import Array


class GroupNormCache(NamedTuple):
    """What the backward pass needs. Float64 but for gamma."""

    xhat: Array  # (..., N, C, ...spatial)
    rstd: Array  # (..., N, G, 1), 1 / sqrt(var + eps) of each group
    gamma: Array  # (..., C)
    dtype: np.dtype[Any]  # of x


@explained
def groupnorm_forward(
    x: Array, gamma: Array, beta: Array, num_groups: int, gn_param: Mapping[str, Any]
) -> tuple[Array, GroupNormCache]:
    """y = gamma * (x - mean) / sqrt(var + eps) + beta, statistics over each group of each example.

    A group is C / num_groups neighbouring channels with all their positions. One group is layer
    norm with gamma and beta a channel; as many groups as channels is instance norm.

    Arguments: x (..., N, C, ...spatial); gamma, beta (..., C); num_groups, a divisor of C; gn_param
    with, optionally, `eps` (1e-5). Returns: out of x's shape and type, and the cache for the
    backward pass. Raises: ShapeError for shapes that do not fit and for an empty batch; OptionError
    for an impossible num_groups or eps.

    >>> x = np.array([[1.0, 3.0, 10.0, 30.0]])
    >>> out, cache = groupnorm_forward(x, np.ones(4), np.zeros(4), 2, {"eps": 0})
    >>> print(out)
    [[-1.  1. -1.  1.]]
    """
    x = np.asarray(x)
    eps = check_eps(gn_param)
    dtype = check_input("group norm", x)
    _check_channels(x, gamma, beta)
    C = gamma.shape[-1]
    if not (isinstance(num_groups, int | np.integer) and num_groups >= 1 and C % num_groups == 0):
        divisors = [g for g in range(1, C + 1) if C % g == 0]
        raise OptionError(
            f"num_groups={num_groups!r} does not divide {C} channels; possible are {divisors}"
        )
    groups = _in_groups(x, gamma, num_groups)
    check_more_than_one(
        "group norm", groups.shape[-1], x.shape, "Use fewer groups, or more positions"
    )
    moments = centred_moments(groups, axis=-1)
    d = scaled_std(moments.v, moments.scale, eps)
    xhat = (moments.u / d).reshape(x.shape)
    out = _a_channel(gamma, x) * xhat + _a_channel(beta, x)
    return out.astype(dtype), GroupNormCache(xhat, moments.scale / d, gamma, dtype)


# As for layer norm, with the means over the members of a group: gamma varies within it, so it goes
# first.
#
#     dxhat = gamma * dout
#     dx = (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)) / std      means over each group
@explained
def groupnorm_backward(dout: Array, cache: GroupNormCache) -> tuple[Array, Array, Array]:
    """Gradients of groupnorm_forward.

    Arguments: dout (..., N, C, ...spatial), the upstream gradient; the cache of the forward pass.
    Returns: dx of x's shape, dgamma (..., C), dbeta (..., C). Raises ShapeError if dout does not
    fit.

    >>> out, cache = groupnorm_forward(np.array([[1.0, 2.0, 6.0]]), np.ones(3), np.zeros(3), 1, {"eps": 0})
    >>> dx, dgamma, dbeta = groupnorm_backward(np.array([[1.0, 0.0, 0.0]]), cache)
    >>> print(np.round(dx, 4))
    [[ 0.1763 -0.2204  0.0441]]
    """
    xhat, rstd, gamma, dtype = cache
    check_upstream("group norm's backward pass", dout, xhat.shape)
    dout = np.asarray(dout, dtype=np.float64)

    shared = (
        gamma.ndim - 1,
        *range(gamma.ndim + 1, dout.ndim),
    )  # the axes a channel's gamma is shared over
    dbeta = order_free_sum(dout, shared)
    dgamma = order_free_sum(dout * xhat, shared)
    groups = rstd.shape[-2]
    dxhat = _in_groups(dout * _a_channel(gamma, dout), gamma, groups)
    dx = standardize_backward(dxhat, _in_groups(xhat, gamma, groups), rstd, axis=-1).reshape(
        dout.shape
    )
    return dx.astype(dtype), dgamma.astype(gamma.dtype), dbeta.astype(gamma.dtype)


@explained
def instancenorm_forward(
    x: Array, gamma: Array, beta: Array, in_param: Mapping[str, Any]
) -> tuple[Array, GroupNormCache]:
    """Group norm with one channel a group: statistics over each channel's positions in each example.

    Arguments, results and errors as for groupnorm_forward, and a ShapeError for x without spatial
    axes, where each value would be its own mean.

    >>> out, cache = instancenorm_forward(np.array([[[1.0, 3.0], [10.0, 30.0]]]), np.ones(2), np.zeros(2), {"eps": 0})
    >>> print(out)
    [[[-1.  1.]
      [-1.  1.]]]
    """
    if np.ndim(x) == np.ndim(gamma) + 1:
        raise ShapeError(
            f"instance norm got x of shape {np.shape(x)}, (N, C) without spatial axes: each value "
            "would be its own mean. Expected (N, C, ...spatial); for plain features use layer "
            "norm or group norm"
        )
    return groupnorm_forward(x, gamma, beta, gamma.shape[-1], in_param)


@explained
def instancenorm_backward(dout: Array, cache: GroupNormCache) -> tuple[Array, Array, Array]:
    """Gradients of instancenorm_forward: group norm's, with one channel a group.

    >>> x = np.array([[[1.0, 2.0, 6.0]]])
    >>> out, cache = instancenorm_forward(x, np.ones(1), np.zeros(1), {"eps": 0})
    >>> print(np.round(instancenorm_backward(np.array([[[1.0, 0.0, 0.0]]]), cache)[0], 4))
    [[[ 0.1763 -0.2204  0.0441]]]
    """
    return groupnorm_backward(dout, cache)


def _in_groups(x: Array, gamma: Array, groups: int) -> Array:
    """x as (..., N, G, members of a group)."""
    return x.reshape(*x.shape[: gamma.ndim], groups, -1)


def _a_channel(parameter: Array, x: Array) -> Array:
    """(..., C) shaped so that it multiplies x (..., N, C, ...spatial) channel by channel."""
    spatial = x.ndim - parameter.ndim - 1
    return parameter[..., None, :].reshape(
        *parameter.shape[:-1], 1, parameter.shape[-1], *(1,) * spatial
    )


def _check_channels(x: Array, gamma: Array, beta: Array) -> None:
    axis = np.ndim(gamma)
    expected = x.shape[: axis - 1] + x.shape[axis : axis + 1]
    if axis == 0 or gamma.shape != expected or np.shape(beta) != expected:
        raise ShapeError(
            f"group norm got gamma of shape {np.shape(gamma)} and beta of shape {np.shape(beta)} "
            f"for x of shape {x.shape}; expected one value a channel, shape (C,) with x (N, C, "
            "...spatial)"
        )


def _forward_of_a_net(
    x: Array, gamma: Array, beta: Array, settings: Mapping[str, Any]
) -> tuple[Array, GroupNormCache]:
    return groupnorm_forward(x, gamma, beta, settings["num_groups"], settings)


def _check_groups(hidden_dims: Sequence[int], options: Mapping[str, Any]) -> None:
    """Refuse a number of groups that does not divide every hidden dimension."""
    num_groups, divisor = options.get("num_groups"), math.gcd(*hidden_dims)
    if not (
        isinstance(num_groups, int | np.integer) and num_groups >= 1 and divisor % num_groups == 0
    ):
        # the first few: a number of any size may come out of a file
        possible = [g for g in range(1, min(divisor, 1000) + 1) if divisor % g == 0]
        raise OptionError(
            f"normalization='groupnorm' needs num_groups, a divisor of every hidden dimension: "
            f"num_groups={num_groups!r} is none for {list(hidden_dims)}; possible are {possible}"
        )
    if num_groups in hidden_dims:
        raise OptionError(
            f"num_groups={num_groups!r} puts a single unit into each group of a hidden layer of "
            f"{num_groups}: each would be its own mean, and its output beta whatever it holds; use "
            "fewer groups"
        )


GROUP_NORM = Norm(
    name="groupnorm",
    title="group norm",
    parameters=(GAMMA, BETA),
    over="groups",
    forward=_forward_of_a_net,
    backward=groupnorm_backward,
    options=("num_groups",),
    check=_check_groups,
    foreign={
        "pytorch": "GroupNorm",
        "keras": "GroupNormalization",
        "onnx": "GroupNormalization",
    },
)
