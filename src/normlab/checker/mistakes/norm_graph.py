"""Where in the derivation of dx a mistake may lie: the lines, and what is said of each path."""

from __future__ import annotations

from functools import partial

from normlab.checker.mistakes.record import ERROR_ONE, Leaves, Mistake

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

of_dx = partial(
    Mistake, sought=DX_LINE, line=DX, cell=ERROR_ONE, tried=TRY_N,
    where="Look at dx as a whole: what all three paths have in common.",
)  # fmt: skip
of_paths = partial(
    Mistake, sought=DX_LINE, line=DX, cell=ERROR_ONE, tried=TRY_N,
    where="Look at both paths through the statistics: x → μ → x̂ and x → var → x̂.",
)  # fmt: skip
of_direct = partial(
    Mistake,
    sought=DX_LINE,
    line=DX,
    cell=ERROR_ONE,
    tried=TRY_N,
    where="Look at the direct path: x → x̂ → out.",
)
of_mean = partial(
    Mistake, sought=(DMU, *DX_LINE), line=MEAN_LINE, cell=ERROR_ONE, tried=TRY_N,
    where="Look at the path through the mean: x → μ → x̂ → out.",
)  # fmt: skip
of_variance = partial(
    Mistake, sought=(DVAR_NAME, *DX_LINE), line=VARIANCE_LINE, cell=ERROR_ONE, tried=TRY_N,
    where="Look at the path through the variance: x → var → x̂ → out.",
)  # fmt: skip


def everywhere(*monomials: str) -> tuple[Leaves, ...]:
    return tuple((m, m, m) for m in monomials)


def in_both(*monomials: str) -> tuple[Leaves, ...]:
    return tuple(("1", m, m) for m in monomials)


def in_direct(*monomials: str) -> tuple[Leaves, ...]:
    return tuple((m, "1", "1") for m in monomials)


def in_mean(*monomials: str) -> tuple[Leaves, ...]:
    return tuple(("1", m, "1") for m in monomials)


def in_variance(*monomials: str) -> tuple[Leaves, ...]:
    return tuple(("1", "1", m) for m in monomials)
