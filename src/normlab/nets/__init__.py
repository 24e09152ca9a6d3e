"""Whole nets: parameters, loss and gradients."""

from typing import TypeAlias

from normlab.nets.convolutional import ConvolutionalNet
from normlab.nets.fully_connected import FullyConnectedNet
from normlab.nets.three_layer_conv import ThreeLayerConvNet
from normlab.nets.two_layer import TwoLayerNet

__all__ = ["ConvolutionalNet", "FullyConnectedNet", "Net", "ThreeLayerConvNet", "TwoLayerNet"]

Net: TypeAlias = FullyConnectedNet | ConvolutionalNet
"""A net that a spec can name."""
