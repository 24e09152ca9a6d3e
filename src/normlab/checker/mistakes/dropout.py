"""Mistakes in dropout: forward is judged by what is measured, backward by the formula it leaves."""

from __future__ import annotations

from functools import partial

import numpy as np

from normlab.checker.mistakes.record import Mistake, by_key, convention

LINE = "out = x·mask/keep in training, out = x in testing"
CELL = "Dropout forward pass"
_forward = partial(
    Mistake,
    sought=(
        r"mask\w*\s*=",
        r"rand",
        r"return",
    ),
    line=LINE,
    where="Measure: which fraction survives, and by what is it multiplied?",
    tried="Use p = 0.2 and p = 0.8 on an array of ones, and look at the mean in training and in "
    "testing.",
    cell=CELL,
)
TESTING = "With inverted dropout nothing is left to do in testing."

DROPOUT_FORWARD = by_key((
    _forward("mask_inverted",
             "the mask is inverted: the fraction kept and the scale do not belong together",
             "If a fraction q survives, the survivors are divided by q."),
    _forward("not_inverted",
             "the survivors are not scaled up: the mean in training is smaller than in testing",
             "This is inverted dropout: the scaling happens in training, so that testing is the "
             "identity."),
    _forward("keep_and_drop_confused",
             "p is used as the probability of dropping, and the docstring says that it is kept",
             "With p = 0.8 most units must survive."),
    _forward("normal_for_uniform", "the mask is drawn from normal numbers instead of uniform ones",
             "A uniform number is below p with probability p; a normal one is not."),
    _forward("whole_columns",
             "whole rows or columns are dropped together: the mask has too few entries",
             "Each element of x is dropped by itself."),
    _forward("everything_dropped", "everything is dropped, whatever p is",
             "A part of the units is set to zero; the others stay."),
    _forward("mask_not_binary",
             "the mask holds the random numbers themselves instead of 0 and 1/keep",
             "A comparison turns random numbers into a mask."),
    _forward("nothing_dropped", "nothing is dropped in training",
             "In training a part of the units is set to zero."),
    _forward("scale", "the survivors are multiplied by the wrong factor",
             "If a fraction q survives, divide by q."),
    _forward("test_scaled", "test mode multiplies by p", TESTING),
    _forward("test_not_identity", "test mode is not the identity", TESTING),
    convention("p_drops", "p is the probability of dropping a unit (the years until 2017)", LINE,
               ""),
    convention("p_keeps_against_docstring",
               "p is the probability of keeping a unit, though the docstring says that it drops",
               LINE, ""),
    _forward("seed_ignored",
             "does not use the seed in dropout_param: the gradient check will see two different "
             "masks",
             "A seed makes the mask repeatable.", where="Look at the key 'seed'.",
             tried="Call it twice with one seed.", severity="remark"),
))  # fmt: skip

_backward = partial(
    Mistake,
    sought=(
        r"\bdx\w*\s*\*?=",
        r"return",
    ),
    line="∂L/∂x = dout·mask/keep",
    where="Look at what dout is multiplied by.",
    tried="Use p = 0.2 and p = 0.8, dout = 1 everywhere, and compare dx with out for x = 1.",
    cell="Dropout backward pass",
)
SAME = "What forward multiplied by, backward multiplies by."
DROPOUT_BACKWARD = by_key((
    _backward("mask_unscaled", "dout passes the mask without its scale", SAME,
              wrong={"mask": lambda mask: (mask != 0) * 1.0}),
    _backward("mask_inverted", "gradients pass where units were dropped", SAME,
              wrong={"mask": lambda mask: (mask == 0) * mask.max()}),
    _backward("no_mask", "dout passes unchanged: there is no mask",
              "A unit that was dropped has no influence, and no gradient.",
              wrong={"mask": lambda mask: np.ones(mask.shape)}),
    _backward("scaled_twice", "the scale 1/keep enters twice",
              "What forward multiplied by, backward multiplies by, once.",
              wrong={"mask": lambda mask: mask * mask.max()}),
    _backward("scaled_by_p", "dout is multiplied by p as well", "The mask holds the whole factor.",
              wrong={"scale": lambda p: p}),
    _backward("test_gradient", "in test mode dx is not dout",
              "In test mode the layer is the identity."),
))  # fmt: skip
