"""What every layer asks of its arguments, said in sentences."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

from normlab.errors import MissingKeyError, OptionError, ShapeError, not_one_of
from normlab.typing import Array

MODES = ("train", "test")
EPS = 1e-5  # what every norm adds to a variance, unless told otherwise


SETTINGS = frozenset(
    (
        *("mode", "eps", "momentum", "running_mean", "running_var", "statistics", "ghost_batch"),
        *("p", "seed", "rng", "std", "axes"),
    )
)
"""The settings that a layer may find in its parameter dictionary; others are the caller's own."""


def check_keys(param: Mapping[str, Any]) -> None:
    """Refuse a setting that is nearly one of these: misspelt, it would be ignored in silence."""
    for key in param.keys() - SETTINGS:
        near = difflib.get_close_matches(str(key), SETTINGS, 1, cutoff=0.8)
        near = ["eps"] if key == "epsilon" else near
        if near:
            raise OptionError(f"{key!r} is no setting of a layer; did you mean {near[0]!r}?")


def check_mode(layer: str, param: Mapping[str, Any]) -> str:
    """The mode in a layer's parameter dictionary, 'train' or 'test'."""
    check_keys(param)
    if "mode" not in param:
        raise MissingKeyError(
            f"{layer} needs a mode: put mode='train' or mode='test' into its parameter dictionary"
        )
    if param["mode"] not in MODES:
        raise not_one_of("mode", param["mode"], MODES)
    return str(param["mode"])


def check_eps(param: Mapping[str, Any]) -> float:
    """`eps` of a layer's parameter dictionary, 1e-5 where none is given."""
    check_keys(param)
    eps = float(param.get("eps", EPS))
    if not 0 <= eps < np.inf:
        raise OptionError(f"eps={eps!r} is not a finite number >= 0; the usual one is 1e-5")
    return eps


def check_input(layer: str, x: Array) -> np.dtype[Any]:
    """Refuse an empty batch and types that are no real numbers; return the type that results come back in.

    That is x's own, if it is a float of at most 64 bits, and float64 for whole numbers.
    """
    if x.size == 0 and x.ndim and x.shape[0] > 0:
        raise ShapeError(
            f"{layer} got x of shape {x.shape}: its examples hold no numbers, so there is nothing "
            "to take statistics of"
        )
    if x.size == 0:
        raise ShapeError(
            f"{layer} got an empty batch, x of shape {x.shape}: there is nothing to take "
            "statistics of; skip empty batches before the layer"
        )
    if x.dtype.kind in "biu":
        return np.dtype(np.float64)
    if x.dtype.kind == "f" and x.dtype.itemsize <= 8:
        return x.dtype
    raise ShapeError(
        f"{layer} got x of type {x.dtype}; expected float16, float32, float64 or whole numbers"
    )


def check_features(layer: str, x: Array, minimum_ndim: int = 2, **parameters: Array) -> None:
    """Refuse parameters that are not one value a feature: shape (..., D) for x of shape (..., N, D)."""
    if x.ndim < minimum_ndim:
        raise ShapeError(f"{layer} got x of shape {x.shape}; expected (N, D): one row an example")
    expected = x.shape[:-2] + x.shape[-1:]
    for name, value in parameters.items():
        if np.shape(value) != expected:
            raise ShapeError(
                f"{layer} got {name} of shape {np.shape(value)} for x of shape {x.shape}; "
                f"expected {expected}: one value a feature"
            )


def check_scalars(layer: str, x: Array, **parameters: Array) -> None:
    """Refuse parameters that are not one number a layer: shape (..., 1) for x of shape (..., N, D)."""
    expected = (*x.shape[:-2], 1)
    for name, value in parameters.items():
        if np.shape(value) != expected:
            raise ShapeError(
                f"{layer} got {name} of shape {np.shape(value)} for x of shape {x.shape}; "
                f"expected {expected}: one number for the whole layer"
            )


def check_more_than_one(layer: str, members: int, shape: tuple[int, ...], instead: str) -> None:
    """Refuse statistics over a single number: it would be its own mean, and the result 0 whatever it holds."""
    if members == 1:
        raise ShapeError(
            f"{layer} got x of shape {shape}, where each mean and variance is of a single number: "
            f"the result would be beta whatever x holds. {instead}"
        )


def check_upstream(layer: str, dout: Array, shape: tuple[int, ...]) -> None:
    """Refuse an upstream gradient that does not have the output's shape."""
    if np.shape(dout) != shape:
        raise ShapeError(
            f"{layer} got dout of shape {np.shape(dout)}; expected the output's, {shape}"
        )
