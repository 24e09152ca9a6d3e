"""The assignment's five gradient checkers: centred differences, one coordinate at a time.

Each moves one entry of an array by ±h *in place*, calls the function again, and puts the entry
back. In place matters: the notebooks check a net with `f = lambda _: model.loss(X, y)[0]`, a
function that never looks at its argument and sees the change through `model.params`.

A centred difference is off by about `h*h * f'''/6` (the curve between the two points) and by `eps *
|f| / h` (rounding); at the default h = 1e-5 in float64 both are near 1e-11. In float32 rounding
alone is near 1e-2 at that h, so a right gradient looks wrong: check in float64, or with
`check_gradient`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from normlab.errors import ShapeError
from normlab.typing import Array


def eval_numerical_gradient(
    f: Callable[[Array], float], x: Array, verbose: bool = True, h: float = 1e-5
) -> Array:
    """The gradient of the number `f(x)` at `x`, in the shape of `x`, one printed line an entry if verbose.

    `x` is changed in place while `f` runs and comes back with the same bits, even when `f` raises.
    Raises ShapeError where `x` is not an array of floats.

    >>> eval_numerical_gradient(lambda x: float((x * x).sum()), np.array([1.0, -2.0]), verbose=False).round(6)
    array([ 2., -4.])
    """
    gradient = np.zeros_like(x)
    for index, above, below in _either_side(lambda: f(x), x, h):
        gradient[index] = (above - below) / (2 * h)
        if verbose:
            print(index, gradient[index])
    return gradient


def eval_numerical_gradient_array(
    f: Callable[[Array], Array], x: Array, df: Array, h: float = 1e-5
) -> Array:
    """The gradient at `x` of `sum(f(x) * df)`, where `f(x)` is an array and `df` its upstream gradient.

    >>> eval_numerical_gradient_array(np.sin, np.zeros(2), np.array([1.0, 3.0])).round(6)
    array([1., 3.])
    """
    gradient = np.zeros_like(x)
    # copies: a forward pass may hand out the same buffer twice
    for index, above, below in _either_side(lambda: np.array(f(x)), x, h):
        gradient[index] = np.sum((above - below) * df) / (2 * h)
    return gradient


def eval_numerical_gradient_blobs(
    f: Callable[..., object], inputs: Sequence[Any], output: Any, h: float = 1e-5
) -> list[Array]:
    """One gradient for each blob of `inputs`, for a function that writes its result into a blob.

    A blob is any object with arrays `vals` (values) and `diffs` (gradients, of the same shape).
    `f(*inputs, output)` writes `output.vals`; `output.diffs` is the upstream gradient.
    """
    gradients = []

    def written() -> Array:
        f(*inputs, output)
        return np.array(output.vals)

    for blob in inputs:
        gradient = np.zeros_like(blob.diffs)
        for index, above, below in _either_side(written, blob.vals, h):
            gradient[index] = np.sum((above - below) * output.diffs) / (2 * h)
        gradients.append(gradient)
    return gradients


def eval_numerical_gradient_net(
    net: Any, inputs: Sequence[Any], output: Any, h: float = 1e-5
) -> list[Array]:
    """The same for a net of blobs, whose `forward()` reads its `inputs` and writes its `output`."""
    return eval_numerical_gradient_blobs(lambda *_: net.forward(), inputs, output, h=h)


def grad_check_sparse(
    f: Callable[[Array], float],
    x: Array,
    analytic_grad: Array,
    num_checks: int = 10,
    h: float = 1e-5,
) -> None:
    """Print numerical and analytic gradient and their relative error at `num_checks` random entries of `x`.

    The entries come from Python's `random` module, so a seeded NumPy generator stays where it is.
    """
    for _ in range(num_checks):
        chosen = tuple(random.randrange(size) for size in x.shape)
        for _, above, below in _either_side(lambda: f(x), x, h, [chosen]):
            numerical, analytic = float(above - below) / (2 * h), float(analytic_grad[chosen])
            size = abs(numerical) + abs(analytic)
            error = abs(numerical - analytic) / size if size else 0.0
            print(f"numerical: {numerical:f} analytic: {analytic:f}, relative error: {error:e}")


def _either_side(
    measure: Callable[[], Any], x: Array, h: float, indices: Sequence[tuple[int, ...]] | None = None
) -> Iterator[tuple[tuple[int, ...], Any, Any]]:
    """`(index, measure() at x[index] + h, measure() at x[index] - h)`, with `x` restored after each."""
    if not (isinstance(x, np.ndarray) and np.issubdtype(x.dtype, np.floating)):
        kind = f"an array of {x.dtype}" if isinstance(x, np.ndarray) else f"a {type(x).__name__}"
        raise ShapeError(
            f"x is {kind}, and a gradient check moves it by h={h:g} in place: "
            "give it an array of floats, for instance x.astype(np.float64)"
        )
    for index in np.ndindex(x.shape) if indices is None else indices:
        original = x[index]
        try:
            x[index] = original + h
            above = measure()
            x[index] = original - h
            below = measure()
        finally:
            x[index] = original
        yield index, above, below
