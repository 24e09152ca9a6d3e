"""ONNX's operators around training in terms of the reference: losses, dropout, Gemm, ReLU and three update rules.

Where ONNX's conventions differ from the reference's, the difference is undone in the arguments, and
said beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from normlab import layers, optim
from normlab.errors import not_one_of
from normlab.typing import Array
from proof.conformance.onnx_norms import Attributes, Inputs

CORRECTED = (
    10**9
)  # a step count after which Adam's bias corrections 1 - beta^t are 1 to the bit, for beta < 1 - 1e-7


def softmax_cross_entropy(attributes: Attributes, inputs: Inputs) -> tuple[Array, ...]:
    """SoftmaxCrossEntropyLoss, and the logarithms of the probabilities as its second output."""
    x = inputs[0]
    rows = _examples(x)
    # the loss of class c on a stack of nets with one example each is -log p_c of that example
    log_p = [-layers.softmax_loss(rows, np.full(rows.shape[:2], c))[0] for c in range(x.shape[1])]
    spatial = x.shape[:1] + x.shape[2:]
    log_prob = np.moveaxis(np.stack(log_p, axis=-1).reshape(*spatial, -1), -1, 1).astype(x.dtype)
    return _loss(layers.softmax_loss, attributes, inputs), log_prob


def negative_log_likelihood(attributes: Attributes, inputs: Inputs) -> tuple[Array, ...]:
    """NegativeLogLikelihoodLoss, whose inputs are logarithms of probabilities already."""
    return (_loss(layers.nll_loss, attributes, inputs),)


def _loss(loss: Any, attributes: Attributes, inputs: Inputs) -> Array:
    """The loss with ONNX's reduction, class weights and ignored label, which the reference has not."""
    x, labels, *rest = inputs
    weights = rest[0] if rest else None
    reduction, ignored = (
        attributes.get("reduction", b"mean").decode(),
        attributes.get("ignore_index"),
    )
    rows, y = _examples(x), labels.reshape(-1, 1)
    if reduction == "mean" and weights is None and ignored is None:
        return np.asarray(loss(rows[:, 0], y[:, 0])[0], dtype=x.dtype)
    out = np.zeros(y.shape, bool) if ignored is None else y == ignored
    y = np.where(out, 0, y)  # an ignored label may lie outside the classes
    weight = np.where(out, 0.0, 1.0 if weights is None else weights[y])[:, 0]
    losses = loss(rows, y)[0] * weight  # one net, one loss an example
    if reduction == "none":
        return np.asarray(losses.reshape(labels.shape), dtype=x.dtype)
    if reduction not in ("mean", "sum"):
        raise not_one_of("reduction", reduction, ("none", "mean", "sum"))
    return np.asarray(losses.sum() / (weight.sum() if reduction == "mean" else 1), dtype=x.dtype)


def _examples(x: Array) -> Array:
    """Scores (N, C, ...spatial) as a stack of nets with one example each: (N · positions, 1, C)."""
    return np.moveaxis(x, 1, -1).reshape(-1, 1, x.shape[1])


class MirroredDraws:
    """Uniform draws u as 1 - u: ONNX's own keeps a unit where u >= ratio, ours where u < p = 1 - ratio."""

    def __init__(self, seed: int) -> None:
        self.generator = np.random.RandomState(seed)

    def rand(self, *shape: int) -> Array:
        """As RandomState.rand."""
        return 1 - self.generator.rand(*shape)


def dropout(attributes: Attributes, inputs: Inputs) -> tuple[Array, ...]:
    """Dropout, with the draws of ONNX's reference; `ratio` is the probability of dropping. And the kept."""
    x, ratio, training = [*inputs, None, None][:3]
    dropout_param = {
        "mode": "train" if training is not None and training.item() else "test",
        "p": 1 - (attributes.get("ratio", 0.5) if ratio is None else ratio.item()),
        "rng": MirroredDraws(attributes.get("seed", 0)),
    }
    out, cache = layers.dropout_forward(x, dropout_param)
    return out, np.ones(x.shape, bool) if cache.mask is None else cache.mask != 0


