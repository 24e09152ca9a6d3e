"""Mistakes in dx of a norm: what each multiplies the three terms by, or which other terms it
makes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from normlab.checker.mistakes.record import ERROR_ONE, SMALL_EPS, Leaves, Mistake
from normlab.typing import Array

DX = (
    "∂L/∂x = s·[dx̂ − mean(dx̂) − x̂·mean(dx̂·x̂)], "
    "with dx̂ = γ·dout, s = 1/√(var + ε), means over {over}"
)
MEAN_LINE = "the path through μ:  − s·mean(dx̂)"
VARIANCE_LINE = "the path through var:  − s·x̂·mean(dx̂·x̂)"
DVAR = "∂L/∂var = Σ dx̂·(x − μ)·(−1/2)·(var + ε)^(−3/2)"
DVAR_DX = "∂var/∂x = 2·(x − μ)/{n}"
UPSTREAM = "dx̂ = γ·dout"

TRY_MEAN = (
    "Use a dout that is the same everywhere: then dx is zero, because the mean takes it back."
)
TRY_VARIANCE = "Use dout = x̂/γ: then dx is nearly zero, because the variance takes it back."
TRY_EPS = "Check the gradient with eps = 0.5 instead of 1e-5."
TRY_GAMMA = "Check the gradient with random γ instead of ones."
TRY_N = "Check the gradient with several sizes, all different, and watch how the error changes with {n}."
TRY_FACTOR = "Work out dL/dvar for one feature with two examples by hand."
TRY_SCALE = "Multiply x by 10: dx must shrink by 10."
TRY_PROPORTION = "Multiply x by 10: the terms must keep their proportion."
TRY_SHAPES = "Print the shape of each sum."
TRY_ONE = "Change one entry of dout: every dx of its group must move."

DX_LINE = (r"\bdx\w*\s*[-+*/]?=", "return")
DMU = r"\bd_?(l_?d)?(x_?)?(sample_?)?(mu|mean|u)\w*\s*\+?="
DVAR_NAME = r"\bd_?(l_?d)?(x_?)?(sample_?)?(var|sigma|i?std|v)\w*\s*\+?="
"""How people call what they keep of the three paths."""

_dx = partial(
    Mistake, sought=DX_LINE, line=DX, cell=ERROR_ONE, tried=TRY_N,
    where="Look at dx as a whole: what all three paths have in common.",
)  # fmt: skip
_paths = partial(
    Mistake, sought=DX_LINE, line=DX, cell=ERROR_ONE, tried=TRY_N,
    where="Look at both paths through the statistics: x → μ → x̂ and x → var → x̂.",
)  # fmt: skip
_direct = partial(
    Mistake,
    sought=DX_LINE,
    line=DX,
    cell=ERROR_ONE,
    tried=TRY_N,
    where="Look at the direct path: x → x̂ → out.",
)
_mean = partial(
    Mistake, sought=(DMU, *DX_LINE), line=MEAN_LINE, cell=ERROR_ONE, tried=TRY_N,
    where="Look at the path through the mean: x → μ → x̂ → out.",
)  # fmt: skip
_variance = partial(
    Mistake, sought=(DVAR_NAME, *DX_LINE), line=VARIANCE_LINE, cell=ERROR_ONE, tried=TRY_N,
    where="Look at the path through the variance: x → var → x̂ → out.",
)  # fmt: skip


def _everywhere(*monomials: str) -> tuple[Leaves, ...]:
    return tuple((m, m, m) for m in monomials)


def _in_both(*monomials: str) -> tuple[Leaves, ...]:
    return tuple(("1", m, m) for m in monomials)


def _in_direct(*monomials: str) -> tuple[Leaves, ...]:
    return tuple((m, "1", "1") for m in monomials)


def _in_mean(*monomials: str) -> tuple[Leaves, ...]:
    return tuple(("1", m, "1") for m in monomials)


def _in_variance(*monomials: str) -> tuple[Leaves, ...]:
    return tuple(("1", "1", m) for m in monomials)


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


EPS_EVERYWHERE: tuple[Leaves, ...] = (
    ("r", "r", "r"), ("r", "r", "r^3"), ("r", "r", "r^2"), ("r", "r", "1"),
)  # fmt: skip
"""What ε missing everywhere leaves, by how the rest of the formula is written."""

UPSTREAMS = (
    _dx("gamma_missing", "γ is forgotten: dx̂ is dout", "out = γ·x̂ + β, so ∂out/∂x̂ = γ.",
        line=UPSTREAM,
        tried=TRY_GAMMA, leaves=_everywhere("γ^-1"),
        wrong={"upstream": lambda r: np.ones_like(r.x)}),
    _dx("gamma_twice", "γ enters twice", "γ enters once.", line=UPSTREAM, tried=TRY_GAMMA,
        leaves=_everywhere("γ"), wrong={"upstream": lambda r: r.gamma**2}),
    _dx("gamma_divides", "dout is divided by γ instead of multiplied", "dx̂ = γ·dout.",
        line=UPSTREAM,
        tried=TRY_GAMMA, leaves=_everywhere("γ^-2"), wrong={"upstream": lambda r: 1 / r.gamma}),
    _dx("dout_missing", "dout is forgotten: dx does not depend on it",
        "A gradient is linear in dout.",
        line=UPSTREAM, tried="Set dout to zero: every gradient must vanish.",
        wrong={"upstream": lambda r: r.gamma / r.dout}),
    _dx("roles_swapped",
        "γ and x − μ have changed places: the cache is unpacked in another order than it was packed",
        "The order of the cache is a promise.",
        tried="Compare each cached array with what backward takes it for.",
        wrong={"upstream": lambda r: r.x - r.mean}),
    _dx("gamma_outside", "γ is multiplied after the means, where it must be inside them",
        "γ varies along the axis of the mean: the mean of γ·dout is not γ times a mean.",
        tried=TRY_GAMMA,
        wrong={"mean_upstream": _dout_then_gamma, "variance_upstream": _dout_then_gamma}),
    _paths("gamma_only_first",
           "γ multiplies the direct path only; the paths through the statistics are built from dout",
           "All three terms are made from dx̂ = γ·dout.", tried=TRY_GAMMA, leaves=_in_both("γ^-1"),
           wrong={"mean_upstream": _dout_alone, "variance_upstream": _dout_alone}),
    _direct("direct_path_from_dout", "the direct path is built from dout instead of γ·dout",
            "dx̂ = γ·dout.",
            tried=TRY_GAMMA, leaves=_in_direct("γ^-1")),
    _mean("mean_path_from_dout", "the path through the mean is built from dout instead of γ·dout",
          "dx̂ = γ·dout.",
          tried=TRY_GAMMA, leaves=_in_mean("γ^-1"), wrong={"mean_upstream": _dout_alone}),
    _mean("mean_path_gamma_outside", "in the mean's path γ is multiplied after the mean",
          "γ belongs inside.",
          tried=TRY_GAMMA, wrong={"mean_upstream": _dout_then_gamma}),
    _variance("variance_path_from_dout",
              "the path through the variance is built from dout instead of γ·dout",
              "dx̂ = γ·dout.", tried=TRY_GAMMA, leaves=_in_variance("γ^-1"),
              wrong={"variance_upstream": _dout_alone}),
    _variance("variance_path_gamma_outside",
              "in the variance's path γ is multiplied after the mean",
              "γ belongs inside.", tried=TRY_GAMMA, wrong={"variance_upstream": _dout_then_gamma}),
)  # fmt: skip

OWN_AXIS = "Each statistic was taken over {over}; its gradient is gathered there."
LINE_UP = "The sum of a row must line up with that row."
REDUCTIONS = (
    _paths("wrong_axis", "the sums run over {other} instead of over {over}", OWN_AXIS,
           tried="Use different sizes and print the shape of each sum.",
           wrong=({"mean_reduction": _over_rows, "variance_reduction": _over_rows,
                   "through": _staged_over_rows},
                  {"mean_reduction": _over_rows, "variance_reduction": _over_rows},
                  {"mean_reduction": _over_rows_turned, "variance_reduction": _over_rows_turned})),
    _paths("keepdims_missing", "the sums lose their axis, and meet the wrong rows", LINE_UP,
           tried=TRY_SHAPES,
           wrong={"mean_reduction": _axis_lost, "variance_reduction": _axis_lost}),
    _paths("no_sums", "the sums over {over} are missing: products are taken element by element",
           "One statistic gathers the gradients of its whole group.", tried=TRY_ONE,
           wrong={"mean_reduction": _unsummed, "variance_reduction": _unsummed}),
    _mean("mean_path_no_sum", "in the mean's path the sum over {over} is missing",
          "One mean gathers the gradients of its whole group.", tried="Print the shape of dL/dμ.",
          wrong={"mean_reduction": _unsummed}),
    _mean("mean_path_wrong_axis", "in the mean's path the sum runs over {other}",
          "The gradient of μ is gathered over {over}.", tried=TRY_SHAPES,
          wrong=tuple({"mean_reduction": way} for way in WRONG_AXIS)),
    _mean("mean_path_keepdims_missing", "the mean's sum loses its axis, and meets the wrong rows",
          LINE_UP,
          tried=TRY_SHAPES, wrong={"mean_reduction": _axis_lost}),
    _mean("mean_path_whole_array",
          "a sum without axis in the path through the mean: all groups are added up",
          "Each group has its own mean, and its own sum over {over}.", tried=TRY_SHAPES,
          leaves=_in_mean("varies"), wrong={"mean_reduction": _whole}),
    _variance("variance_path_no_sum", "in the variance's path the sum over {over} is missing",
              "One variance gathers the gradients of its whole group.",
              tried="Print the shape of dL/dvar.",
              wrong=({"variance_reduction": _unsummed},
                     {"variance_reduction": _unsummed, "through": _staged})),
    _variance("variance_path_wrong_axis", "in the variance's path the sum runs over {other}",
              "The gradient of var is gathered over {over}.", tried=TRY_SHAPES,
              wrong=(*({"variance_reduction": way} for way in WRONG_AXIS),
                     *({"variance_reduction": way, "through": _staged} for way in WRONG_AXIS))),
    _variance("variance_path_keepdims_missing",
              "the variance's sum loses its axis, and meets the wrong rows",
              LINE_UP, tried=TRY_SHAPES,
              wrong=({"variance_reduction": _axis_lost},
                     {"variance_reduction": _axis_lost, "through": _staged})),
    _variance("variance_path_whole_array",
              "a sum without axis in the path through the variance: all groups are added up",
              "Each group has its own variance, and its own sum over {over}.", tried=TRY_SHAPES,
              leaves=_in_variance("varies"), wrong={"variance_reduction": _whole}),
)  # fmt: skip

INGREDIENTS = (
    _variance("x_for_centred",
              "x stands where x − μ is needed (in backward, or in what forward cached)",
              "The variance is made of deviations from the mean.",
              tried="Add 100 to x: dx must not change.",
              wrong=({"inner": _x, "outer": _x},
                     {"inner": _x, "outer": _x, "through": _through_mean},
                     {"outer": _x, "through": _through_mean},
                     {"inner": _x, "through": _through_mean},
                     {"inner": _x}, {"outer": _x}, {"through": _through_mean})),
    _variance("out_for_normalized",
              "the output γ·x̂ + β stands where x̂ is needed (often: forward cached out)",
              "x̂ is the value before γ and β.", tried=TRY_GAMMA,
              wrong=({"inner": _out, "outer": _out}, {"inner": _out}, {"outer": _out})),
    _variance("variance_path_merged",
              "the x̂ of the variance's path stands inside the mean: mean(dx̂·x̂²) instead of "
              "x̂·mean(dx̂·x̂)",
              "x̂ differs from entry to entry: it cannot be pulled into the mean.",
              tried=TRY_VARIANCE,
              wrong={"inner": _squared, "outer": _one}),
    _dx("std_as_variance",
        "the standard deviation is used as if it were the variance (what forward cached, backward "
        "misreads)",
        "√(var + ε) needs var.", tried="Compare each cached array with what backward takes it for.",
        wrong=({"scale": _root_again},
               {"scale": _root_again_everywhere})),
)  # fmt: skip

ONE_OVER_STD, STD_ONCE = "∂x̂/∂x holds 1/std.", "Every term carries s once."
FACTORS = (
    _dx("dx_sign", "dx as a whole has the wrong sign", "It is plus.",
        tried="Compare one entry with a finite difference.", leaves=_everywhere("-1")),
    _dx("std_missing", "the division by the standard deviation is forgotten", ONE_OVER_STD,
        tried=TRY_SCALE,
        leaves=(*_everywhere("s^-1"), *_in_direct("s^-1"))),
    _dx("std_twice", "the division by the standard deviation happens twice",
        "∂x̂/∂x holds 1/std, once.",
        tried=TRY_SCALE, leaves=_everywhere("s")),
    _dx("extra_one_over_n", "dx as a whole is divided by {n} once too often",
        "The 1/{n} belong to the two means only.", leaves=_everywhere("K^-1", "X^-1")),
    _dx("outer_one_over_n_missing",
        "dx as a whole is {n} times too large: the 1/{n} in front of {n}·dx̂ − Σ dx̂ − x̂·Σ dx̂·x̂ "
        "is forgotten",
        "Multiply the bracket out: the direct path has no {n}.", leaves=_everywhere("K")),
    _dx("multiplied_by_std", "multiplies by the standard deviation where it must divide",
        ONE_OVER_STD,
        tried="Multiply x by 10: dx must shrink.",
        leaves=(*_everywhere("s^-2", "s^-2·r^-1"), *_in_direct("s^-2", "s^-2·r^-1"))),
    _dx("variance_for_std", "the variance stands where 1/std belongs", ONE_OVER_STD,
        tried=TRY_SCALE,
        leaves=_everywhere("s^-3·r^-2", "s^-3")),
    _dx("wrong_count", "divides by another size ({d}) where {n} belongs",
        "The means run over {over}.",
        leaves=(*_everywhere("K·X^-1"), *_in_both("K·X^-1"))),
    _dx("dx_factor", "dx as a whole is off by the factor {a}", "Every term carries γ·s once.",
        leaves=_everywhere("2", "2^-1")),
    _dx("dx_zero", "dx is zero", "See the whole line.", tried="Print dx.", leaves=_everywhere("0")),
    _paths("both_paths_missing",
           "μ and var are treated as constants: both paths through the statistics are missing",
           "Both statistics depend on every x of their group. (In Python 2, 1/N of whole numbers "
           "is 0.)",
           tried=TRY_MEAN, leaves=_in_both("0")),
    _paths("n_minus_one", "divides by {n} − 1 where {n} belongs",
           "Forward uses the biased variance; so does backward.",
           leaves=(*_in_both("K/(K-1)"), *_in_mean("K/(K-1)"), *_in_variance("K/(K-1)"))),
    _paths("both_paths_one_over_n_missing",
           "the 1/{n} is forgotten in both paths through the statistics",
           "Both statistics are means.", leaves=_in_both("K")),
    _paths("both_paths_sign", "both paths through the statistics have the wrong sign",
           "Both are subtracted.",
           tried=TRY_MEAN, leaves=_in_both("-1")),
    _paths("both_paths_mean_for_sum",
           "both statistics' gradients are averaged where they must be summed",
           "Gradients that meet in one number add up.", leaves=_in_both("K^-1")),
    _direct("direct_path_missing", "the direct path, dx̂·s, is missing",
            "x enters x̂ directly as well as through μ and var.",
            tried="Set the statistics' paths aside and look at what is left.",
            leaves=_in_direct("0")),
    _direct("divided_by_variance", "divides by the variance where the standard deviation belongs",
            ONE_OVER_STD,
            tried=TRY_SCALE, leaves=_in_direct("s")),
    _direct("direct_path_sign", "the direct path has the wrong sign", "x enters x̂ with a plus.",
            tried=TRY_MEAN,
            leaves=_in_direct("-1")),
    _direct("direct_path_n", "the direct path is {n} times too large",
            "Only the statistics' paths hold a 1/{n}.", leaves=_in_direct("K")),
    _dx("eps_missing", "ε is missing, or another one than forward's, in the standard deviation",
        "Backward differentiates what forward computed: with the same ε.", tried=TRY_EPS,
        cell=SMALL_EPS,
        severity="robustness", leaves=(*EPS_EVERYWHERE, *_in_direct("r"), *_in_mean("r"))),
    _dx("eps_other", "the standard deviation is made with another ε than forward's",
        "Backward differentiates what forward computed: with the same ε.", tried=TRY_EPS,
        cell=SMALL_EPS,
        severity="robustness",
        leaves=(*((a.replace("r", "q"), b.replace("r", "q"), c.replace("r", "q"))
                  for a, b, c in EPS_EVERYWHERE),
                *_in_direct("q"), *_in_mean("q"), *_in_variance("q", "q^2", "q^3"))),
    _mean("mean_path_missing", "the path through the mean is missing",
          "μ depends on every x, so every x gets a share.",
          tried=TRY_MEAN, leaves=_in_mean("0")),
    _mean("mean_path_sign", "the path through the mean has the wrong sign", "μ is subtracted.",
          tried=TRY_MEAN,
          leaves=_in_mean("-1")),
    _mean("mean_path_one_over_n_missing", "the 1/{n} of the mean is forgotten in its path",
          "Each x moves the mean by 1/{n} of itself.", line="∂μ/∂x = 1/{n}", leaves=_in_mean("K")),
    _mean("mean_path_mean_for_sum",
          "the gradient of the mean is averaged where it must be summed: one 1/{n} too many",
          "Gradients that meet in one number add up.", line="∂L/∂μ = −Σ dx̂·s",
          leaves=_in_mean("K^-1")),
    _mean("mean_path_std",
          "the path through the mean has the wrong power of the standard deviation", STD_ONCE,
          tried=TRY_PROPORTION, leaves=_in_mean("s", "s^-1", "s^-2")),
    _mean("mean_path_wrong_count", "the path through the mean divides by another size than {n}",
          "The mean is over {over}.", leaves=_in_mean("K·X^-1")),
    _variance("variance_path_missing", "the path through the variance is missing",
              "var depends on every x, so every x gets a share.", tried=TRY_VARIANCE,
              leaves=_in_variance("0")),
    _variance("variance_path_sign", "the path through the variance has the wrong sign",
              "A larger variance makes x̂ smaller: there is a minus.", line=DVAR,
              tried=TRY_VARIANCE,
              leaves=_in_variance("-1")),
    _variance("variance_path_one_over_n_missing",
              "the 1/{n} of the variance is forgotten in its path",
              "The variance is a mean of {n} squares.", line=DVAR_DX, leaves=_in_variance("K")),
    _variance("variance_path_mean_for_sum",
              "the gradient of the variance is averaged where it must be summed: one 1/{n} too many",
              "Gradients that meet in one number add up.", line=DVAR, leaves=_in_variance("K^-1")),
    _variance("factor_two_missing", "the factor 2 from the derivative of the square is lost",
              "A square has derivative 2·(…).", line=DVAR_DX, tried=TRY_FACTOR,
              leaves=_in_variance("2^-1")),
    _variance("factor_half_missing", "the factor 1/2 from the exponent −1/2 is lost",
              "(…)^(−1/2) brings its exponent down.", line=DVAR, tried=TRY_FACTOR,
              leaves=_in_variance("2")),
    _variance("normalized_for_centred",
              "x̂ stands where x − μ is needed, or the reverse (one factor of std)",
              "x − μ = x̂·√(var + ε).", tried=TRY_PROPORTION, leaves=_in_variance("s", "s^-1")),
    _variance("variance_path_power",
              "the power of (var + ε) in the variance's path is wrong (off by {c})",
              "−1/2 − 1 = −3/2.", line=DVAR, tried=TRY_PROPORTION,
              leaves=_in_variance("s^-2", "s^2", "s^-3", "s^3")),
    _variance("root_derivative_missing",
              "the derivative of the root is missing: dL/dstd is used as if it were dL/dvar",
              "The chain has one more link between var and 1/std.",
              line="∂std/∂var = 1/(2·√(var + ε))",
              tried=TRY_FACTOR, leaves=_in_variance("2·s^-1")),
    _variance("half_and_sign_missing", "the factor −1/2 from the exponent is lost, with its sign",
              "(…)^(−1/2) brings its exponent down.", line=DVAR, tried=TRY_FACTOR,
              leaves=_in_variance("-1·2")),
    _variance("eps_missing_in_variance_path", "ε is missing in the variance's path only",
              "The power is of (var + ε), not var.", line=DVAR, tried=TRY_EPS, cell=SMALL_EPS,
              severity="robustness", leaves=_in_variance("r", "r^2", "r^3")),
    _variance("precedence",
              "a bracket is missing: the factor in front multiplies only the first of two terms",
              "The factor stands before the whole bracket.", line=DX,
              tried="Give each factor its own name, and multiply at the end.",
              leaves=_in_variance("K·s^-1·γ^-1")),
    _variance("variance_path_wrong_count",
              "the path through the variance divides by another size than {n}",
              "The mean is over {over}.", leaves=_in_variance("K·X^-1")),
)  # fmt: skip

DESCRIBED = (
    _dx("dx_is_dout", "dx is dout (or γ·dout): the layer is treated as if it did nothing",
        "x enters x̂ directly, through μ and through var.", tried=TRY_SCALE),
    _direct("direct_path_varies", "the direct path has a factor that differs from group to group",
            "It is γ·s."),
    _direct("first_path_factor", "the direct path is off by the factor {a}", "It is dx̂·s."),
    _mean("mean_path_factor", "the path through the mean is off by the factor {b}",
          "It is −s·mean(dx̂)."),
    _variance("variance_path_factor", "the path through the variance is off by the factor {c}",
              "It is −s·x̂·mean(dx̂·x̂)."),
    _dx("diagonal_only",
        "only the diagonal of the derivative is there: each dx depends on its own dout alone",
        "Through μ and var, every x of a group changes every x̂ of it.", tried=TRY_ONE),
    _dx("reduced_over_part",
        "the means run over another part than the group (some axes too few or too many)",
        "The means run over the group's channels and all pixels.",
        tried="Print the shape of each mean."),
)  # fmt: skip

_layout = partial(
    Mistake, sought=(r"reshape|transpose|swapaxes|moveaxis",), line=DX,
    where="Look at the reshapes and transposes.",
    tried="Let dout be 1 in one pixel and 0 elsewhere.", cell="the backward cell",
)  # fmt: skip
AS_X = "dout must be flattened exactly as x was."
LAYOUTS = (
    _layout("dout_not_transposed", "dout is flattened without moving the channels to the end",
            AS_X),
    _layout("dout_other_order", "dout is flattened in another order than forward flattened x",
            AS_X),
    _layout("dx_not_transposed_back",
            "dx is brought back to (N, C, H, W) by another order than it was flattened",
            "The way back is the inverse of the way there."),
)  # fmt: skip
TERMS = (*UPSTREAMS, *REDUCTIONS, *INGREDIENTS, *FACTORS, *DESCRIBED)
