"""How large a net's initial weights are: each layer's standard deviation, by the start's name.

Whatever the start, the same standard normal numbers are drawn in the same order: a start only
scales them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

Place: TypeAlias = Literal["first", "hidden", "scores"]


@dataclass(frozen=True)
class Start:
    """A start under its name: `std(fan_in, fan_out, weight_scale, place)` of a layer."""

    name: str
    title: str
    std: Callable[[int, int, float, Place], float]
    of_residual_nets: bool = False
    """Whether it is for residual nets alone."""


def _scale(fan_in: int, fan_out: int, weight_scale: float, place: Place) -> float:  # noqa: ARG001
    """The assignment's: `weight_scale` for every layer."""
    return weight_scale


def _he(fan_in: int, fan_out: int, weight_scale: float, place: Place) -> float:  # noqa: ARG001
    """sqrt(2 / fan_in) keeps the mean square of ReLU's outputs from layer to layer.

    He, Zhang, Ren and Sun, "Delving Deep into Rectifiers", ICCV 2015, equation 10.
    """
    return math.sqrt(2 / fan_in)


def _glorot(fan_in: int, fan_out: int, weight_scale: float, place: Place) -> float:  # noqa: ARG001
    """sqrt(2 / (fan_in + fan_out)), between what keeps activations and what keeps gradients.

    Glorot and Bengio, "Understanding the Difficulty of Training Deep Feedforward Neural Networks",
    AISTATS 2010, equation 12, with normal draws.
    """
    return math.sqrt(2 / (fan_in + fan_out))


def _fan_in(fan_in: int, fan_out: int, weight_scale: float, place: Place) -> float:  # noqa: ARG001
    """sqrt(1 / fan_in) keeps the variance of a sum.

    LeCun, Bottou, Orr and Müller, "Efficient BackProp", 1998, section 4.6.
    """
    return math.sqrt(1 / fan_in)


def _fixup(fan_in: int, fan_out: int, weight_scale: float, place: Place) -> float:
    """He's for the first layer; 0 for the last layer of each residual branch, and for the scores.

    Each branch has one layer here, so that every block begins as the identity. Zhang, Dauphin and
    Ma, "Fixup Initialization", ICLR 2019, section 3; De and Smith, "Batch Normalization Biases
    Residual Blocks Towards the Identity Function in Deep Networks", NeurIPS 2020, whose SkipInit
    starts with the same function.
    """
    return _he(fan_in, fan_out, weight_scale, place) if place == "first" else 0.0


BY_NAME = {
    start.name: start
    for start in (
        Start("scale", "the same scale for every layer", _scale),
        Start("he", "He initialization", _he),
        Start("glorot", "Glorot initialization", _glorot),
        Start("fan-in", "scaled by the number of inputs", _fan_in),
        Start("fixup", "residual branches at 0 (Fixup)", _fixup, of_residual_nets=True),
    )
}


def stds(name: str, dims: Sequence[int], weight_scale: float) -> list[float]:
    """Each layer's standard deviation, in a net of sizes `dims`, inputs first, scores last.

    >>> stds("he", (200, 50, 10), 1e-2), stds("fixup", (2, 8, 8, 3), 1e-2)
    ([0.1, 0.2], [1.0, 0.0, 0.0])
    """
    shapes = list(pairwise(dims))
    hidden: list[Place] = ["hidden"] * (len(shapes) - 2)
    places: list[Place] = ["first", *hidden, "scores"] if len(shapes) > 1 else ["scores"]
    return [
        BY_NAME[name].std(fan_in, fan_out, weight_scale, place)
        for (fan_in, fan_out), place in zip(shapes, places, strict=True)
    ]