def gemm(attributes: Attributes, inputs: Inputs) -> tuple[Array, ...]:
    """Gemm, alpha A' B' + beta C: the affine layer on alpha A', with beta C as its bias where C is one row."""
    a, b, *rest = inputs
    a, b = (m.T if attributes.get(f"trans{name}", 0) else m for name, m in (("A", a), ("B", b)))
    no_bias = np.zeros(b.shape[1], a.dtype)
    c = no_bias if not rest or rest[0] is None else attributes.get("beta", 1.0) * rest[0]
    a = attributes.get("alpha", 1.0) * a
    if c.ndim < 2 or c.shape[0] == 1:
        bias = np.broadcast_to(c, (1, b.shape[1]))[0]
        return (layers.affine_forward(a, b, bias)[0].astype(a.dtype),)
    return ((layers.affine_forward(a, b, no_bias)[0] + c).astype(a.dtype),)


def relu(_attributes: Attributes, inputs: Inputs) -> tuple[Array, ...]:
    """Relu."""
    return (layers.relu_forward(inputs[0])[0],)


def momentum(attributes: Attributes, inputs: Inputs) -> tuple[Array, ...]:
    """Momentum: V = alpha V + beta G, and X - R V; or, in Nesterov's mode, X - R (G + alpha V).

    ONNX keeps the velocity as a sum of gradients, the reference as a step: -R V. At rate 1 they
    differ by the sign alone; plain descent then takes the step. At T = 0 the gradient enters with
    weight 1 instead of beta.
    """
    rate, t, tensors = _split(inputs, 3)
    alpha, beta = attributes["alpha"], attributes["beta"] if t > 0 else 1.0
    new_x, new_v = [], []
    for x, g, v in tensors:
        g = attributes["norm_coefficient"] * x + g
        _, config = optim.sgd_momentum(
            x, beta * g, {"learning_rate": 1.0, "momentum": alpha, "velocity": -v}
        )
        v = -config["velocity"]
        direction = g + alpha * v if attributes["mode"] == b"nesterov" else v
        new_x.append(optim.sgd(x, direction, {"learning_rate": rate})[0])
        new_v.append(v)
    return _typed(tensors, new_x, new_v)


def adam(attributes: Attributes, inputs: Inputs) -> tuple[Array, ...]:
    """Adam. ONNX counts steps from T = 0, at which it corrects nothing, and adds epsilon before it corrects sqrt(v)."""
    rate, t, tensors = _split(inputs, 4)
    alpha, beta = attributes.get("alpha", 0.9), attributes.get("beta", 0.999)
    epsilon = attributes.get("epsilon", 0.0) / (np.sqrt(1 - beta**t) if t > 0 else 1)
    shrink = 1 - attributes.get("norm_coefficient_post", 0.0)
    new_x, new_v, new_h = [], [], []
    for x, g, v, h in tensors:
        g = attributes.get("norm_coefficient", 0.0) * x + g
        config = {
            "learning_rate": rate,
            "beta1": alpha,
            "beta2": beta,
            "epsilon": epsilon,
            "m": v,
            "v": h,
        }
        config["t"] = (
            t if t > 0 else CORRECTED
        ) - 1  # the reference increments t before it uses it
        x, config = optim.adam(x, g, config)
        new_x.append(shrink * x)
        new_v.append(config["m"])
        new_h.append(config["v"])
    return _typed(tensors, new_x, new_v, new_h)


def adagrad(attributes: Attributes, inputs: Inputs) -> tuple[Array, ...]:
    """Adagrad, at the rate R / (1 + decay_factor T)."""
    rate, t, tensors = _split(inputs, 3)
    rate /= 1 + attributes.get("decay_factor", 0.0) * t
    new_x, new_h = [], []
    for x, g, h in tensors:
        g = attributes.get("norm_coefficient", 0.0) * x + g
        config = {"learning_rate": rate, "epsilon": attributes.get("epsilon", 0.0), "cache": h}
        x, config = optim.adagrad(x, g, config)
        new_x.append(x)
        new_h.append(config["cache"])
    return _typed(tensors, new_x, new_h)


def _split(inputs: Inputs, kinds: int) -> tuple[float, int, list[tuple[Array, ...]]]:
    """R, T, and for each tensor its (X, G, state, ...): ONNX lists all X first, then all G, and so on."""
    rate, t, *rest = inputs
    count = len(rest) // kinds
    return float(rate), int(t), [tuple(rest[which::count]) for which in range(count)]


def _typed(tensors: list[tuple[Array, ...]], *results: list[Array]) -> tuple[Array, ...]:
    """All results in one tuple, each in its tensor's type."""
    return tuple(
        np.asarray(new, t[0].dtype)
        for group in results
        for new, t in zip(group, tensors, strict=True)
    )
