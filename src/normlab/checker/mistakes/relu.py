"""Mistakes in ReLU, each with the formula it leaves."""

from __future__ import annotations

from functools import partial

import numpy as np

from normlab.checker.mistakes.record import Mistake, by_key, convention

TRY = "Try x = [-2, -1, 1, 2] and dout = [10, -20, 30, -40] by hand."
_forward = partial(
    Mistake,
    sought=(
        r"\bout\w*\s*=",
        r"return",
    ),
    line="out = max(0, x), element by element",
    where="Look at what happens to negative values.",
    tried=TRY,
    cell="ReLU: forward",
)
RELU_FORWARD = by_key((
    _forward("absolute_value", "takes the absolute value instead of cutting negative values off",
             "Negative values become 0.", wrong={"value": np.abs}),
    _forward("leaky", "lets a small part of negative values through (a leaky ReLU)",
             "The slope for negative values is 0.",
             wrong=({"value": lambda x: np.where(x > 0, x, 0.01 * x)},
                    {"value": lambda x: np.where(x > 0, x, 0.1 * x)})),
    _forward("identity", "returns x unchanged", "Negative values become 0.",
             wrong={"value": lambda x: x}),
    _forward("mask_for_value", "returns the mask x > 0 instead of the values",
             "Positive values stay as they are.", wrong={"value": lambda x: (x > 0) * 1.0}),
    _forward("minimum", "keeps the negative values instead of the positive ones",
             "It is the larger of 0 and x.", wrong={"value": lambda x: np.minimum(x, 0)}),
    _forward("whole_maximum", "takes one maximum of the whole array",
             "Each element is compared with 0 by itself.",
             wrong=({"value": lambda x: np.maximum(0, x.max()) + 0 * x},
                    {"value": lambda x: np.maximum(0, x.max())})),
))  # fmt: skip

LINE = "∂L/∂x = dout where x > 0, and 0 elsewhere"
_backward = partial(
    Mistake,
    sought=(
        r"\bdx\w*(\[.*\])?\s*\*?=",
        r"return",
    ),
    line=LINE,
    where="Look at the mask that dout is multiplied by.",
    tried=TRY,
    cell="ReLU: backward",
)
RELU_BACKWARD = by_key((
    _backward("mask_of_dout", "the mask is made from dout instead of x",
              "Whether a unit was on is decided by x alone.",
              wrong=({"mask": lambda x, dout: dout > 0},
                     {"mask": lambda x, dout: (dout > 0) & (x > 0)})),
    _backward("mask_inverted", "the mask is inverted: gradients pass where x is negative",
              "Gradients pass where x is positive.",
              wrong=({"mask": lambda x, dout: x < 0}, {"mask": lambda x, dout: x <= 0})),
    _backward("no_mask", "dout passes everywhere: there is no mask",
              "Where x was cut off, the output does not depend on x.",
              wrong={"mask": lambda x, dout: np.ones(x.shape)}),
    _backward("times_value", "dout is multiplied by the value of x instead of by the mask",
              "The slope is 1 where x > 0, whatever x is.",
              wrong=({"mask": lambda x, dout: np.maximum(x, 0)}, {"mask": lambda x, dout: x})),
    _backward("leaky", "a small slope is left for negative x",
              "The slope for negative values is 0.",
              wrong=({"mask": lambda x, dout: np.where(x > 0, 1, 0.01)},
                     {"mask": lambda x, dout: np.where(x > 0, 1, 0.1)})),
    _backward("dout_missing", "returns the mask alone: dout is forgotten",
              "The chain rule multiplies by dout.",
              wrong={"dout": lambda dout: 1.0}),
    _backward("dout_squared", "dout enters twice", "A gradient is linear in dout.",
              wrong={"dout": lambda dout: dout * dout}),
    _backward("sign", "has the wrong sign", "The slope for positive x is +1.",
              wrong={"dout": lambda dout: -dout}),
    convention("gradient_at_zero", "uses slope 1 at x = 0 exactly; either choice is right", LINE,
               "none: x is never exactly 0 there"),
))  # fmt: skip
