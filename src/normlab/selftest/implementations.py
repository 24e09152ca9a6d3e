"""Who is measured: the reference layers, the fused kernels, and PyTorch where it is installed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from normlab import layers
from normlab.errors import NonFiniteWarning
from normlab.selftest.inputs import Case
from normlab.typing import Array


class Results(NamedTuple):
    """What one implementation made of a case."""

    y: Array
    dx: Array
    dgamma: Array
    dbeta: Array | None


Implementation = Callable[[Case], Results]

FUSED = ("batch norm", "layer norm")


def ours(norm: str) -> dict[str, Implementation]:
    """This package's implementations of a norm, by name; the fused ones where Numba is installed."""
    found = {"reference layers": REFERENCE[norm]}
    if norm == "batch norm":
        found["reference layers, staged"] = _by(
            layers.batchnorm_forward, layers.batchnorm_backward, _train
        )
    if norm in FUSED and has_numba():
        found["fused"] = fused(norm)
    return found


def has_numba() -> bool:
    """Whether the fused kernels can run."""
    return find_spec("numba") is not None


def fused(norm: str) -> Implementation:
    """The compiled kernels of one of FUSED."""
    from normlab import kernels

    if norm == "batch norm":
        return _by(kernels.batchnorm_forward, kernels.batchnorm_backward, _train)
    return _by(kernels.layernorm_forward, kernels.layernorm_backward, _eps)


def pytorch() -> Implementation | None:
    """PyTorch on the processor, or None where it is not installed. It refuses batch norm with eps = 0."""
    return _pytorch if find_spec("torch") is not None else None


def _by(
    forward: Callable[..., Any], backward: Callable[..., Any], more: Callable[[Case], Any]
) -> Implementation:
    def run(case: Case) -> Results:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", NonFiniteWarning
            )  # a variance of 1e600 cannot be kept as a running one
            y, cache = forward(case.x, case.gamma, case.beta, *more(case))
            return Results(y, *backward(case.dout, cache))

    return run


def _eps(case: Case) -> tuple[Any, ...]:
    return ({"eps": case.eps},)


def _train(case: Case) -> tuple[Any, ...]:
    return ({"mode": "train", "eps": case.eps},)


def _rms_forward(x: Array, gamma: Array, _beta: Array, param: dict[str, Any]) -> tuple[Array, Any]:
    return layers.rmsnorm_forward(x, gamma, param)


def _rms_backward(dout: Array, cache: Any) -> tuple[Array, Array, None]:
    return (*layers.rmsnorm_backward(dout, cache), None)


REFERENCE: dict[str, Implementation] = {
    "batch norm": _by(layers.batchnorm_forward, layers.batchnorm_backward_alt, _train),
    "layer norm": _by(layers.layernorm_forward, layers.layernorm_backward, _eps),
    "group norm": _by(
        layers.groupnorm_forward,
        layers.groupnorm_backward,
        lambda case: (case.groups, {"eps": case.eps}),
    ),
    "instance norm": _by(layers.instancenorm_forward, layers.instancenorm_backward, _eps),
    "RMS norm": _by(_rms_forward, _rms_backward, _eps),
}


def _pytorch(case: Case) -> Results:
    import torch
    from torch.nn import functional

    x, gamma, beta = (
        torch.tensor(a).requires_grad_() for a in (case.x.copy(order="C"), case.gamma, case.beta)
    )
    if case.norm == "batch norm":
        y = functional.batch_norm(x, None, None, gamma, beta, training=True, eps=case.eps)
    elif case.norm == "layer norm":
        y = functional.layer_norm(x, x.shape[1:], gamma, beta, eps=case.eps)
    elif case.norm == "group norm":
        y = functional.group_norm(x, case.groups, gamma, beta, eps=case.eps)
    elif case.norm == "instance norm":
        y = functional.instance_norm(x, weight=gamma, bias=beta, use_input_stats=True, eps=case.eps)
    else:
        y = functional.rms_norm(x, x.shape[1:], gamma, eps=case.eps)
    y.backward(torch.tensor(case.dout.copy(order="C")))
    gradients = [
        None if parameter.grad is None else parameter.grad.numpy() for parameter in (x, gamma, beta)
    ]
    dx, dgamma, dbeta = gradients
    assert dx is not None
    assert dgamma is not None
    return Results(y.detach().numpy(), dx, dgamma, dbeta if case.norm != "RMS norm" else None)
