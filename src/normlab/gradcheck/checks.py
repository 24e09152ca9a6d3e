"""normlab's own gradient check, by three doors: a function, a layer, a net.

All three compare in float64, because a float32 difference quotient cannot tell a right formula from
a wrong one below 1e-3: float32 inputs are checked on float64 copies. Only where the function itself
computes in float32 whatever it is given does the check follow it there, with larger steps and a
larger tolerance, and say so.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from normlab.errors import OptionError, ShapeError
from normlab.gradcheck.directions import Arrays, Probe
from normlab.gradcheck.probing import (
    as_float64,
    own_errors,
    report,
    rounding_of,
    same_draws,
    value_at,
)
from normlab.gradcheck.reports import GradientReport
from normlab.typing import Array
from normlab.validation import whole_number


def check_gradient(
    f: Callable[..., Any],
    inputs: Array | Mapping[str, Array],
    gradients: Array | Mapping[str, Array],
    *,
    draws: int = 3,
    coordinates: int = 100,
    tolerance: float | None = None,
    seed: int = 0,
) -> GradientReport:
    """Compare claimed gradients of a number with the function that it is.

    `f(*arrays)` returns a number; `inputs` is its argument, or its arguments by name in their
    order; `gradients` has the same names and shapes. `f` is given float64 arrays of its own. Each
    argument is compared along `draws` random directions (from `seed`), then, where one disagrees,
    at up to `coordinates` single entries. `tolerance` replaces the derived one
    (`normlab.gradcheck.directions.tolerance_for`).

    Raises ShapeError where an input is no array of numbers or `f` returns more than one number,
    OptionError where `f` is not finite at its inputs or not a function of them alone.

    >>> x = np.array([1.0, 2.0, 3.0])
    >>> check_gradient(lambda x: (x**3).sum(), x, 3 * x**2).ok
    True
    >>> print(check_gradient(lambda x: (x**3).sum(), x, x**2))  # doctest: +ELLIPSIS
    Gradient check: the gradient of x is wrong.
      x  wrong   direction error ... (allowed ...): differs from the difference quotient.
         Worst at x[2]: the formula gives 9, the difference quotient 27, relative error 0.5.
         All 3 coordinates are off, each by the same factor 0.333333.
    Compared in float64 along 3 random directions an argument.
    """
    _need_function("f", f)
    _need_draws(draws)
    seed = whole_number("seed", seed, 0)
    given = inputs if isinstance(inputs, Mapping) else {"x": inputs}
    claimed = gradients if isinstance(gradients, Mapping) else {"x": gradients}
    arrays = {name: as_float64(name, array) for name, array in given.items()}
    if not arrays:
        raise ShapeError("inputs is an empty dictionary; expected the arguments of f by name")

    def number(moved: Arrays) -> float:
        value = np.asarray(f(*(array.copy() for array in moved.values())))
        if value.dtype.kind not in "fiub":
            raise ShapeError(
                f"f returned {value.dtype} of shape {value.shape}; expected one real number"
            )
        if value.size != 1:
            raise ShapeError(
                f"f returned an array of shape {value.shape}; a gradient check needs one number: "
                "check a layer with check_layer(forward, backward, inputs)"
            )
        return float(value.reshape(()))

    rng = np.random.default_rng(seed)
    at_zero = value_at(number, arrays)
    gradients = {name: np.asarray(gradient) for name, gradient in claimed.items()}
    rounding = rounding_of(number, at_zero, arrays, rng)
    probe = Probe(number, gradients, at_zero, rounding.size, rounding.eps)
    return report(given, arrays, [probe] * draws, rng, coordinates=coordinates, tolerance=tolerance)


def check_layer(
    forward: Callable[..., tuple[Array, Any]],
    backward: Callable[[Array, Any], Any],
    inputs: Mapping[str, Array],
    *,
    draws: int = 3,
    coordinates: int = 100,
    tolerance: float | None = None,
    seed: int = 0,
) -> GradientReport:
    """Compare a layer's backward with its forward.

    `forward(*arrays)` returns `(out, cache)`; `backward(dout, cache)` returns one gradient an
    input, in their order. Each draw has a new random `dout`: with one of all ones the true
    batch-norm gradient is zero, and most mistakes pass. A layer that draws from NumPy's global
    generator (dropout) makes the same draws at every call, and the generator is left as it was
    found.

    >>> def square(x): return x * x, x
    >>> check_layer(square, lambda dout, x: 2 * x * dout, {"x": np.arange(1.0, 4.0)}).ok
    True
    """
    _need_function("forward", forward)
    _need_function("backward", backward)
    _need_draws(draws)
    seed = whole_number("seed", seed, 0)
    if not isinstance(inputs, Mapping):
        raise ShapeError(
            f"inputs is of type {type(inputs).__name__}; expected a dictionary of arrays in the "
            "order of forward's arguments, as {'x': x, 'gamma': gamma}"
        )
    arrays = {name: as_float64(name, array) for name, array in inputs.items()}
    rng = np.random.default_rng(seed)
    with same_draws() as rewind:

        def run(moved: Arrays) -> tuple[Array, Any]:
            rewind()
            return _out_and_cache(forward(*(array.copy() for array in moved.values())))

        def probe() -> Probe:
            with own_errors("forward"):
                out, cache = run(arrays)
            dout = rng.standard_normal(out.shape)

            def projected(moved: Arrays) -> float:
                return float(np.sum(np.asarray(run(moved)[0], np.float64) * dout))

            with own_errors("backward"):
                gradients = _in_order(backward(dout.astype(out.dtype), cache), list(arrays))
            at_zero = value_at(projected, arrays)
            size = float(np.linalg.norm(out * dout))
            rounding = rounding_of(projected, at_zero, arrays, rng, size)
            eps = max(float(np.finfo(out.dtype).eps), rounding.eps)
            return Probe(projected, gradients, at_zero, rounding.size, eps)

        probes = [probe() for _ in range(draws)]
        return report(inputs, arrays, probes, rng, coordinates=coordinates, tolerance=tolerance)


def check_net(
    net: Any,
    X: Array,
    y: Array,
    *,
    shake: bool = True,
    draws: int = 3,
    coordinates: int = 100,
    tolerance: float | None = None,
    seed: int = 0,
) -> GradientReport:
    """Compare every gradient of `net.loss(X, y)` with the loss, on a float64 copy of the net.

    At a new net gamma is 1, beta and b are 0, and a formula that forgets one of them cannot be told
    from a right one: with `shake`, parameters that are all alike are made random first, in the
    copy.

    >>> class Line:
    ...     params = {"w": np.array([2.0])}
    ...     def loss(self, X, y):
    ...         off = X * self.params["w"] - y
    ...         return (off**2).sum(), {"w": 2 * (off * X).sum(keepdims=True)}
    >>> check_net(Line(), np.array([3.0]), np.array([5.0])).ok
    True
    """
    _need_draws(draws)
    seed = whole_number("seed", seed, 0)
    rng = np.random.default_rng(seed)
    if not isinstance(getattr(net, "params", None), Mapping) or not callable(
        getattr(net, "loss", None)
    ):
        raise ShapeError(
            f"net is of type {type(net).__name__}; expected a net with a dictionary `params` and a "
            f"method `loss(X, y)`, such as FullyConnectedNet"
        )
    arrays = {name: as_float64(name, array) for name, array in net.params.items()}
    twin = copy.copy(net)
    twin.params, twin.dtype = {}, np.dtype(np.float64)
    twin = copy.deepcopy(twin)
    X = as_float64("X", X)
    alike = [
        name for name, array in arrays.items() if shake and array.size > 1 and np.ptp(array) == 0
    ]
    for name in alike:
        arrays[name] += rng.uniform(-0.5, 0.5, arrays[name].shape)
    with same_draws() as rewind:

        def loss_and_gradients(moved: Arrays) -> Any:
            rewind()
            fresh = copy.deepcopy(
                twin
            )  # with its own generator and running statistics as they stood
            fresh.params = {name: array.copy() for name, array in moved.items()}
            return fresh.loss(X, y)

        def loss(moved: Arrays) -> float:
            return float(loss_and_gradients(moved)[0])

        at_zero = value_at(loss, arrays)
        with own_errors("the net's loss"):
            found = loss_and_gradients(arrays)[1]
            gradients = {name: np.array(gradient) for name, gradient in found.items()}
        rounding = rounding_of(loss, at_zero, arrays, rng)
        probe = Probe(loss, gradients, at_zero, rounding.size, rounding.eps)
        remark = f"Made random first, being all alike: {', '.join(alike)}." if alike else ""
        return report(
            net.params,
            arrays,
            [probe] * draws,
            rng,
            coordinates=coordinates,
            tolerance=tolerance,
            remark=remark,
        )


def _out_and_cache(result: Any) -> tuple[Array, Any]:
    if (
        not isinstance(result, tuple | list)
        or len(result) != 2
        or not isinstance(result[0], np.ndarray)
    ):
        held = f" of {len(result)}" if isinstance(result, tuple | list) else ""
        raise ShapeError(
            f"forward returned a {type(result).__name__}{held}; expected (out, cache), with an "
            "array out: a function that returns a number is checked with check_gradient"
        )
    out, cache = result
    if out.dtype.kind != "f":
        raise ShapeError(
            f"forward returned an array of {out.dtype}; expected floating-point numbers"
        )
    return out, cache


def _in_order(gradients: Any, names: list[str]) -> dict[str, Array]:
    gradients = gradients if isinstance(gradients, tuple | list) else (gradients,)
    if len(gradients) != len(names):
        raise ShapeError(
            f"backward returned {len(gradients)} gradients for {len(names)} inputs "
            f"({', '.join(names)}); it should return one for each, in their order"
        )
    return {name: np.array(gradient) for name, gradient in zip(names, gradients, strict=True)}


def _need_function(name: str, value: Any) -> None:
    if not callable(value):
        raise OptionError(f"{name} is a {type(value).__name__}; expected a function")


def _need_draws(draws: int) -> None:
    whole_number("draws", draws, 1, 10_000)
