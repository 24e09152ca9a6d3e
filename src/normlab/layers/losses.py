"""The two classification losses of the assignment, and the softmax loss's second half, each with its gradient.

Letters: N examples, C classes; scores x are (..., N, C), labels y (..., N); axes before N stack
independent nets, and the loss is then one number a net.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from normlab.arguments import explained
from normlab.errors import ShapeError
from normlab.layers.checks import check_input
from normlab.typing import Array


# With p = softmax(x), L = -mean(log p_y) and ∂L/∂x_ij = (p_ij - [j = y_i]) / N. Subtracting each
# row's largest score changes nothing in p and keeps exp from overflowing; log p is taken before
# exp, so no p of 0 is ever logged.
@explained
def softmax_loss(x: Array, y: Array) -> tuple[Array, Array]:
    """Mean cross-entropy of softmax(x) against the labels, and its gradient. Computed in float64.

    Arguments: x (..., N, C), scores; y (..., N), labels from 0 to C - 1.
    Returns: loss (a number; (...,) for stacked nets), and dx of x's shape and type.
    Raises: ShapeError for shapes that do not fit, an empty batch, and labels out of range.

    >>> loss, dx = softmax_loss(np.array([[0.0, 0.0], [1000.0, 0.0]]), np.array([0, 1]))
    >>> print(round(float(loss), 4), dx.tolist())
    500.3466 [[-0.25, 0.25], [0.5, -0.5]]
    """
    x, y, dtype = _checked("softmax loss", x, y)
    N = x.shape[-2]
    with np.errstate(
        invalid="ignore", under="ignore"
    ):  # a diverged net's scores are not finite: its loss says so
        shifted = np.asarray(x, dtype=np.float64) - x.max(axis=-1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        loss = -np.take_along_axis(log_p, y[..., None], axis=-1)[..., 0].mean(axis=-1)
        dx = np.exp(log_p)
    _at_label(dx, y, -1)
    return loss, (dx / N).astype(dtype)


# L = -mean(x_y), so ∂L/∂x_ij = -[j = y_i] / N.
@explained
def nll_loss(x: Array, y: Array) -> tuple[Array, Array]:
    """Mean negative log-likelihood of the labels, and its gradient, for x that are logarithms of probabilities.

    The softmax loss is this one after x - log Σ exp(x). Arguments, results and errors as for
    softmax_loss.

    >>> loss, dx = nll_loss(np.log([[0.25, 0.75], [0.5, 0.5]]), np.array([0, 1]))
    >>> print(round(float(loss), 4), dx.tolist())
    1.0397 [[-0.5, 0.0], [0.0, -0.5]]
    """
    x, y, dtype = _checked("NLL loss", x, y)
    N = x.shape[-2]
    loss = -np.take_along_axis(np.asarray(x, dtype=np.float64), y[..., None], axis=-1)[..., 0].mean(
        axis=-1
    )
    dx = np.zeros(x.shape)
    _at_label(dx, y, -1 / N)
    return loss, dx.astype(dtype)


# L = mean over i of Σ_{j≠y_i} max(0, x_ij - x_iy + 1). Each margin above 0 adds 1/N to its own
# score's gradient and takes 1/N from the right class's.
@explained
def svm_loss(x: Array, y: Array) -> tuple[Array, Array]:
    """Mean multiclass hinge loss with margin 1 (Weston and Watkins, 1999), and its gradient.

    Arguments, results and errors as for softmax_loss.

    >>> loss, dx = svm_loss(np.array([[1.0, 1.5, -3.0]]), np.array([0]))
    >>> print(float(loss), dx.tolist())
    1.5 [[-1.0, 1.0, 0.0]]
    """
    x, y, dtype = _checked("SVM loss", x, y)
    N = x.shape[-2]
    correct = np.take_along_axis(x, y[..., None], axis=-1)
    margins = np.maximum(0, np.asarray(x, dtype=np.float64) - correct + 1)
    np.put_along_axis(margins, y[..., None], 0, axis=-1)
    loss = margins.sum(axis=(-2, -1)) / N
    dx = (margins > 0).astype(np.float64)
    _at_label(dx, y, -dx.sum(axis=-1, keepdims=True))
    return loss, (dx / N).astype(dtype)


def _at_label(dx: Array, y: Array, change: Array | float) -> None:
    """Add `change` to the right class's entry of each row, in place."""
    at = y[..., None]
    np.put_along_axis(dx, at, np.take_along_axis(dx, at, axis=-1) + change, axis=-1)


def _checked(loss: str, x: Array, y: Array) -> tuple[Array, Array, np.dtype[Any]]:
    x, y = np.asarray(x), np.asarray(y)
    dtype = check_input(loss, x)
    if x.ndim < 2 or y.shape != x.shape[:-1] or y.dtype.kind not in "iu":
        raise ShapeError(
            f"{loss} got scores of shape {x.shape} and labels of shape {y.shape} and type "
            f"{y.dtype}; expected (N, C) and (N,), whole numbers"
        )
    C = x.shape[-1]
    if y.min() < 0 or y.max() >= C:
        raise ShapeError(
            f"{loss} got labels from {y.min()} to {y.max()} for {C} classes; expected 0 to {C - 1}"
        )
    return x, y, dtype
