"""Mistakes in dx of a norm that put another ingredient in one of its three terms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from normlab.checker.mistakes.norm_graph import (
    TRY_GAMMA,
    TRY_ONE,
    TRY_SHAPES,
    TRY_VARIANCE,
    UPSTREAM,
    everywhere,
    in_both,
    in_direct,
    in_mean,
    in_variance,
    of_direct,
    of_dx,
    of_mean,
    of_paths,
    of_variance,
)
from normlab.typing import Array

Reduction = Callable[[Array, Array], Array]
"""The mean of some products over each row; the weight is a power of s that may stand inside or
outside."""


def _unsummed(products: Array, weight: Array) -> Array:
    return np.asarray(products / products.shape[1])


def _over_rows(products: Array, weight: Array) -> Array:
    """Kept apart: each of the K positions has its own sum."""
    return np.asarray(products.mean(axis=0)[None, :])


def _over_rows_turned(products: Array, weight: Array) -> Array:
    """A vector of the wrong length, which broadcasts when R == K."""
    return np.asarray(products.mean(axis=0)[:, None])


def _inside(reduction: Reduction) -> Reduction:
    """s varies along a wrong axis: then it matters whether it stands inside the sum."""
    return lambda products, weight: reduction(products * weight, weight) / weight


def _axis_lost(products: Array, weight: Array) -> Array:
    return np.asarray(products.mean(axis=1)[None, :])


def _whole(products: Array, weight: Array) -> Array:
    return np.asarray(products.sum() / products.shape[1])


def _over_rows_by_own_count(products: Array, weight: Array) -> Array:
    """Summed over the wrong axis and divided by the right one's size."""
    return np.asarray(products.sum(axis=0)[None, :] / products.shape[1])


WRONG_AXIS = (
    _over_rows, _inside(_over_rows), _over_rows_turned, _inside(_over_rows_turned),
    _over_rows_by_own_count, _inside(_over_rows_by_own_count),
)  # fmt: skip


def _x(rows, xhat, s):  # type: ignore[no-untyped-def]
    return rows.x * s


def _out(rows, xhat, s):  # type: ignore[no-untyped-def]
    return rows.gamma * xhat + rows.beta


def _squared(rows, xhat, s):  # type: ignore[no-untyped-def]
    return xhat * xhat


def _one(rows, xhat, s):  # type: ignore[no-untyped-def]
    return np.ones_like(xhat)


def _staged(rows, s, reduced, third):  # type: ignore[no-untyped-def]
    """Where ∂L/∂μ gathers what came through the variance too: that adds up to zero only if all is
    right."""
    return -third.mean(axis=1, keepdims=True)


def _staged_over_rows(rows, s, reduced, third):  # type: ignore[no-untyped-def]
    return -third.mean(axis=0)[None, :]


def _through_mean(rows, s, reduced, third):  # type: ignore[no-untyped-def]
    """The variance's own path through the mean, which is zero only for centred values."""
    return rows.mean * s * reduced * s


def _dout_then_gamma(rows, dxhat):  # type: ignore[no-untyped-def]
    return rows.dout, rows.gamma


def _dout_alone(rows, dxhat):  # type: ignore[no-untyped-def]
    return rows.dout, 1.0


def _root_again(rows):  # type: ignore[no-untyped-def]
    return rows.normalized, 1.0 / np.sqrt(np.sqrt(rows.var + rows.eps) + rows.eps)


def _root_again_everywhere(rows):  # type: ignore[no-untyped-def]
    s = 1.0 / np.sqrt(np.sqrt(rows.var + rows.eps) + rows.eps)
    return (rows.x - rows.mean) * s, s


