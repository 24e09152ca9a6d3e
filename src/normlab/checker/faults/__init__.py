"""The catalogue of mistakes: what each is, where in the derivation it lies, and hints that give nothing away."""

from __future__ import annotations

from collections.abc import Mapping

from normlab.checker.faults import general, layers, nets, norms, optimizers
from normlab.checker.faults.record import Fault

CATALOGUE: Mapping[str, Mapping[str, Fault]] = {
    "general": general.GENERAL,
    "affine_forward": layers.AFFINE_FORWARD,
    "affine_backward": layers.AFFINE_BACKWARD,
    "relu_forward": layers.RELU_FORWARD,
    "relu_backward": layers.RELU_BACKWARD,
    "losses": layers.LOSSES,
    "dropout_forward": layers.DROPOUT_FORWARD,
    "dropout_backward": layers.DROPOUT_BACKWARD,
    "pooling": layers.POOLING,
    "norm_forward": norms.FORWARD,
    "norm_backward": norms.BACKWARD,
    "optimizers": optimizers.OPTIMIZERS,
    "nets": nets.NETS,
}


def describe(topic: str, key: str, words: Mapping[str, str]) -> Fault:
    """The entry for a mistake, with this function's own names in it."""
    fault = CATALOGUE[topic].get(key) or general.GENERAL[key]
    return fault.filled(words)
