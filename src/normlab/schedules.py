"""Learning-rate schedules: what the learning rate is multiplied by at each step.

A schedule comes on top of `lr_decay`, which multiplies the rate after each epoch. Steps count from
0 to `steps` - 1; the first `warmup` of them are the warm-up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from normlab.errors import OptionError


@dataclass(frozen=True)
class Schedule:
    """A schedule: `factor(step, steps, warmup)` is from 0 to 1; None is 1 at every step."""

    name: str
    title: str
    factor: Callable[[int, int, int], float] | None
    warms_up: bool = False
    """Whether it has a warm-up, so that `warmup_epochs` means something."""


def cosine(step: int, steps: int, warmup: int) -> float:  # noqa: ARG001
    """(1 + cos(π step / steps)) / 2: from 1 down to nearly 0.

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017,
    equation 5 with one period and no restart.

    >>> [round(cosine(step, 4, 0), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    """
    return (1 + math.cos(math.pi * step / steps)) / 2


def warmup_cosine(step: int, steps: int, warmup: int) -> float:
    """(step + 1) / warmup during the warm-up, then a cosine over the steps that are left.

    The linear warm-up is that of Goyal et al., "Accurate, Large Minibatch SGD", 2017, section 2.2.

    >>> [round(warmup_cosine(step, 6, 2), 3) for step in range(6)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146]
    """
    if step < warmup:
        return (step + 1) / warmup
    return cosine(step - warmup, steps - warmup, 0)


BY_NAME = {
    schedule.name: schedule
    for schedule in (
        Schedule("constant", "constant", None),
        Schedule("cosine", "cosine", cosine),
        Schedule("warm-up cosine", "linear warm-up, then cosine", warmup_cosine, warms_up=True),
    )
}


def check_warmup(schedule: str, warmup_epochs: int, num_epochs: int) -> None:
    """Refuse a warm-up where there is none, none where there is one, and one that never ends."""
    if not BY_NAME[schedule].warms_up:
        if warmup_epochs:
            raise OptionError(
                f"warmup_epochs={warmup_epochs} goes with schedule='warm-up cosine', not "
                f"{schedule!r}"
            )
    elif not 1 <= warmup_epochs < num_epochs:
        raise OptionError(
            f"schedule={schedule!r} needs warmup_epochs from 1 to {num_epochs - 1}, fewer than its "
            f"num_epochs={num_epochs}; warmup_epochs={warmup_epochs}"
        )
