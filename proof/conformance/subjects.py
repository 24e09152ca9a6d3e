"""Every layer under one signature, with inputs away from kinks, for checkers that know nothing of this project."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from normlab import layers
from normlab.typing import Array, Generator

EPS = 1e-3
KEEP, SEED = 0.6, 11  # of dropout: the same mask at every call


class Subject(NamedTuple):
    """forward(*arguments) -> (out, cache); backward(dout, cache) -> one gradient an argument; and usual arguments."""

    forward: Callable[..., tuple[Any, Any]]
    backward: Callable[[Any, Any], tuple[Array, ...]]
    draw: Callable[[Generator], tuple[Array, ...]]


def _parameters(
    *shape: int, count: int = 2, channels: int | None = None
) -> Callable[[Generator], tuple[Array, ...]]:
    """Draws x and `count` parameters of one number a channel, of either sign."""

    def draw(rng: Generator) -> tuple[Array, ...]:
        size = channels or shape[-1]
        return (
            rng.standard_normal(shape),
            *(rng.uniform(0.5, 2, size) * rng.choice([-1, 1], size) for _ in range(count)),
        )

    return draw


def _away_from_zero(*shape: int) -> Callable[[Generator], tuple[Array, ...]]:
    """Draws x with every |x| in [0.1, 2], where neither |x| nor max(0, x) has its kink."""
    return lambda rng: (rng.uniform(0.1, 2, shape) * rng.choice([-1, 1], shape),)


def _one(backward: Callable[..., Array]) -> Callable[[Any, Any], tuple[Array, ...]]:
    """The backward pass of a layer with one argument, its gradient in a tuple like the others'."""
    return lambda dout, cache: (backward(dout, cache),)


def _train() -> dict[str, Any]:
    return {"mode": "train", "eps": EPS}


def _test() -> dict[str, Any]:
    return {
        "mode": "test",
        "eps": EPS,
        "running_mean": np.linspace(-1, 1, 4),
        "running_var": np.linspace(0.2, 2, 4),
    }


LABELS = np.array([0, 2, 1, 4, 4, 3])


def _loss(loss: Callable[[Array, Array], tuple[Array, Array]]) -> Subject:
    """A loss, whose second result is its gradient already: the backward pass multiplies by the upstream number."""
    return Subject(
        lambda x: loss(x, LABELS),
        lambda dout, dx: (dout * dx,),
        lambda rng: (rng.standard_normal((len(LABELS), 5)),),
    )


def _affine_arguments(rng: Generator) -> tuple[Array, ...]:
    return rng.standard_normal((5, 2, 3)), rng.standard_normal((6, 4)), rng.standard_normal(4)


def _affine_relu_arguments(rng: Generator) -> tuple[Array, ...]:
    """Small weights, and biases of either sign that they cannot outweigh: no unit is near its kink."""
    return (
        rng.uniform(-1, 1, (5, 6)),
        0.1 * rng.uniform(-1, 1, (6, 4)),
        np.array([1.0, -1.0, 1.5, -2.0]),
    )


