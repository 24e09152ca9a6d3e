"""L2 regularization, of the weights only: 0.5 * reg * Σ W², whose gradient is reg * W."""

from __future__ import annotations

from normlab.typing import Array, Params


def is_weight(name: str) -> bool:
    """Whether a parameter of this name is a weight W: regularized and decayed, as biases and norms are not."""
    return name[0] == "W"


def l2_loss(params: Params, reg: float) -> Array | float:
    """0.5 * reg * the sum over every W of its squares; one number a net where the weights are stacked."""
    if not reg:
        return 0.0
    weights = {name: W for name, W in params.items() if is_weight(name)}
    # a layer's bias is a line of numbers: whatever axes it has before that stack nets
    stacked = {name: params[f"b{name[1:]}"].ndim - 1 for name in weights}
    total: Array | float = sum(
        0.5 * reg * (W * W).sum(axis=tuple(range(stacked[name], W.ndim)))
        for name, W in weights.items()
    )
    return total


def regularized(grads: Params, params: Params, reg: float) -> Params:
    """The gradients with reg * W added to each weight's."""
    if not reg:
        return grads
    return {
        name: grad + reg * params[name] if is_weight(name) else grad for name, grad in grads.items()
    }
