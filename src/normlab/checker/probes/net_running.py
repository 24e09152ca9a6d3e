"""Building a person's net and running it: with whatever names this year gives its options."""

from __future__ import annotations

from typing import Any

import numpy as np

from normlab.checker.child.framing import Kept
from normlab.checker.compare import as_array
from normlab.checker.exam import Case, Examination, Settled, Unwritten
from normlab.checker.probes.net_formulas import NetDraw, floored
from normlab.checker.probes.net_parameters import FIRST_SEED, SCALE, Names
from normlab.checker.subject import Known
from normlab.typing import Array


def is_this_assignments(exam: Examination, name: str, widths: str) -> bool:
    """Whether a class has this assignment's options: an earlier one has a TwoLayerNet of another
    kind."""
    return {"input_dim", widths} <= set(exam.known(name).parameter_names)


def keeps(known: Known) -> tuple[str, bool]:
    """The dropout parameter's name, and whether it is the probability of keeping a unit."""
    defaults = dict(known.parameters)
    if "dropout_keep_ratio" in defaults:
        return "dropout_keep_ratio", True
    default = defaults.get("dropout")
    return ("dropout" if "dropout" in defaults else ""), default in ("1", "1.0")


def build(case: Case, dims: tuple[int, ...], normalization: str | None = None, **more: Any) -> Kept:
    """A net of these widths, with whatever names this year gives its options."""
    known = case.exam.known(case.function)
    options: dict[str, Any] = {
        "input_dim": dims[0],
        "num_classes": dims[-1],
        "reg": 0.0,
        "weight_scale": SCALE,
        **more,
    }
    if "hidden_dim" in known.parameter_names:
        options["hidden_dim"] = dims[1]
    else:
        options["hidden_dims"] = list(dims[1:-1])
        options.setdefault("dtype", np.float64)
        if normalization is not None and "normalization" in known.parameter_names:
            options["normalization"] = normalization
        elif normalization == "batchnorm" and "use_batchnorm" in known.parameter_names:
            options["use_batchnorm"] = True
    options = {name: value for name, value in options.items() if name in known.parameter_names}
    outcome = case.exam.subject.call(case.function, keep="all", numpy_seed=FIRST_SEED, **options)
    case.came_back(outcome)
    if not isinstance(outcome.value, Kept):
        raise Unwritten
    return outcome.value


def parameters(case: Case, net: Kept) -> dict[str, Array]:
    """The net's params; a finding where they are no dict of arrays."""
    outcome = case.exam.subject.get(net, "params")
    if outcome.error is not None or not isinstance(outcome.value, dict):
        case.wrong("no_params", str(outcome.error or "params is no dict"))
        raise Settled
    if not outcome.value:
        raise Unwritten
    return outcome.value


def loss_of(case: Case, net: Kept, x: Array, y: Array | None = None, seed: int = 7) -> Any:
    """What loss(X) or loss(X, y) returns."""
    args = (x,) if y is None else (x, y)
    return case.came_back(case.exam.subject.method(net, "loss", *args, numpy_seed=seed)).value


def loss_and_gradients(
    case: Case, net: Kept, d: NetDraw, names: Names, reg: float = 0.0
) -> tuple[Any, ...]:
    """Loss and gradients in the order of the draw's keys, at the draw's parameters.

    A gradient that is not there is zero here, and in `missing`; the caller says so.
    """
    case.exam.subject.set(net, "reg", reg)
    case.exam.subject.update(net, "params", names.given(d.params))
    value = loss_of(case, net, d.x, d.y)
    loss, grads = case.results(value, ("loss", "grads"))
    if not isinstance(grads, dict) or (not grads and d.params):
        raise Unwritten
    shaped = []
    for key in d.keys:
        array = as_array(grads.get(names.own.get(key, key)))
        own = d.params[key]
        shaped.append(
            np.zeros_like(own) if array is None else names.unshaped(key, array, own.shape)
        )
    number = as_array(loss)
    whole = np.asarray(number).reshape(()) if number is not None and number.size == 1 else loss
    return floored((whole, *shaped))


def examine_gradients(case: Case, net: Kept, d: NetDraw, names: Names) -> None:
    """Whether each parameter has its gradient, under its name and of its shape."""
    case.exam.subject.update(net, "params", names.given(d.params))
    grads = case.results(loss_of(case, net, d.x, d.y), ("loss", "grads"))[1]
    if not isinstance(grads, dict):
        return
    missing = [names.own[key] for key in d.keys if key in names.own and names.own[key] not in grads]
    if missing:
        case.wrong(
            "gradient_keys", f"grads has {', '.join(sorted(grads))}; missing: {', '.join(missing)}"
        )
    for key in d.keys:
        if key not in names.own:
            continue
        name = names.own[key]
        array = as_array(grads.get(name))
        own = names.shaped(key, d.params[key]).shape
        if array is not None and array.shape != own:
            case.wrong(
                "gradient_shape",
                f"the gradient of {name} has shape {array.shape}, {name} has {own}",
            )


class OwnLayers:
    """The person's own layers, right or wrong: a net is then judged for its wiring alone."""

    def __init__(self, case: Case, alternative: bool = False) -> None:
        self.case = case
        self.batch_back = "batchnorm_backward_alt" if alternative else "batchnorm_backward"

    def _pair(self, name: str, *args: Any) -> tuple[Array, Any]:
        out, cache, _ = self.case.forward(name, *args)
        return out, cache

    def _three(self, name: str, dout: Array, cache: Any) -> tuple[Array, Array, Array]:
        dx, first, second = self.case.results(
            self.case.call(name, dout, cache).value, ("dx", "", "")
        )
        return dx, first, second

    def affine(self, x: Array, w: Array, b: Array) -> tuple[Array, Any]:
        return self._pair("affine_forward", x, w, b)

    def affine_back(self, dout: Array, cache: Any) -> tuple[Array, Array, Array]:
        return self._three("affine_backward", dout, cache)

    def relu(self, x: Array) -> tuple[Array, Any]:
        return self._pair("relu_forward", x)

    def relu_back(self, dout: Array, cache: Any) -> Array:
        return np.asarray(self.case.call("relu_backward", dout, cache).value)

    def norm(self, kind: str, x: Array, gamma: Array, beta: Array) -> tuple[Array, Any]:
        return self._pair(f"{kind}_forward", x, gamma, beta, {"mode": "train"})

    def norm_back(self, kind: str, dout: Array, cache: Any) -> tuple[Array, Array, Array]:
        name = self.batch_back if kind == "batchnorm" else "layernorm_backward"
        return self._three(name, dout, cache)

    def softmax(self, scores: Array, y: Array) -> tuple[Array, Array]:
        loss, dx = self.case.results(
            self.case.call("softmax_loss", scores, y).value, ("loss", "dx")
        )
        return loss, dx
