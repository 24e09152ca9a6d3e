"""The catalogue of mistakes: what each is, the formula it leaves, and hints that give nothing
away."""

from __future__ import annotations

from collections.abc import Mapping

from normlab.checker.mistakes import (
    adaptive,
    affine,
    convolution,
    dropout,
    general,
    images,
    losses,
    momentum,
    nets,
    norm_backward,
    norm_forward,
    norm_state,
    norm_sums,
    pooling,
    relu,
)
from normlab.checker.mistakes.record import Mistake, by_key

CATALOGUE: Mapping[str, Mapping[str, Mistake]] = {
    "general": general.GENERAL,
    "affine_forward": affine.AFFINE_FORWARD,
    "affine_backward": affine.AFFINE_BACKWARD,
    "relu_forward": relu.RELU_FORWARD,
    "relu_backward": relu.RELU_BACKWARD,
    "losses": losses.LOSSES,
    "dropout_forward": dropout.DROPOUT_FORWARD,
    "dropout_backward": dropout.DROPOUT_BACKWARD,
    "conv_forward": convolution.CONV_FORWARD,
    "conv_backward": convolution.CONV_BACKWARD,
    "conv_joined": convolution.JOINED,
    "conv_net": by_key(
        convolution.CONV_NET.values(),
        convolution.JOINED.values(),
        nets.PARAMETERS,
        nets.REGULARIZATION,
    ),
    "pooling": pooling.POOLING,
    "norm_forward": by_key(
        norm_forward.TRAIN,
        norm_forward.PER_ROW,
        norm_forward.TEST,
        norm_forward.CONTRACTS,
        norm_state.RUNNING,
        images.SPATIAL,
        images.GROUPS,
    ),
    "norm_backward": by_key(norm_backward.TERMS, norm_backward.LAYOUTS, norm_sums.SUMS),
    "sgd": by_key(momentum.SGD, adaptive.STATE),
    "sgd_momentum": by_key(momentum.MOMENTUM, adaptive.STATE),
    "rmsprop": by_key(adaptive.RMSPROP, adaptive.STATE),
    "adam": by_key(adaptive.ADAM, adaptive.STATE),
    "nets": by_key(nets.PARAMETERS, nets.WIRING, nets.MODES, nets.REGULARIZATION),
}
"""By topic; a function's topic is what its probe says."""


def describe(topic: str, key: str, words: Mapping[str, str]) -> Mistake:
    """The entry for a mistake, with this function's own names in it."""
    mistake = CATALOGUE[topic].get(key) or general.GENERAL[key]
    return mistake.filled(words)
