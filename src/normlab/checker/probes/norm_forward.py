"""Forward passes that normalize: batch norm in training and testing, its running statistics, layer norm.

Everything is drawn so that mistakes show: general gamma and beta, eps of order one, N != D and N == D, small
running variances. The notebook's own cells use gamma = 1, beta = 0, eps = 1e-5, where most hide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from normlab.checker.compare import agrees, as_array, distance
from normlab.checker.exam import Case, Examination, Failed, Unwritten, settle
from normlab.checker.family import Family
from normlab.typing import Array


class Draw(NamedTuple):
    """Inputs of a normalization; `axis` is the one it reduces over (0 batch norm, 1 layer norm)."""

    x: Array
    gamma: Array
    beta: Array
    eps: float
    momentum: float
    running_mean: Array
    running_var: Array
    axis: int

    def param(self, mode: str = "train", *, state: bool = True) -> dict[str, Any]:
        """The dict that the function takes."""
        given: dict[str, Any] = {"mode": mode, "eps": self.eps, "momentum": self.momentum}
        if state and self.axis == 0:
            given |= {"running_mean": self.running_mean, "running_var": self.running_var}
        return given


def draw(rng: np.random.Generator, n: int, d: int, axis: int) -> Draw:
    """x (n, d) with columns and rows of different means and widths; gamma of either sign."""
    x = rng.normal(size=(n, d)) * rng.uniform(0.5, 2.5, size=d) + rng.normal(size=d) + 0.7 * rng.normal(size=(n, 1))
    return Draw(
        x=x,
        gamma=rng.uniform(0.5, 2.0, size=d) * rng.choice([-1.0, 1.0], size=d),
        beta=rng.normal(size=d),
        eps=float(rng.uniform(0.3, 0.8)),
        momentum=float(rng.uniform(0.55, 0.8)),
        running_mean=rng.normal(size=d),
        running_var=rng.uniform(0.05, 0.6, size=d),
        axis=axis,
    )


DIVISORS = (
    "root", "divided_by_variance", "divided_by_variance#eps", "eps_outside", "eps_missing", "eps_hard_coded",
    "eps_hard_coded#8", "not_divided", "eps_twice", "multiplied",
)  # fmt: skip
AFFINE = ("both", "beta_missing", "gamma_missing", "beta_scaled", "affine_missing", "gamma_beta_swapped", "gamma_twice")


def divided_by(var: Array, eps: float, choice: str) -> Array:
    return {
        "root": np.sqrt(var + eps), "divided_by_variance": var,
        "divided_by_variance#eps": var + eps, "eps_outside": np.sqrt(var) + eps,
        "eps_missing": np.sqrt(var), "eps_hard_coded": np.sqrt(var + 1e-5),
        "eps_hard_coded#8": np.sqrt(var + 1e-8), "not_divided": np.ones_like(var),
        "eps_twice": np.sqrt(var + eps) + eps, "multiplied": 1 / np.sqrt(var + eps),
    }[choice]  # fmt: skip


def affine(xhat: Array, gamma: Array, beta: Array, choice: str) -> Array:
    if choice == "gamma_per_row":
        return gamma[:, None] * xhat + beta[:, None]
    scaled = {
        "both": gamma * xhat + beta, "beta_missing": gamma * xhat, "gamma_missing": xhat + beta,
        "beta_scaled": gamma * (xhat + beta), "affine_missing": xhat,
        "gamma_beta_swapped": beta * xhat + gamma, "gamma_twice": gamma * gamma * xhat + beta,
    }[choice]  # fmt: skip
    return np.asarray(scaled)


def _statistics(d: Draw, choice: Mapping[str, str]) -> tuple[Array, Array]:
    x, own, source = d.x, d.axis, choice.get("source", "own")
    if source.startswith("uses_running"):
        mean, var = d.running_mean, d.running_var
        if source.endswith("#updated"):
            m = d.momentum
            mean, var = m * mean + (1 - m) * x.mean(0), m * var + (1 - m) * x.var(0)
        return mean, var
    axis = {"own": own, "wrong_axis": 1 - own, "whole_array": None, "keepdims_missing": own}[choice["axis"]]
    keep = choice["axis"] != "keepdims_missing"
    mean = x.mean(axis=axis, keepdims=keep)
    centred = x - mean
    count = x.size if axis is None else x.shape[axis]
    var = {
        "biased": x.var(axis=axis, keepdims=keep),
        "unbiased": x.var(axis=axis, keepdims=keep) * count / (count - 1),
        "not_centred_variance": (x * x).mean(axis=axis, keepdims=keep),
        "summed_variance": x.var(axis=axis, keepdims=keep) * count,
        "absolute_deviation": np.abs(centred).mean(axis=axis, keepdims=keep),
    }[choice["variance"]]  # fmt: skip
    return mean, var


def _normalize(d: Draw, choice: Mapping[str, str]) -> Array:
    mean, var = _statistics(d, choice)
    centred = d.x - mean if choice["centre"] == "mean" else d.x
    xhat = centred / divided_by(var, d.eps, choice["divisor"])
    out = affine(xhat, d.gamma, d.beta, choice["affine"])
    return out if out.shape == d.x.shape else np.full(0, np.nan)


VARIANCES = ("biased", "unbiased", "not_centred_variance", "summed_variance", "absolute_deviation")
TRAIN = Family(
    {
        "source": ("own", "uses_running", "uses_running#updated"),
        "axis": ("own", "wrong_axis", "whole_array", "keepdims_missing"),
        "centre": ("mean", "mean_not_subtracted"),
        "variance": VARIANCES,
        "divisor": DIVISORS,
        "affine": AFFINE,
    },
    _normalize,
)
LAYER = Family(
    {
        "axis": ("own", "wrong_axis", "whole_array", "keepdims_missing"),
        "centre": ("mean", "mean_not_subtracted"),
        "variance": VARIANCES,
        "divisor": DIVISORS,
        "affine": (*AFFINE, "gamma_per_row"),
    },
    _normalize,
)


def _test_mode(d: Draw, choice: Mapping[str, str]) -> Array:
    if choice["source"] == "test_uses_batch":
        mean, var = d.x.mean(0), d.x.var(0)
    elif choice["source"] == "test_uses_batch#half":
        mean, var = d.running_mean, d.x.var(0)
    elif choice["source"] == "test_uses_batch#mean":
        mean, var = d.x.mean(0), d.running_var
    elif choice["source"] == "test_uses_updated":
        m = d.momentum
        mean, var = m * d.running_mean + (1 - m) * d.x.mean(0), m * d.running_var + (1 - m) * d.x.var(0)
    else:
        mean, var = d.running_mean, d.running_var
    centred = d.x if choice["centre"] == "test_mean_not_subtracted" else d.x - mean
    xhat = centred / divided_by(var, d.eps, choice["divisor"].removeprefix("test_"))
    return affine(xhat, d.gamma, d.beta, choice["affine"].removeprefix("test_"))


def _named_test(options: tuple[str, ...]) -> tuple[str, ...]:
    return (options[0], *(f"test_{option}" for option in options[1:]))


TEST = Family(
    {
        "source": ("running", "test_uses_batch", "test_uses_batch#half", "test_uses_batch#mean", "test_uses_updated"),
        "centre": ("mean", "test_mean_not_subtracted"),
        "divisor": _named_test(DIVISORS),
        "affine": _named_test(AFFINE),
    },
    _test_mode,
)


def _running(d: Draw, choice: Mapping[str, str]) -> tuple[Array, Array]:
    n, var = d.x.shape[0], d.x.var(0)
    mean = d.x.mean(0)
    held = {
        "variance": var, "holds_std": np.sqrt(var), "holds_std#eps": np.sqrt(var + d.eps), "holds_mean": mean,
        "running_unbiased": var * n / (n - 1), "holds_eps": var + d.eps, "holds_inverse": 1 / np.sqrt(var + d.eps),
        "holds_sum": var * n,
    }[choice["held"]]  # fmt: skip

    def updated(old: Array, new: Array, way: str) -> Array:
        m = 0.9 if way == "momentum_hard_coded" else d.momentum
        return {
            "momentum_swapped": (1 - m) * old + m * new, "not_updated": old, "overwritten": new,
            "accumulated": old + (1 - m) * new, "summed": old + new, "decayed_only": m * old,
        }.get(way, m * old + (1 - m) * new)  # fmt: skip

    both = choice["way"]
    var_way = choice["variance_way"].removeprefix("variance_") if choice["variance_way"] else both
    mean_way = choice["mean_way"].removeprefix("mean_") if choice["mean_way"] else both
    return updated(d.running_mean, mean, mean_way), updated(d.running_var, held, var_way)


SPOILING = ("wrong_axis", "whole_array", "not_centred_variance", "uses_running", "mean_not_subtracted",
            "keepdims_missing", "summed_variance", "absolute_deviation", "unexplained")  # fmt: skip
"""Mistakes of the statistics themselves: nothing can be asked about their running averages."""

WAYS = (
    "momentum_swapped",
    "not_updated",
    "overwritten",
    "momentum_hard_coded",
    "accumulated",
    "summed",
    "decayed_only",
)
RUNNING = Family(
    {
        "way": ("", *WAYS),
        "held": ("variance", "holds_std", "holds_std#eps", "holds_mean", "running_unbiased", "holds_eps",
                 "holds_inverse", "holds_sum"),
        "mean_way": ("", *(f"mean_{way}" for way in WAYS)),
        "variance_way": ("", *(f"variance_{way}" for way in WAYS)),
    },
    _running,
    harmless=frozenset({"running_unbiased"}),
)  # fmt: skip


def examine(exam: Examination) -> None:
    """Judge batchnorm_forward and layernorm_forward, where they are there."""
    rng = exam.random(4)
    if exam.has("batchnorm_forward"):
        case = Case(
            exam, "batchnorm_forward", "norm_forward", over="the batch", other="the features", axis="axis=0", n="N"
        )
        settle(case, _examine_batch, rng)
    if exam.has("layernorm_forward"):
        other = Case(
            exam, "layernorm_forward", "norm_forward", over="the features", other="the batch", axis="axis=1", n="D"
        )
        settle(other, _examine_layer, rng)


def _examine_batch(case: Case, rng: np.random.Generator) -> None:
    name = case.function
    draws = [draw(rng, n, d, 0) for n, d in ((6, 4), (5, 5), (3, 7))]
    square = [draw(rng, n, n, 0) for n in (4, 6)]

    def train(d: Draw) -> Any:
        return case.forward(name, d.x, d.gamma, d.beta, d.param())[0]

    right = case.explain(TRAIN, draws, train, square=square, what="the output in training")
    case.exam.fine[f"{name}.train"] = right
    if right:
        d = draws[0]
        outcome = case.forward(name, d.x, d.gamma, d.beta, d.param())[2]
        clean = case.untouched((d.x, d.gamma, d.beta), outcome, ("x", "gamma", "beta"))
        case.exam.fine[f"{name}.train"] = clean
        _examine_dtype(case, d)
    _examine_running(case, draws, square)
    if not case.found("raises"):
        _examine_test(case, [d._replace(running_var=d.running_var * 0.3, eps=0.4) for d in draws], square)


def _examine_running(case: Case, draws: list[Draw], square: list[Draw]) -> None:
    """The state after one training step, from a given state and from none."""

    def state_after(d: Draw) -> tuple[Array, Array]:
        outcome = case.forward(case.function, d.x, d.gamma, d.beta, d.param())[2]
        return state_of(outcome.args[3], d)

    if case.verdict == "wrong" and any(case.found(key) for key in SPOILING):
        return  # what is averaged is not what should be: the running values can only be wrong too
    try:
        right = case.explain(
            RUNNING, draws, state_after, square=square, what="running_mean and running_var after a step"
        )
    except Unwritten:
        case.unimplemented("the update of the running statistics")
        return
    if not right:
        return
    d = draws[0]
    try:
        outcome = case.forward(case.function, d.x, d.gamma, d.beta, d.param(state=False))[2]
    except Failed as failure:
        case.wrong("no_first_state", str(failure.raised), line=failure.raised.line)
        return
    zero = d._replace(running_mean=np.zeros_like(d.beta), running_var=np.zeros_like(d.beta))
    case.explain(
        RUNNING, [zero], lambda _: state_of(outcome.args[3], d), what="running statistics from an empty bn_param"
    )


def state_of(param: Any, d: Draw) -> tuple[Array, Array]:
    """The running statistics in a bn_param, flat; the given ones where the shape is another."""
    if not isinstance(param, dict):
        raise Unwritten
    mean, var = as_array(param.get("running_mean")), as_array(param.get("running_var"))
    if mean is None or var is None:
        return d.running_mean + np.nan, d.running_var + np.nan
    size = d.beta.size
    return (mean.reshape(-1) if mean.size == size else mean), (var.reshape(-1) if var.size == size else var)


def _examine_test(case: Case, draws: list[Draw], square: list[Draw]) -> None:
    """Test mode on a given state; then whether it leaves that state alone."""

    def test(d: Draw) -> Any:
        return case.forward(case.function, d.x, d.gamma, d.beta, d.param("test"))[0]

    try:
        right = case.explain(TEST, draws, test, square=square, what="the output in test mode")
    except Unwritten:
        case.unimplemented("test mode")
        return
    d = draws[0]
    outcome = case.forward(case.function, d.x, d.gamma, d.beta, d.param("test"))[2]
    mean, var = state_of(outcome.args[3], d)
    if not (agrees(mean, d.running_mean) and agrees(var, d.running_var)):
        case.wrong("test_updates_state", "running_mean and running_var are others after a call in test mode")
    elif right:
        case.untouched((d.x, d.gamma, d.beta), outcome, ("x", "gamma", "beta"))


def _examine_layer(case: Case, rng: np.random.Generator) -> None:
    name = case.function
    draws = [draw(rng, n, d, 1) for n, d in ((6, 4), (5, 5), (3, 7))]
    square = [draw(rng, n, n, 1) for n in (4, 6)]

    def run(d: Draw) -> Any:
        return case.forward(name, d.x, d.gamma, d.beta, d.param())[0]

    right = case.explain(LAYER, draws, run, square=square)
    case.exam.fine[f"{name}.train"] = right
    if right:
        d = draws[0]
        outcome = case.forward(name, d.x, d.gamma, d.beta, d.param())[2]
        case.exam.fine[f"{name}.train"] = case.untouched((d.x, d.gamma, d.beta), outcome, ("x", "gamma", "beta"))
        _examine_dtype(case, d)
        test = case.forward(name, d.x, d.gamma, d.beta, d.param("test"))[0]
        if not agrees(test, _normalize(d, {slot: options[0] for slot, options in LAYER.slots.items()})):
            case.wrong("layer_norm_has_modes", "with mode='test' the output is another")


def _examine_dtype(case: Case, d: Draw) -> None:
    """float32 in, float32 out."""
    single = [a.astype(np.float32) for a in (d.x, d.gamma, d.beta)]
    param = {k: v.astype(np.float32) if isinstance(v, np.ndarray) else v for k, v in d.param().items()}
    try:
        out = case.forward(case.function, *single, param)[0]
    except Failed:
        return
    if isinstance(out, np.ndarray) and out.dtype == np.float64:
        case.remark("dtype_leak", "float32 in, float64 out")


__all__ = ["LAYER", "TRAIN", "Draw", "distance", "draw", "examine"]
