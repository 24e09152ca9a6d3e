"""Forward passes that normalize: batch norm in training and testing, its running statistics, layer
norm.

Everything is drawn so that mistakes show: general gamma and beta, eps of order one, N != D and N
== D, small
running variances. The notebook's own cells use gamma = 1, beta = 0, eps = 1e-5, where most hide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from normlab.checker.compare import agrees, as_array
from normlab.checker.exam import Case, Examination, Failed, Unwritten, settle
from normlab.checker.family import Family
from normlab.checker.mistakes import norm_forward as mistakes
from normlab.checker.mistakes import norm_state
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

    @property
    def updated(self) -> tuple[Array, Array]:
        """The running statistics after a step of training."""
        mean, var, m = self.running_mean, self.running_var, self.momentum
        return m * mean + (1 - m) * self.x.mean(0), m * var + (1 - m) * self.x.var(0)

    def param(self, mode: str = "train", *, state: bool = True) -> dict[str, Any]:
        """The dict that the function takes."""
        given: dict[str, Any] = {"mode": mode, "eps": self.eps, "momentum": self.momentum}
        if state and self.axis == 0:
            given |= {"running_mean": self.running_mean, "running_var": self.running_var}
        return given


def draw(rng: np.random.Generator, n: int, d: int, axis: int) -> Draw:
    """x (n, d) with columns and rows of different means and widths; gamma of either sign."""
    x = (
        rng.normal(size=(n, d)) * rng.uniform(0.5, 2.5, size=d)
        + rng.normal(size=d)
        + 0.7 * rng.normal(size=(n, 1))
    )
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


def _own_statistics(d: Draw, own: tuple[Array, Array]) -> tuple[Array, Array]:
    return own


def _normalize(d: Draw, pick: Mapping[str, Any]) -> Array:
    both = pick["axis"](d.axis)
    mean = pick["mean"](d.x, _over(pick["mean_axis"](d.axis) or both))
    over = _over(pick["variance_axis"](d.axis) or both)
    count = d.x.size if over["axis"] is None else d.x.shape[over["axis"]]
    mean, var = pick["source"](d, (mean, pick["variance"](d.x, mean, over, count)))
    xhat = pick["centre"](d.x, mean) / pick["divisor"](var, d.eps)
    out = np.asarray(pick["affine"](xhat, d.gamma, d.beta))
    return out if out.shape in (d.x.shape, d.x.shape[::-1]) else np.full(0, np.nan)


def _over(axis: tuple[int | None, bool]) -> dict[str, Any]:
    return {"axis": axis[0], "keepdims": axis[1]}


def _as_both(own: int) -> None:
    """Mean and variance are taken over one axis."""


CENTRE = {"centre": lambda x, mean: x - mean}
SCALED = {
    "divisor": lambda var, eps: np.sqrt(var + eps),
    "affine": lambda xhat, gamma, beta: gamma * xhat + beta,
}
STATISTICS = {
    "source": _own_statistics,
    "axis": lambda own: (own, True),
    "mean": lambda x, over: x.mean(**over),
    "mean_axis": _as_both,
    "variance_axis": _as_both,
    **CENTRE,
    "variance": lambda x, mean, over, n: x.var(**over),
}
TRAIN = Family({**STATISTICS, **SCALED}, mistakes.TRAIN, _normalize)
LAYER = Family({**STATISTICS, **SCALED}, mistakes.LAYER, _normalize)


def _test_mode(d: Draw, pick: Mapping[str, Any]) -> Array:
    mean, var = pick["source"](d)
    xhat = pick["centre"](d.x, mean) / pick["divisor"](var, d.eps)
    return np.asarray(pick["affine"](xhat, d.gamma, d.beta))


TEST = Family(
    {"source": lambda d: (d.running_mean, d.running_var), **CENTRE, **SCALED},
    mistakes.TEST,
    _test_mode,
)


def _running(d: Draw, pick: Mapping[str, Any]) -> tuple[Array, Array]:
    return (
        pick["mean"](d.running_mean, d.x.mean(0), d.momentum),
        pick["variance"](d.running_var, pick["held"](d.x, d.eps), d.momentum),
    )


def _average(old: Array, new: Array, momentum: float) -> Array:
    return momentum * old + (1 - momentum) * new


RUNNING = Family(
    {"mean": _average, "held": lambda x, eps: x.var(0), "variance": _average},
    norm_state.RUNNING,
    _running,
)


def _is_even(d: Draw) -> bool:
    return len(d.x) == len(d.beta)


def examine(exam: Examination) -> None:
    """Judge batchnorm_forward and layernorm_forward, where they are there."""
    rng = exam.random(4)
    if exam.has("batchnorm_forward"):
        case = Case(
            exam,
            "batchnorm_forward",
            "norm_forward",
            over="the batch",
            other="the features",
            axis="axis=0",
            n="N",
        )
        settle(case, _examine_batch, rng)
    if exam.has("layernorm_forward"):
        other = Case(
            exam,
            "layernorm_forward",
            "norm_forward",
            over="the features",
            other="the batch",
            axis="axis=1",
            n="D",
        )
        settle(other, _examine_layer, rng)


def _examine_batch(case: Case, rng: np.random.Generator) -> None:
    name = case.function
    draws = [draw(rng, n, d, 0) for n, d in ((6, 4), (5, 5), (3, 7))]
    square = [draw(rng, n, n, 0) for n in (4, 6)]

    def train(d: Draw) -> Any:
        return case.forward(name, d.x, d.gamma, d.beta, d.param())[0]

    right = case.explain(
        TRAIN, draws, train, square=square, what="the output in training", even=_is_even
    )
    case.exam.fine[f"{name}.train"] = right
    if right:
        d = draws[0]
        outcome = case.forward(name, d.x, d.gamma, d.beta, d.param())[2]
        clean = case.untouched((d.x, d.gamma, d.beta), outcome, ("x", "gamma", "beta"))
        case.exam.fine[f"{name}.train"] = clean
        _examine_dtype(case, d)
    _examine_running(case, draws, square)
    if not case.found("raises"):
        _examine_test(
            case, [d._replace(running_var=d.running_var * 0.3, eps=0.4) for d in draws], square
        )


def _examine_running(case: Case, draws: list[Draw], square: list[Draw]) -> None:
    """The state after one training step, from a given state and from none."""

    def state_after(d: Draw) -> tuple[Array, Array]:
        outcome = case.forward(case.function, d.x, d.gamma, d.beta, d.param())[2]
        return state_of(outcome.args[3], d)

    if case.verdict == "wrong" and any(
        case.found(key) for key in (*mistakes.SPOILED_STATISTICS, "unexplained")
    ):
        return  # what is averaged is not what should be: the running values can only be wrong too
    try:
        right = case.explain(
            RUNNING,
            draws,
            state_after,
            square=square,
            what="running_mean and running_var after a step",
            even=_is_even,
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
    one = zero._replace(running_var=np.ones_like(d.beta))
    state, what = state_of(outcome.args[3], d), "running statistics from an empty bn_param"
    if (
        RUNNING.explain([(zero, state)], 0) is None
        and RUNNING.explain([(one, state)], 0) is not None
    ):
        case.remark("variance_starts_at_one", f"{what}: the first running_var is one")
        return
    case.explain(RUNNING, [zero], lambda _: state, what=what)


def state_of(param: Any, d: Draw) -> tuple[Array, Array]:
    """The running statistics in a bn_param, flat; the given ones where the shape is another."""
    if not isinstance(param, dict):
        raise Unwritten
    mean, var = as_array(param.get("running_mean")), as_array(param.get("running_var"))
    if mean is None or var is None:
        return d.running_mean + np.nan, d.running_var + np.nan
    size = d.beta.size
    return (mean.reshape(-1) if mean.size == size else mean), (
        var.reshape(-1) if var.size == size else var
    )


def _examine_test(case: Case, draws: list[Draw], square: list[Draw]) -> None:
    """Test mode on a given state; then whether it leaves that state alone."""

    def test(d: Draw) -> Any:
        return case.forward(case.function, d.x, d.gamma, d.beta, d.param("test"))[0]

    try:
        right = case.explain(
            TEST, draws, test, square=square, what="the output in test mode", even=_is_even
        )
    except Unwritten:
        case.unimplemented("test mode")
        return
    d = draws[0]
    outcome = case.forward(case.function, d.x, d.gamma, d.beta, d.param("test"))[2]
    mean, var = state_of(outcome.args[3], d)
    if not (agrees(mean, d.running_mean) and agrees(var, d.running_var)):
        case.wrong(
            "test_updates_state",
            "running_mean and running_var are others after a call in test mode",
        )
    elif right:
        case.untouched((d.x, d.gamma, d.beta), outcome, ("x", "gamma", "beta"))


def _examine_layer(case: Case, rng: np.random.Generator) -> None:
    name = case.function
    draws = [draw(rng, n, d, 1) for n, d in ((6, 4), (5, 5), (3, 7))]
    square = [draw(rng, n, n, 1) for n in (4, 6)]

    def run(d: Draw) -> Any:
        return case.forward(name, d.x, d.gamma, d.beta, d.param())[0]

    right = case.explain(LAYER, draws, run, square=square, even=_is_even)
    case.exam.fine[f"{name}.train"] = right
    if right:
        d = draws[0]
        outcome = case.forward(name, d.x, d.gamma, d.beta, d.param())[2]
        case.exam.fine[f"{name}.train"] = case.untouched(
            (d.x, d.gamma, d.beta), outcome, ("x", "gamma", "beta")
        )
        _examine_dtype(case, d)
        test = case.forward(name, d.x, d.gamma, d.beta, d.param("test"))[0]
        if not agrees(test, LAYER.value(d)):
            case.wrong("layer_norm_has_modes", "with mode='test' the output is another")


def _examine_dtype(case: Case, d: Draw) -> None:
    """float32 in, float32 out."""
    single = [a.astype(np.float32) for a in (d.x, d.gamma, d.beta)]
    param = {
        k: v.astype(np.float32) if isinstance(v, np.ndarray) else v for k, v in d.param().items()
    }
    try:
        out = case.forward(case.function, *single, param)[0]
    except Failed:
        return
    if isinstance(out, np.ndarray) and out.dtype == np.float64:
        case.remark("dtype_leak", "float32 in, float64 out")
