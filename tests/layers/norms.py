"""All norms that take statistics under one signature, and an independent slow definition of each in 50 digits.

The definition shares nothing with the reference: it walks over index groups, sums with mpmath, and
differentiates by the full Jacobian, δ_ij - 1/K - xhat_i xhat_j / K, entry by entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import mpmath
import numpy as np

from normlab import layers
from normlab.layers import norms

Index = tuple[int, ...]


class Norm(NamedTuple):
    """forward(x, gamma, beta, eps) -> (out, cache); backward(dout, cache) -> (dx, dgamma, dbeta or None)."""

    forward: Callable
    backward: Callable
    shape: tuple[int, ...]  # of a usual x
    channel_axis: int  # the axis gamma and beta lie along
    centred: bool
    groups: Callable[
        [tuple[int, ...]], Iterator[list[Index]]
    ]  # the index groups that share statistics


def _batch(shape):
    for j in range(shape[1]):
        yield [(i, j) for i in range(shape[0])]


def _rows(shape):
    for i in range(shape[0]):
        yield [(i, j) for j in range(shape[1])]


def _channel_groups(num_groups):
    def groups(shape):
        members = shape[1] // num_groups if num_groups else 1
        for n in range(shape[0]):
            for first in range(0, shape[1], members):
                yield [
                    (n, c, *rest)
                    for c in range(first, first + members)
                    for rest in np.ndindex(*shape[2:])
                ]

    return groups


def _of(record: norms.Norm) -> Norm:
    """A norm's record under this signature, with two groups where it has groups."""
    shape, groups = {
        "batch": ((7, 4), _batch),
        "features": ((4, 7), _rows),
        "groups": ((3, 4, 3), _channel_groups(2)),
    }[record.over]

    def forward(x, gamma, beta, eps):
        parameters = {"gamma": gamma, "beta": beta}
        own = [parameters[name] for name in record.parameter_names]
        return record.forward(x, *own, {"mode": "train", "eps": eps, "num_groups": 2})

    def backward(dout, cache):
        dx, *gradients = record.backward(dout, cache)
        named = dict(zip(record.parameter_names, gradients, strict=True))
        return dx, named["gamma"], named.get("beta")

    return Norm(forward, backward, shape, 1, record.centred, groups)


NORMS = {name: _of(record) for name, record in norms.BY_NAME.items() if record.over is not None}
NORMS["batchnorm_staged"] = NORMS["batchnorm"]._replace(backward=layers.batchnorm_backward)
NORMS["instancenorm"] = Norm(
    lambda x, gamma, beta, eps: layers.instancenorm_forward(x, gamma, beta, {"eps": eps}),
    layers.instancenorm_backward,
    (2, 3, 2, 3),
    1,
    True,
    _channel_groups(None),
)


def draw(norm: Norm, rng: np.random.RandomState, dtype=np.float64, mean=0.0, scale=1.0, shape=None):
    """x, gamma, beta and dout of a usual shape, with gamma of either sign."""
    shape = shape or norm.shape
    channels = shape[norm.channel_axis]
    with np.errstate(under="ignore"):
        x = ((rng.standard_normal(shape) + mean) * scale).astype(dtype)
    gamma = (rng.uniform(0.5, 2, channels) * rng.choice([-1, 1], channels)).astype(dtype)
    beta = rng.standard_normal(channels).astype(dtype)
    return x, gamma, beta, rng.standard_normal(shape).astype(dtype)


def exact(norm: Norm, x, gamma, beta, eps, dout):
    """y, dx, dgamma, dbeta by the definition, each an array of mpmath numbers; beta enters if the norm has one."""
    with mpmath.workdps(50):
        number = np.vectorize(lambda value: mpmath.mpf(float(value)), otypes=[object])
        X, G, B, DOUT = number(x), number(gamma), number(beta), number(dout)
        eps = mpmath.mpf(float(eps))
        y, dx = np.empty(x.shape, object), np.empty(x.shape, object)
        dgamma, dbeta = number(np.zeros(gamma.shape)), number(np.zeros(gamma.shape))
        for group in norm.groups(x.shape):
            K = len(group)
            mean = sum(X[i] for i in group) / K if norm.centred else mpmath.mpf(0)
            std = mpmath.sqrt(sum((X[i] - mean) ** 2 for i in group) / K + eps)
            xhat = {i: (X[i] - mean) / std for i in group}
            for i in group:
                c = i[norm.channel_axis]
                y[i] = G[c] * xhat[i] + (B[c] if norm.centred else 0)
                dgamma[c] += DOUT[i] * xhat[i]
                dbeta[c] += DOUT[i]
                dx[i] = (
                    sum(
                        DOUT[k]
                        * G[k[norm.channel_axis]]
                        * (
                            (k == i)
                            - (mpmath.mpf(1) / K if norm.centred else 0)
                            - xhat[k] * xhat[i] / K
                        )
                        for k in group
                    )
                    / std
                )
        return y, dx, dgamma, dbeta


def error(measured, true) -> float:
    """Largest difference over the largest true value."""
    with mpmath.workdps(50):
        largest = max(abs(value) for value in true.flat)
        difference = max(
            abs(mpmath.mpf(float(a)) - b) for a, b in zip(measured.flat, true.flat, strict=True)
        )
        return float(difference / largest) if largest else float(difference)
