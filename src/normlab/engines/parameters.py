"""A net of the compiled engine as a reference net: its memory layout undone."""

from __future__ import annotations

from normlab.engines.layout import VECTORS, Net, State, out_of_strips
from normlab.nets import FullyConnectedNet


def put_into(model: FullyConnectedNet, net: Net, state: State) -> None:
    """Give a reference net the parameters and running statistics of a state (see `layout.fresh_state`)."""
    layers, width = len(net.starts), net.width
    vectors = state.vectors.reshape(-1, layers, width)
    for layer, start in enumerate(net.starts):
        fan_in, fan_out = int(net.dims[layer]), int(net.dims[layer + 1])
        model.params[f"W{layer + 1}"] = out_of_strips(state.weights[start:], fan_in, fan_out)
        for row, name in enumerate(VECTORS):
            known = model.params.get(f"{name}{layer + 1}")
            if known is not None:
                model.params[f"{name}{layer + 1}"] = vectors[row, layer, : known.size].copy()
    if model.norm is not None and model.norm.running:
        running = state.running.reshape(layers, 2, width)
        for layer, param in enumerate(model.bn_params):
            units = int(net.dims[layer + 1])
            param["running_mean"] = running[layer, 0, :units].copy()
            param["running_var"] = running[layer, 1, :units].copy()
