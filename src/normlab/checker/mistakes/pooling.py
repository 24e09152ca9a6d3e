"""Mistakes in max pooling, each with the formula it leaves."""

from __future__ import annotations

from functools import partial

import numpy as np

from normlab.checker.mistakes.record import Mistake, by_key, convention

_forward = partial(
    Mistake,
    sought=(r"range|shape",),
    line="out[n, c, i, j] = max of x[n, c] over rows i·s to i·s + ph and columns j·s to j·s + pw",
    where="Look at the sizes of the windows and of the output.",
    tried="Use a window of 2 by 3, stride 2, on images of 5 by 8.",
    cell="none: windows and images are square there",
)
ROWS, BOTH = "Rows and columns have sizes of their own.", "The window is pool_height by pool_width."
FORWARD = (
    _forward("width_from_height", "the output's width is worked out from the height of the images",
             ROWS,
             wrong=({"width": lambda h, w, ph, pw, s: 1 + (h - pw) // s},
                    {"width": lambda h, w, ph, pw, s: 1 + (h - ph) // s})),
    _forward("height_from_width", "the output's height is worked out from the width of the images",
             ROWS,
             wrong=({"height": lambda h, w, ph, pw, s: 1 + (w - ph) // s},
                    {"height": lambda h, w, ph, pw, s: 1 + (w - pw) // s})),
    _forward("window_for_both", "one side of the window is used for both", BOTH,
             wrong=({"window": lambda ph, pw: (ph, ph), "width": lambda h, w, ph, pw,
                     s: 1 + (w - ph) // s},
                    {"window": lambda ph, pw: (pw, pw), "height": lambda h, w, ph, pw,
                     s: 1 + (h - pw) // s},
                    {"window": lambda ph, pw: (ph, ph)}, {"window": lambda ph, pw: (pw, pw)})),
    _forward("window_turned", "height and width of the window have changed places", BOTH,
             wrong=({"window": lambda ph, pw: (pw, ph)},
                    {"window": lambda ph, pw: (pw, ph), "width": lambda h, w, ph, pw,
                     s: 1 + (w - ph) // s,
                     "height": lambda h, w, ph, pw, s: 1 + (h - pw) // s})),
    _forward("stride_ignored", "the windows move by their own size: the stride is not used",
             "Windows move by the stride, and may overlap.",
             wrong=({"step": lambda ph, pw, s: (ph, pw)},
                    {"step": lambda ph, pw, s: (ph, pw), "height": lambda h, w, ph, pw, s: h // ph,
                     "width": lambda h, w, ph, pw, s: w // pw})),
    _forward("stride_one", "the windows move by 1: the stride is not used",
             "Windows move by the stride.",
             wrong={"step": lambda ph, pw, s: (1, 1)}),
    _forward("size_without_window", "the output's size is worked out without the window",
             "1 + (H − ph)/s",
             wrong=({"height": lambda h, w, ph, pw, s: h // s, "width": lambda h, w, ph, pw,
                     s: w // s},
                    {"height": lambda h, w, ph, pw, s: -(-h // s), "width": lambda h, w, ph, pw,
                     s: -(-w // s)})),
    _forward("one_too_few",
             "the output lacks its last row and column: the 1 in 1 + (H − ph)/s is missing",
             "1 + (H − ph)/s", wrong={"height": lambda h, w, ph, pw, s: (h - ph) // s,
                                      "width": lambda h, w, ph, pw, s: (w - pw) // s}),
    _forward("rest_counted",
             "where the stride leaves a rest, a window that hangs over the edge is counted as well",
             "Only whole windows count: the division is rounded down.",
             wrong={"height": lambda h, w, ph, pw, s: 1 - (ph - h) // s,
                    "width": lambda h, w, ph, pw, s: 1 - (pw - w) // s}),
    _forward("average_for_max", "takes the mean of each window instead of its maximum",
             "The maximum is asked for.",
             cell="max pooling: forward", wrong={"reduce": np.mean}),
    _forward("minimum_for_max", "takes the minimum of each window", "The maximum is asked for.",
             cell="max pooling: forward", wrong={"reduce": np.min}),
)  # fmt: skip

_backward = partial(
    Mistake, sought=(r"range|dx",), line="∂L/∂x = Σ over the windows in which x is the maximum",
    where="Look at where each gradient goes.", tried="Use one window with four different numbers.",
    cell="max pooling: backward",
)  # fmt: skip
BACKWARD = (
    _backward("overlap_overwritten", "where windows overlap, one gradient overwrites the other",
              "Gradients that arrive at the same entry add up.",
              where="What happens to an entry that is the maximum of two windows?",
              tried="Use stride 1 and a window of 3.",
              cell="none: in every cell the stride is the window's size",
              severity="robustness", wrong={"arrive": lambda old, new: new}),
    _backward("spread_over_window",
              "every entry of a window gets the gradient, not the maximum alone",
              "Only the maximum moves the output.",
              wrong=({"share": lambda window: np.ones(window.shape)},
                     {"share": lambda window: np.full(window.shape, 1 / window.size)})),
    _backward("times_maximum", "the gradient is multiplied by the maximum itself",
              "The slope of a maximum is 1.",
              wrong={"share": lambda window: (window == window.max()) * window}),
    _backward("mask_alone", "dout is forgotten: the maxima are marked with 1",
              "The chain rule multiplies by dout.",
              wrong={"dout": lambda dout: 1.0}),
)  # fmt: skip
POOLING = by_key(FORWARD, BACKWARD, (
    convention("ties_to_all",
               "gives a tie's gradient to every maximum of the window; a choice that doubles it",
               "∂L/∂x at the maximum"),
    _forward("only_square", "is right for square images and windows, and raises on others", ROWS),
))  # fmt: skip
