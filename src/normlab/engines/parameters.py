"""A net of the compiled engine as a reference net: its memory layout undone."""

from __future__ import annotations

from normlab.engines.layout import BETA, GAMMA, B, Net, State, panels
from normlab.engines.processor import PANEL, TILE
from normlab.nets import FullyConnectedNet


def put_into(model: FullyConnectedNet, net: Net, state: State) -> None:
    """Give a net of the book the parameters and running statistics of a state (see `layout.fresh_state`)."""
    for layer, start in enumerate(net.starts):
        fan_in, fan_out = int(net.dims[layer]), int(net.dims[layer + 1])
        units, pieces = max(fan_out, TILE), panels(fan_in)
        laid_out = state.weights[start : start + pieces * units * PANEL].reshape(pieces, units, PANEL)
        padded = laid_out.transpose(0, 2, 1).reshape(pieces * PANEL, units)
        model.params[f"W{layer + 1}"] = padded[:fan_in, :fan_out].copy()
        for row, name in ((B, "b"), (GAMMA, "gamma"), (BETA, "beta")):
            if f"{name}{layer + 1}" in model.params:
                model.params[f"{name}{layer + 1}"] = state.vectors[row, layer, :fan_out].copy()
    if model.normalization == "batchnorm":
        for layer, param in enumerate(model.bn_params):
            width = int(net.dims[layer + 1])
            param["running_mean"] = state.running[layer, 0, :width].copy()
            param["running_var"] = state.running[layer, 1, :width].copy()