SUBJECTS: dict[str, Subject] = {
    "affine": Subject(layers.affine_forward, layers.affine_backward, _affine_arguments),
    "affine_relu": Subject(
        layers.affine_relu_forward, layers.affine_relu_backward, _affine_relu_arguments
    ),
    "relu": Subject(layers.relu_forward, _one(layers.relu_backward), _away_from_zero(5, 4)),
    "dropout": Subject(
        lambda x: layers.dropout_forward(
            x, {"mode": "train", "p": KEEP, "rng": np.random.RandomState(SEED)}
        ),
        _one(layers.dropout_backward),
        _parameters(6, 5, count=0),
    ),
    "batchnorm": Subject(
        lambda x, gamma, beta: layers.batchnorm_forward(x, gamma, beta, _train()),
        layers.batchnorm_backward,
        _parameters(7, 4),
    ),
    "batchnorm_alt": Subject(
        lambda x, gamma, beta: layers.batchnorm_forward(x, gamma, beta, _train()),
        layers.batchnorm_backward_alt,
        _parameters(7, 4),
    ),
    "batchnorm_test": Subject(
        lambda x, gamma, beta: layers.batchnorm_forward(x, gamma, beta, _test()),
        layers.batchnorm_backward,
        _parameters(7, 4),
    ),
    "layernorm": Subject(
        lambda x, gamma, beta: layers.layernorm_forward(x, gamma, beta, {"eps": EPS}),
        layers.layernorm_backward,
        _parameters(4, 7),
    ),
    "rmsnorm": Subject(
        lambda x, gamma: layers.rmsnorm_forward(x, gamma, {"eps": EPS}),
        layers.rmsnorm_backward,
        _parameters(4, 7, count=1),
    ),
    "groupnorm": Subject(
        lambda x, gamma, beta: layers.groupnorm_forward(x, gamma, beta, 2, {"eps": EPS}),
        layers.groupnorm_backward,
        _parameters(3, 4, 3, channels=4),
    ),
    "instancenorm": Subject(
        lambda x, gamma, beta: layers.instancenorm_forward(x, gamma, beta, {"eps": EPS}),
        layers.instancenorm_backward,
        _parameters(2, 3, 2, 3, channels=3),
    ),
    "localresponse": Subject(
        lambda x: layers.localresponse_forward(x, {"n": 3, "k": 1.0, "alpha": 0.3, "beta": 0.75}),
        _one(layers.localresponse_backward),
        _parameters(2, 7, 3, count=0),
    ),
    "meanvariance": Subject(
        lambda x: layers.meanvariance_forward(x, {"eps": EPS}),
        _one(layers.meanvariance_backward),
        _parameters(3, 2, 4, count=0),
    ),
    **{
        f"lpnorm_{p}": Subject(
            lambda x, p=p: layers.lpnorm_forward(x, {"p": p}),
            _one(layers.lpnorm_backward),
            _away_from_zero(4, 6),
        )
        for p in (1, 2, 3)
    },
    "softmax_loss": _loss(layers.softmax_loss),
    "svm_loss": _loss(layers.svm_loss),
    "nll_loss": _loss(layers.nll_loss),
}


def all_subjects() -> dict[str, Subject]:
    """The reference's layers, and batch and layer norm by the kernels where Numba is."""
    return SUBJECTS | (_fused_subjects() if importlib.util.find_spec("numba") is not None else {})


def _fused_subjects() -> dict[str, Subject]:
    from normlab import kernels

    return {
        "batchnorm_fused": Subject(
            lambda x, gamma, beta: kernels.batchnorm_forward(x, gamma, beta, _train()),
            kernels.batchnorm_backward,
            _parameters(7, 4),
        ),
        "batchnorm_test_fused": Subject(
            lambda x, gamma, beta: kernels.batchnorm_forward(x, gamma, beta, _test()),
            kernels.batchnorm_backward,
            _parameters(7, 4),
        ),
        "layernorm_fused": Subject(
            lambda x, gamma, beta: kernels.layernorm_forward(x, gamma, beta, {"eps": EPS}),
            kernels.layernorm_backward,
            _parameters(4, 7),
        ),
    }


def _strided(array: Array) -> Array:
    """Every second row and every second column of a larger array."""
    wide = np.full([2 * length for length in array.shape], np.nan, array.dtype)
    steps: Any = (
        ...,
        *(slice(None, None, 2),) * array.ndim,
    )  # the ellipsis keeps a number an array
    every_second: Array = wide[steps]
    every_second[...] = array
    return every_second


def _reversed(array: Array) -> Array:
    """A view that walks backwards through memory."""
    backwards: Any = (..., *(slice(None, None, -1),) * array.ndim)
    view: Array = array[backwards].copy()[backwards]
    return view


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "contiguous": lambda array: np.array(array, order="C"),
    "transposed": lambda array: np.array(array, order="F"),
    "strided": _strided,
    "reversed": _reversed,
}
"""The same numbers, laid out otherwise in memory."""


def laid_out(subject: Subject, layout: str) -> Subject:
    """The subject, every argument and upstream gradient of which arrives in the given layout."""
    lay_out = LAYOUTS[layout]
    return Subject(
        lambda *arguments: subject.forward(
            *(lay_out(np.asarray(argument)) for argument in arguments)
        ),
        lambda dout, cache: subject.backward(lay_out(np.asarray(dout)), cache),
        subject.draw,
    )
