"""Mistakes in affine layers, each with the formula it leaves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from normlab.checker.mistakes.record import BROADCAST, Mistake, by_key
from normlab.typing import Array

_forward = partial(
    Mistake,
    sought=(
        r"reshape|flatten",
        r"out",
    ),
    line="out = x·w + b, with x flattened to (N, D) row by row",
    cell="Affine layer: forward",
)
_bias = partial(
    _forward,
    sought=(
        r"\bb\b",
        r"out",
    ),
    where="Look at b.",
    tried="Set x to zero: the output should be b.",
)

AFFINE_FORWARD = by_key((
    _forward("wrong_memory_order",
             "x is flattened in the wrong order: the values of different examples are mixed",
             "Each example keeps its own row, and its values their order in memory.",
             where="Look at how x becomes two-dimensional.",
             tried="Flatten np.arange(24).reshape(2, 3, 4) by hand: row 0 must hold 0 to 11.",
             wrong=({"flatten": lambda x: x.reshape(-1, len(x)).T},
                    {"flatten": lambda x: x.reshape(len(x), -1, order="F")},
                    {"flatten": lambda x: x.T.reshape(len(x), -1)})),
    _bias("bias_missing", "the bias b is not added",
          "Every row of the product gets the same b added.",
          wrong={"bias": lambda b: 0 * b}),
    _bias("bias_sign", "the bias b is subtracted instead of added", "out is x·w plus b.",
          wrong={"bias": lambda b: -b}),
    _bias("bias_twice", "the bias b is added twice", "out is x·w plus b, once.",
          wrong={"bias": lambda b: 2 * b}),
    _forward("not_flattened",
             "x with more than two axes is not flattened (for plain (N, D) input it is right)",
             "Before the product x has one row an example, with all of that example's values in "
             "it.",
             where="What does the product do with an x of shape (N, d1, d2)?",
             tried="Call it with x of shape (2, 3, 4) and w of shape (12, 5).",
             cell="Affine layer: forward (a ValueError); fully-connected nets pass, their x is flat"),
))  # fmt: skip

BACK_CELL = "Affine layer: backward"
LINES = {
    "dx": "∂L/∂x = dout·wᵀ, in the shape of x",
    "dw": "∂L/∂w = xᵀ·dout",
    "db": "∂L/∂b = Σₙ dout[n]",
}
Sizes = tuple[int, int, int]
FACTORS: tuple[tuple[str, str, str, str, tuple[Callable[[int, int, int], float], ...]], ...] = (
    ("divided_by_n", "is divided by N, the number of examples",
     "Repeat every example twice: {g} must double.",
     "The loss already holds the 1/N; a layer adds none.", (lambda n, d, m: 1 / n,)),
    ("times_n", "is N times too large", "Repeat every example twice and watch {g}.",
     "No factor of N belongs here.",
     (lambda n, d, m: n,)),
    ("sign", "has the wrong sign", "Take a one-by-one example and do it by hand.",
     "The derivative of x·w is plus.", (lambda n, d, m: -1,)),
    ("divided_by_count", "is divided by a number of features", "Change D and M and watch {g}.",
     "No average is taken in an affine layer.", (lambda n, d, m: 1 / d, lambda n, d, m: 1 / m)),
    ("factor_two", "is off by a factor of two", "Take a one-by-one example and do it by hand.",
     "The product rule leaves no 2 here.", (lambda n, d, m: 2, lambda n, d, m: 0.5)),
)  # fmt: skip
"""What a gradient may be multiplied by; the formula takes N, D and M."""


def _factors(output: str) -> tuple[Mistake, ...]:
    where = f"Look at {output} alone; the other two gradients are judged by themselves."
    sought = (rf"\b{output}\w*\s*\+?=", "return")
    return tuple(
        Mistake(f"{output}_{key}", f"{output} {sentence}", asked, line=LINES[output], where=where,
                sought=sought,
                tried=tried.format(g=output), cell=BACK_CELL,
                wrong=tuple({f"{output}_factor": f} for f in ways))
        for key, sentence, tried, asked, ways in FACTORS
    )  # fmt: skip


_sum = partial(
    Mistake,
    sought=(r"\bdb\w*\s*=",),
    line="∂L/∂b[m] = Σₙ dout[n, m], of shape (M,)",
    where="Look at the sum that makes db: compare the shapes of b and db.",
    tried="Use N different from M and print db.shape.",
    cell=BACK_CELL,
)
SHARED = "b is shared by all examples, so their gradients add up."


def _ones(dout: Array) -> Array:
    return np.ones(dout.shape[1])


AFFINE_BACKWARD = by_key(
    (
        _sum("db_keepdims", "db has shape (1, M); b has (M,)",
             "The sum over examples removes that axis.",
             cell=BROADCAST, severity="robustness",
             wrong={"db_sum": lambda dout: dout.sum(0, keepdims=True)}),
        _sum("db_wrong_axis", "db is summed over the outputs instead of over the examples", SHARED,
             wrong=({"db_sum": lambda dout: dout.sum(1)},
                    {"db_sum": lambda dout: dout.sum(1, keepdims=True)})),
        _sum("db_whole_array", "db is one number: the sum runs over the whole of dout",
             "Each output has its own bias, and its own sum over examples.",
             wrong={"db_sum": lambda dout: dout.sum()}),
        _sum("db_not_summed", "db is dout itself: it is not summed over the examples", SHARED,
             wrong={"db_sum": lambda dout: dout}),
        _sum("db_ones", "db does not depend on dout", "Each gradient is linear in dout.",
             tried="Set dout to zero: every gradient must vanish.", wrong={"db_sum": _ones}),
        Mistake("dx_w_not_transposed", "dx uses w where its transpose is needed",
                "The gradient runs through the layer the other way: from M numbers back to D.",
                line="∂L/∂x = dout·wᵀ",
                where="Look at dx: write down the shapes of dout, w and dx.",
                tried="Use D different from M: which product is possible?", cell=BACK_CELL,
                wrong={"product": lambda dout, w: dout @ w}),
        Mistake("dx_not_reshaped",
                "dx is flat, (N, D), where x has more axes (dx is not brought back, or the cache "
                "holds the flattened x)",
                "The cache must still know what shape x had, and dx must take it.",
                line="dx has the shape of x",
                where="Look at dx: compare dx.shape with x.shape.",
                tried="Call it with x of shape (2, 3, 4).",
                cell="Affine layer: backward; fully-connected nets pass, their x is flat",
                wrong={"shape": lambda flat, x: flat}),
    ),
    _factors("dx"), _factors("dw"), _factors("db"),
)  # fmt: skip
