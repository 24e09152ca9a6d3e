"""Mistakes in the running statistics of batch norm, each with the update that it leaves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from normlab.checker.mistakes.norm_forward import TEST_CELL
from normlab.checker.mistakes.record import Mistake, convention
from normlab.typing import Array

LINE = "running = momentum·running + (1 − momentum)·batch, for μ and for var"
SHARE = "The weights of old and new add up to 1."
Update = Callable[[Array, Array, float], Array]

WAYS: tuple[tuple[str, str, str, Update], ...] = (
    ("momentum_swapped", "momentum weighs the new value instead of the old one",
     "With momentum = 0.9 the old value keeps 90 %.", lambda old, new, m: (1 - m) * old + m * new),
    ("not_updated",
     "not updated in bn_param by a training step (never computed, or only kept in a local "
     "variable)",
     "The caller's dict must hold the new values after the call.", lambda old, new, m: old),
    ("overwritten", "replaced by the last batch's value", "The old value keeps its share.",
     lambda old, new, m: new),
    ("momentum_hard_coded", "updated with a momentum fixed in the code",
     "The caller chooses the momentum.",
     lambda old, new, m: 0.9 * old + (1 - 0.9) * new),
    ("accumulated", "never forgets: the old value keeps all its weight", SHARE,
     lambda old, new, m: old + (1 - m) * new),
    ("summed", "a plain sum of old and new", SHARE, lambda old, new, m: old + new),
    ("new_not_weighted", "the new value enters with its whole weight: 1 − momentum is missing",
     SHARE,
     lambda old, new, m: m * old + new),
    ("old_forgotten", "the old value is lost: only (1 − momentum)·batch is kept", SHARE,
     lambda old, new, m: (1 - m) * new),
    ("subtracted", "the new value is subtracted instead of added", SHARE,
     lambda old, new, m: m * old - (1 - m) * new),
    ("decayed_only", "only shrinks: the batch's value is not added", SHARE, lambda old, new,
     m: m * old),
)  # fmt: skip
"""Key, what happens, what is asked, and the new value from the old one, the batch's, and the
momentum."""


def _updates(prefix: str, what: str, *slots: str) -> tuple[Mistake, ...]:
    return tuple(
        Mistake(prefix + key, f"{what}: {sentence}", asked, line=LINE,
                where="Look at the update of the running statistics.", sought=("running",),
                tried="Do one step by hand, from a state that is not zero.", cell=TEST_CELL,
                wrong=dict.fromkeys(slots, update))
        for key, sentence, asked, update in WAYS
    )  # fmt: skip


_held = partial(
    Mistake,
    sought=(r"running_var",),
    asked="It is the variance that is averaged; the root is taken when it is used.",
    line=LINE,
    where="Look at what is averaged under the name running_var.",
    tried="Compare running_var after one step with the variance of each column of x.",
    cell=TEST_CELL,
)
HELD = (
    _held("holds_std", "running_var averages the standard deviation instead of the variance",
          wrong=({"held": lambda x, eps: np.sqrt(x.var(0))},
                 {"held": lambda x, eps: np.sqrt(x.var(0) + eps)})),
    _held("holds_mean", "running_var averages the mean instead of the variance",
          wrong={"held": lambda x, eps: x.mean(0)}),
    convention("running_unbiased",
               "running_var averages the unbiased variance (as the paper and PyTorch do; the "
               "course keeps the biased one)",
               LINE, "forward in test mode, in the third digit", where="A convention.",
               tried="Multiply by (N − 1)/N to compare.", asked="Either is fine, if it is meant.",
               wrong={"held": lambda x, eps: x.var(0, ddof=1)}),
    _held("holds_eps", "running_var averages var + ε: ε will be added a second time in testing",
          wrong={"held": lambda x, eps: x.var(0) + eps}),
    _held("holds_inverse", "running_var averages the inverse standard deviation",
          wrong={"held": lambda x, eps: 1 / np.sqrt(x.var(0) + eps)}),
    _held("holds_sum", "running_var averages the sum of squares: its 1/N is forgotten",
          wrong={"held": lambda x, eps: x.var(0) * len(x)}),
)  # fmt: skip
FIRST = convention(
    "variance_starts_at_one",
    "running_var starts at 1 (as in PyTorch; the course starts at 0)",
    LINE,
)
RUNNING = (
    *_updates("", "running_mean and running_var", "mean", "variance"),
    *HELD,
    *_updates("mean_", "running_mean", "mean"),
    *_updates("variance_", "running_var", "variance"),
    FIRST,
)