UPSTREAMS = (
    of_dx("gamma_missing", "γ is forgotten: dx̂ is dout", "out = γ·x̂ + β, so ∂out/∂x̂ = γ.",
        line=UPSTREAM,
        tried=TRY_GAMMA, leaves=everywhere("γ^-1"),
        wrong={"upstream": lambda r: np.ones_like(r.x)}),
    of_dx("gamma_twice", "γ enters twice", "γ enters once.", line=UPSTREAM, tried=TRY_GAMMA,
        leaves=everywhere("γ"), wrong={"upstream": lambda r: r.gamma**2}),
    of_dx("gamma_divides", "dout is divided by γ instead of multiplied", "dx̂ = γ·dout.",
        line=UPSTREAM,
        tried=TRY_GAMMA, leaves=everywhere("γ^-2"), wrong={"upstream": lambda r: 1 / r.gamma}),
    of_dx("dout_missing", "dout is forgotten: dx does not depend on it",
        "A gradient is linear in dout.",
        line=UPSTREAM, tried="Set dout to zero: every gradient must vanish.",
        wrong={"upstream": lambda r: r.gamma / r.dout}),
    of_dx("roles_swapped",
        "γ and x − μ have changed places: the cache is unpacked in another order than it was "
        "packed",
        "The order of the cache is a promise.",
        tried="Compare each cached array with what backward takes it for.",
        wrong={"upstream": lambda r: r.x - r.mean}),
    of_dx("gamma_outside", "γ is multiplied after the means, where it must be inside them",
        "γ varies along the axis of the mean: the mean of γ·dout is not γ times a mean.",
        tried=TRY_GAMMA,
        wrong={"mean_upstream": _dout_then_gamma, "variance_upstream": _dout_then_gamma}),
    of_paths("gamma_only_first",
           "γ multiplies the direct path only; the paths through the statistics are built from "
           "dout",
           "All three terms are made from dx̂ = γ·dout.", tried=TRY_GAMMA, leaves=in_both("γ^-1"),
           wrong={"mean_upstream": _dout_alone, "variance_upstream": _dout_alone}),
    of_direct("direct_path_from_dout", "the direct path is built from dout instead of γ·dout",
            "dx̂ = γ·dout.",
            tried=TRY_GAMMA, leaves=in_direct("γ^-1")),
    of_mean("mean_path_from_dout", "the path through the mean is built from dout instead of γ·dout",
          "dx̂ = γ·dout.",
          tried=TRY_GAMMA, leaves=in_mean("γ^-1"), wrong={"mean_upstream": _dout_alone}),
    of_mean("mean_path_gamma_outside", "in the mean's path γ is multiplied after the mean",
          "γ belongs inside.",
          tried=TRY_GAMMA, wrong={"mean_upstream": _dout_then_gamma}),
    of_variance("variance_path_from_dout",
              "the path through the variance is built from dout instead of γ·dout",
              "dx̂ = γ·dout.", tried=TRY_GAMMA, leaves=in_variance("γ^-1"),
              wrong={"variance_upstream": _dout_alone}),
    of_variance("variance_path_gamma_outside",
              "in the variance's path γ is multiplied after the mean",
              "γ belongs inside.", tried=TRY_GAMMA, wrong={"variance_upstream": _dout_then_gamma}),
)  # fmt: skip

