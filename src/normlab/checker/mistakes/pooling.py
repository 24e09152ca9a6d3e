"""Mistakes in max pooling."""

from __future__ import annotations

from normlab.checker.mistakes.record import Mistake, by_key, convention

POOLING = by_key((
    Mistake("overlap_overwritten", "where windows overlap, one gradient overwrites the other",
            "Gradients that arrive at the same entry add up.",
            line="∂L/∂x = Σ over the windows in which x is the maximum",
            where="What happens to an entry that is the maximum of two windows?",
            tried="Use stride 1 and a window of 3.",
            cell="none: in every cell the stride is the window's size"),
    convention("ties_to_all",
               "gives a tie's gradient to every maximum of the window; a choice that doubles it",
               "∂L/∂x at the maximum"),
))  # fmt: skip
