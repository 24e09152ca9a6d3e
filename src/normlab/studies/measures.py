"""What is measured on a run: one number, or one curve, by name, with its label and unit.

The first group is read from a run's History. The second is measured by a probe on the net itself and kept
in the records beside the run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from normlab.specs import History

Unit = Literal["accuracy", "loss", "decades", "share", "correlation"]


@dataclass(frozen=True)
class Measure:
    """A number a run: how to say it, and how to read it from a History (None: a probe measured it)."""

    title: str
    unit: Unit
    read: Callable[[History], float] | None = None


@dataclass(frozen=True)
class Curve:
    """A sequence a run, over steps, epochs or layers."""

    title: str
    unit: Unit
    read: Callable[[History], tuple[float, ...]] | None = None


def log10_or_floor(value: float, floor: float = 1e-30) -> float:
    """log10 of a quantity over orders of magnitude; what is below the floor counts as the floor.

    Signals that vanish underflow to exactly 0, and log10(0) would swallow every mean it enters.

    >>> log10_or_floor(0.01), log10_or_floor(0.0)
    (-2.0, -30.0)
    """
    return math.log10(max(value, floor))


MEASURES: dict[str, Measure] = {
    "best validation accuracy": Measure("Best validation accuracy", "accuracy", lambda h: h.best_val_acc),
    "best training accuracy": Measure("Best training accuracy", "accuracy", lambda h: h.best_train_acc),
    "final validation accuracy": Measure("Final validation accuracy", "accuracy", lambda h: h.val_acc[-1]),
    "final training accuracy": Measure("Final training accuracy", "accuracy", lambda h: h.train_acc[-1]),
    "first-epoch training accuracy": Measure("Training accuracy after one epoch", "accuracy", lambda h: h.train_acc[1]),
    "final loss": Measure("Mean loss of the last 100 steps", "loss", lambda h: h.final_loss),
    "mean loss": Measure("Training loss, mean over all steps", "loss", lambda h: sum(h.loss) / len(h.loss)),
    "initial loss": Measure("Loss of the first step", "loss", lambda h: h.loss[0]),
    # probe 'first step'
    "signal kept": Measure("Last activations over first (factor)", "decades"),
    "gradient kept": Measure("First layer over last (factor)", "decades"),
    "first-layer gradient": Measure("Spread of the first layer's weight gradient", "decades"),
    # probe 'batch gap'
    "statistics gap": Measure("Distance (standard deviations)", "decades"),
    "variance gap": Measure("Variance, as a factor", "decades"),
    "accuracy with batch statistics": Measure("Training accuracy with batch statistics", "accuracy"),
    "accuracy with running statistics": Measure("Training accuracy with running statistics", "accuracy"),
    # probe 'preprocessing'
    "own scale": Measure("Change of an image's output when that image is scaled by 2", "share"),
    "own row": Measure("Change of the other rows when one row of an image is scaled by 2", "share"),
    "common offset": Measure("Change of the outputs when one pattern is added to every image", "share"),
    "neighbours": Measure("Change of an image's output when the other images are replaced", "share"),
    "like batch norm": Measure("Agreement with batch norm's answers", "share"),
    "like layer norm": Measure("Agreement with layer norm's answers", "share"),
    "correlation with batch norm": Measure("Correlation with batch norm's output", "correlation"),
    "correlation with layer norm": Measure("Correlation with layer norm's output", "correlation"),
}

CURVES: dict[str, Curve] = {
    "loss": Curve("Training loss", "loss", lambda h: h.loss),
    "training accuracy": Curve("Training accuracy", "accuracy", lambda h: h.train_acc),
    "validation accuracy": Curve("Validation accuracy", "accuracy", lambda h: h.val_acc),
    # probe 'first step'
    "activation spread": Curve("Standard deviation of the activations", "decades"),
    "gradient spread": Curve("Standard deviation of the weights' gradient", "decades"),
}