OWN_AXIS = "Each statistic was taken over {over}; its gradient is gathered there."
LINE_UP = "The sum of a row must line up with that row."
REDUCTIONS = (
    of_paths("wrong_axis", "the sums run over {other} instead of over {over}", OWN_AXIS,
           tried="Use different sizes and print the shape of each sum.",
           wrong=({"mean_reduction": _over_rows, "variance_reduction": _over_rows,
                   "through": _staged_over_rows},
                  {"mean_reduction": _over_rows, "variance_reduction": _over_rows},
                  {"mean_reduction": _over_rows_turned, "variance_reduction": _over_rows_turned})),
    of_paths("keepdims_missing", "the sums lose their axis, and meet the wrong rows", LINE_UP,
           tried=TRY_SHAPES,
           wrong={"mean_reduction": _axis_lost, "variance_reduction": _axis_lost}),
    of_paths("no_sums", "the sums over {over} are missing: products are taken element by element",
           "One statistic gathers the gradients of its whole group.", tried=TRY_ONE,
           wrong={"mean_reduction": _unsummed, "variance_reduction": _unsummed}),
    of_mean("mean_path_no_sum", "in the mean's path the sum over {over} is missing",
          "One mean gathers the gradients of its whole group.", tried="Print the shape of dL/dμ.",
          wrong={"mean_reduction": _unsummed}),
    of_mean("mean_path_wrong_axis", "in the mean's path the sum runs over {other}",
          "The gradient of μ is gathered over {over}.", tried=TRY_SHAPES,
          wrong=tuple({"mean_reduction": way} for way in WRONG_AXIS)),
    of_mean("mean_path_keepdims_missing", "the mean's sum loses its axis, and meets the wrong rows",
          LINE_UP,
          tried=TRY_SHAPES, wrong={"mean_reduction": _axis_lost}),
    of_mean("mean_path_whole_array",
          "a sum without axis in the path through the mean: all groups are added up",
          "Each group has its own mean, and its own sum over {over}.", tried=TRY_SHAPES,
          leaves=in_mean("varies"), wrong={"mean_reduction": _whole}),
    of_variance("variance_path_no_sum", "in the variance's path the sum over {over} is missing",
              "One variance gathers the gradients of its whole group.",
              tried="Print the shape of dL/dvar.",
              wrong=({"variance_reduction": _unsummed},
                     {"variance_reduction": _unsummed, "through": _staged})),
    of_variance("variance_path_wrong_axis", "in the variance's path the sum runs over {other}",
              "The gradient of var is gathered over {over}.", tried=TRY_SHAPES,
              wrong=(*({"variance_reduction": way} for way in WRONG_AXIS),
                     *({"variance_reduction": way, "through": _staged} for way in WRONG_AXIS))),
    of_variance("variance_path_keepdims_missing",
              "the variance's sum loses its axis, and meets the wrong rows",
              LINE_UP, tried=TRY_SHAPES,
              wrong=({"variance_reduction": _axis_lost},
                     {"variance_reduction": _axis_lost, "through": _staged})),
    of_variance("variance_path_whole_array",
              "a sum without axis in the path through the variance: all groups are added up",
              "Each group has its own variance, and its own sum over {over}.", tried=TRY_SHAPES,
              leaves=in_variance("varies"), wrong={"variance_reduction": _whole}),
)  # fmt: skip

INGREDIENTS = (
    of_variance("x_for_centred",
              "x stands where x − μ is needed (in backward, or in what forward cached)",
              "The variance is made of deviations from the mean.",
              tried="Add 100 to x: dx must not change.",
              wrong=({"inner": _x, "outer": _x},
                     {"inner": _x, "outer": _x, "through": _through_mean},
                     {"outer": _x, "through": _through_mean},
                     {"inner": _x, "through": _through_mean},
                     {"inner": _x}, {"outer": _x}, {"through": _through_mean})),
    of_variance("out_for_normalized",
              "the output γ·x̂ + β stands where x̂ is needed (often: forward cached out)",
              "x̂ is the value before γ and β.", tried=TRY_GAMMA,
              wrong=({"inner": _out, "outer": _out}, {"inner": _out}, {"outer": _out})),
    of_variance("variance_path_merged",
              "the x̂ of the variance's path stands inside the mean: mean(dx̂·x̂²) instead of "
              "x̂·mean(dx̂·x̂)",
              "x̂ differs from entry to entry: it cannot be pulled into the mean.",
              tried=TRY_VARIANCE,
              wrong={"inner": _squared, "outer": _one}),
    of_dx("std_as_variance",
        "the standard deviation is used as if it were the variance (what forward cached, backward "
        "misreads)",
        "√(var + ε) needs var.", tried="Compare each cached array with what backward takes it for.",
        wrong=({"scale": _root_again},
               {"scale": _root_again_everywhere})),
)  # fmt: skip
