"""Mistakes in dgamma and dbeta, each with the formula it leaves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from normlab.checker.mistakes.record import BROADCAST, ERROR_ONE, Mistake
from normlab.typing import Array

LINES = {"dgamma": "∂L/∂γ = Σₙ dout·x̂", "dbeta": "∂L/∂β = Σₙ dout"}
TRY = "Check dγ and dβ by themselves, with random γ and β, N ≠ D."
SHARED = "γ and β are shared by all examples: their gradients add up."
FEATURE = "There is one γ and one β a feature."
Reduction = Callable[[Array], Any]

WAYS: tuple[tuple[str, str, str, tuple[Reduction, ...]], ...] = (
    ("mean", "is averaged instead of summed", SHARED, (lambda v: v.mean(0),)),
    ("keepdims", "has shape (1, D) instead of (D,)",
     "A gradient has the shape of what it is the gradient of.",
     (lambda v: v.sum(0, keepdims=True),)),
    ("wrong_axis", "is summed over the features instead of over the examples", FEATURE,
     (lambda v: v.sum(1), lambda v: v.sum(1, keepdims=True))),
    ("whole_array", "is one number: the sum has no axis", FEATURE, (lambda v: v.sum(),)),
    ("not_summed", "is not summed over the examples", SHARED, (lambda v: v,)),
    ("sign", "has the wrong sign", "out = γ·x̂ + β has only plus signs.", (lambda v: -v.sum(0),)),
    ("divided_by_features", "is divided by the number of features", "No average is taken.",
     (lambda v: v.sum(0) / v.shape[1],)),
    ("last_only", "holds one example's part only: it is overwritten where it must be added up",
     SHARED,
     (lambda v: v[-1],)),
)  # fmt: skip


def _reductions(name: str) -> tuple[Mistake, ...]:
    return tuple(
        Mistake(f"{name}_{key}", f"{name} {sentence}", asked, line=LINES[name],
                where=f"Look at {name} alone.", sought=(rf"\b{name}\w*\s*\+?=", "return"),
                tried=TRY, cell=BROADCAST if key == "keepdims" else ERROR_ONE,
                severity="robustness" if key == "keepdims" else "fault",
                wrong=tuple({f"{name}_sum": way} for way in ways))
        for key, sentence, asked, ways in WAYS
    )  # fmt: skip


_dgamma = partial(
    Mistake,
    sought=(r"dgamma\w*\s*\+?=",),
    line=LINES["dgamma"],
    where="Look at dgamma alone.",
    tried=TRY,
    cell=ERROR_ONE,
)
NORMALIZED, LINEAR = "out = γ·x̂ + β: the factor of γ is x̂.", "out is linear in γ: no γ is left."
SUMS = (
    Mistake("gamma_beta_order", "dgamma and dbeta have changed places",
            "The docstring gives the order.",
            line="return dx, dγ, dβ", where="Look at the return statement.", tried=TRY,
            cell=ERROR_ONE,
            wrong={"order": lambda dgamma, dbeta: (dbeta, dgamma)}),
    Mistake("dout_overwritten_by_gamma",
            "dout is multiplied by γ in place before dgamma and dbeta are taken from it",
            "dβ and dγ are made from dout itself.", line="dx̂ = γ·dout is a new array",
            where="Look for an operation in place on dout.",
            tried="Check the gradient with random γ instead of ones.",
            cell="the gradient check with random γ", wrong={"upstream": lambda gamma: gamma}),
    Mistake("dbeta_with_gamma", "dbeta carries a factor γ", "out = γ·x̂ + β: the factor of β is 1.",
            line=LINES["dbeta"], where="Look at dbeta alone.", tried=TRY, cell=ERROR_ONE,
            wrong={"dbeta": lambda dout, gamma, upstream: dout * gamma}),
    _dgamma("dgamma_centred", "dgamma uses x − μ instead of x̂", NORMALIZED,
            wrong={"factor": lambda d,
                   xhat: d.given.x - d.given.x.mean(d.given.axis, keepdims=True)}),
    _dgamma("dgamma_x", "dgamma uses x instead of x̂", NORMALIZED,
            wrong={"factor": lambda d, xhat: d.given.x}),
    _dgamma("dgamma_with_gamma", "dgamma carries a factor γ: it is made from γ·dout, or from γ·x̂",
            LINEAR,
            wrong={"factor": lambda d, xhat: xhat * d.given.gamma}),
    _dgamma("dgamma_with_out", "dgamma uses the output γ·x̂ + β instead of x̂", NORMALIZED,
            wrong={"factor": lambda d, xhat: xhat * d.given.gamma + d.given.beta}),
    _dgamma("dgamma_over_gamma", "dgamma is divided by γ", LINEAR,
            wrong={"factor": lambda d, xhat: xhat / d.given.gamma}),
    _dgamma("dgamma_is_dbeta", "dgamma is Σ dout: x̂ is forgotten", NORMALIZED,
            wrong={"factor": lambda d, xhat: np.ones_like(xhat)}),
    _dgamma("dgamma_without_dout", "dgamma is Σ x̂: dout is forgotten",
            "Set dout to zero: every gradient must vanish.",
            wrong={"dout": lambda dout, factor, xhat: xhat * 1.0}),
    *_reductions("dgamma"),
    *_reductions("dbeta"),
    Mistake("gradient_shape", "{what} has another shape than the parameter it belongs to",
            "Here γ may be (1, C, 1, 1).", line="dγ has the shape of γ",
            where="Compare dgamma.shape with gamma.shape.", tried="Print both.",
            cell="group norm: backward", severity="robustness"),
)  # fmt: skip
