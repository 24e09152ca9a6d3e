"""What is measured on a run: one number, or one curve, each a record with its label and its unit.

Those here are read from any run's History, under names that every study may use. A probe brings its
own, and so does a study that needs another: `Study.measures` takes records beside names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from normlab.specs import History

Unit = Literal["accuracy", "loss", "decades", "share", "correlation", "angle"]
UNIT_TITLES: Mapping[str, str] = {
    "accuracy": " (%)",
    "loss": " (nats)",
    "decades": "",
    "share": "",
    "correlation": "",
    "angle": " (degrees)",
}
OVER_TITLES: Mapping[str, str] = {"step": "Step", "epoch": "Epoch", "layer": "Hidden layer"}
"""What a curve may run over, and the title of that axis."""


@dataclass(frozen=True)
class Measure:
    """A number a run. `read` takes it from a History; without it, a probe measures it.

    `column` is its title at the head of a column, where that differs. `counted_on` says whose
    examples an accuracy counts: such a number lies on a grid, and an interval is never narrower
    than a step of it.
    """

    name: str
    title: str
    unit: Unit
    read: Callable[[History], float] | None = None
    column: str = ""
    counted_on: Literal["", "training", "validation", "test"] = ""


@dataclass(frozen=True)
class Curve:
    """A sequence a run, over steps, epochs or layers."""

    name: str
    title: str
    unit: Unit
    over: Literal["step", "epoch", "layer"]
    read: Callable[[History], tuple[float, ...]] | None = None


def log10_or_floor(value: float, floor: float = 1e-30) -> float:
    """log10 of a quantity over orders of magnitude; what is below the floor counts as the floor.

    Signals that vanish underflow to exactly 0, and log10(0) would swallow every mean it enters.

    >>> log10_or_floor(0.01), log10_or_floor(0.0)
    (-2.0, -30.0)
    """
    return math.log10(max(value, floor))


def by_name(*records: Measure | Curve) -> dict[str, Measure | Curve]:
    """Records under their names."""
    return {record.name: record for record in records}


def test_at_best(history: History) -> float:
    """Test accuracy at the look whose validation accuracy was highest, the first of them; NaN if none was asked for.

    What is reported was not chosen on: the epoch is chosen on validation examples alone.
    """
    test = getattr(history, "test_acc", ())
    if not test:
        return math.nan
    best = max(range(len(history.val_acc)), key=lambda look: (history.val_acc[look], -look))
    return float(test[best])


def _last(values: tuple[float, ...]) -> float:
    return float(values[-1]) if values else math.nan


STANDARD: dict[str, Measure | Curve] = by_name(
    Measure(
        "best validation accuracy",
        "Best validation accuracy",
        "accuracy",
        lambda h: h.best_val_acc,
        counted_on="validation",
    ),
    Measure(
        "best training accuracy",
        "Best training accuracy",
        "accuracy",
        lambda h: h.best_train_acc,
        counted_on="training",
    ),
    Measure(
        "final validation accuracy",
        "Final validation accuracy",
        "accuracy",
        lambda h: h.val_acc[-1],
        counted_on="validation",
    ),
    Measure(
        "final training accuracy",
        "Final training accuracy",
        "accuracy",
        lambda h: h.train_acc[-1],
        counted_on="training",
    ),
    Measure(
        "first-epoch training accuracy",
        "Training accuracy after one epoch",
        "accuracy",
        lambda h: h.train_acc[1],
        counted_on="training",
    ),
    Measure(
        "test accuracy",
        "Test accuracy at the best validation",
        "accuracy",
        test_at_best,
        counted_on="test",
    ),
    Measure(
        "final test accuracy",
        "Final test accuracy",
        "accuracy",
        lambda h: _last(getattr(h, "test_acc", ())),
        counted_on="test",
    ),
    Measure("final loss", "Mean loss of the last 100 steps", "loss", lambda h: h.final_loss),
    Measure(
        "mean loss",
        "Training loss, mean over all steps",
        "loss",
        lambda h: sum(h.loss) / len(h.loss),
    ),
    Measure("initial loss", "Loss of the first step", "loss", lambda h: h.loss[0]),
    Curve("loss", "Training loss", "loss", "step", lambda h: h.loss),
    Curve("training accuracy", "Training accuracy", "accuracy", "epoch", lambda h: h.train_acc),
    Curve("validation accuracy", "Validation accuracy", "accuracy", "epoch", lambda h: h.val_acc),
)
