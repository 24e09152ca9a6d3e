"""The affine layer, y = x W + b.

Letters: N examples, D inputs, H outputs. x is (N, d_1, …, d_k) with d_1 · … · d_k = D, as in the
assignment; or, with stacked weights (M, D, H), it is (M, N, D), one batch a net.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from normlab.arguments import explained
from normlab.errors import ShapeError
from normlab.layers.checks import check_upstream
from normlab.typing import Array


class AffineCache(NamedTuple):
    """The forward pass's arguments, as given."""

    x: Array
    w: Array
    b: Array


@explained
def affine_forward(x: Array, w: Array, b: Array) -> tuple[Array, AffineCache]:
    """y = x W + b, each example's values flattened to one row.

    Arguments: x (N, d_1, …, d_k), w (D, H), b (H,); or stacked, x (..., N, D), w (..., D, H), b
    (..., H). Returns: out (..., N, H), and the cache. Raises ShapeError for shapes that do not fit.

    >>> out, cache = affine_forward(np.ones((2, 2, 2)), np.eye(4)[:, :3], np.array([0.0, 10.0, 20.0]))
    >>> print(out)
    [[ 1. 11. 21.]
     [ 1. 11. 21.]]
    """
    rows = _rows(x, w)
    if np.shape(b) != w.shape[:-2] + w.shape[-1:]:
        raise ShapeError(
            f"affine got b of shape {np.shape(b)} for w of shape {w.shape}; expected one value an "
            "output"
        )
    return rows @ w + b[..., None, :], AffineCache(x, w, b)


# out_ij = Σ_k x_ik w_kj + b_j, so with dout_ij = ∂L/∂out_ij
#
#     dx_ik = Σ_j dout_ij w_kj        dw_kj = Σ_i x_ik dout_ij        db_j = Σ_i dout_ij
#
# each a sum over the one index that the argument does not have.
@explained
def affine_backward(dout: Array, cache: AffineCache) -> tuple[Array, Array, Array]:
    """Gradients of affine_forward.

    Arguments: dout (..., N, H), the upstream gradient; the cache of the forward pass.
    Returns: dx of x's shape, dw of w's, db of b's. Raises ShapeError if dout does not fit.

    >>> _, cache = affine_forward(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.zeros(1))
    >>> dx, dw, db = affine_backward(np.ones((1, 1)), cache)
    >>> print(dx, dw.T, db)
    [[3. 4.]] [[1. 2.]] [1.]
    """
    x, w, _ = cache
    rows = _rows(x, w)
    check_upstream("affine's backward pass", dout, rows.shape[:-1] + w.shape[-1:])
    dx = (dout @ w.swapaxes(-1, -2)).reshape(x.shape)
    dw = rows.swapaxes(-1, -2) @ dout
    db = dout.sum(axis=-2)
    return dx, dw, db


def _rows(x: Array, w: Array) -> Array:
    """x as (..., N, D)."""
    rows = x.reshape(x.shape[0], math.prod(x.shape[1:])) if w.ndim == 2 and x.ndim > 0 else x
    if rows.ndim != w.ndim or rows.shape[:-2] != w.shape[:-2] or rows.shape[-1] != w.shape[-2]:
        raise ShapeError(
            f"affine got x of shape {np.shape(x)} and w of shape {np.shape(w)}; expected as many "
            "values an example as w has rows"
        )
    return rows
