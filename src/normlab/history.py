"""What a run leaves behind: a `History`, a value like the spec that it comes from."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

from normlab.canonical import as_values, from_values, later, only_option_errors

if TYPE_CHECKING:
    from normlab.machine import Provenance


@dataclass(frozen=True)
class History:
    """What a run left behind.

    `loss` has one entry a step (the minibatch's, regularization included), `train_acc` and
    `val_acc` one for the first iteration and one for each epoch's end (and the last iteration,
    where that is not an epoch's end). `diverged` says that a loss was NaN or infinite; such a run
    is kept, and counted. `test_acc` and `val_loss` stand beside `val_acc` where TrainingSpec.test
    asked for them: accuracy on the test set, and the mean loss on the validation set, without
    regularization. `provenance` says which versions and machine trained it, whoever records it; the
    records keep it in columns of their own.
    """

    loss: tuple[float, ...]
    train_acc: tuple[float, ...]
    val_acc: tuple[float, ...]
    best_val_acc: float
    diverged: bool
    seconds: float = field(default=0.0, compare=False)
    engine: str = field(default="reference", compare=False)
    test_acc: tuple[float, ...] = later(())
    val_loss: tuple[float, ...] = later(())
    provenance: Provenance | None = field(
        default=None, compare=False, repr=False, metadata={"kept apart": True}
    )

    def __post_init__(self) -> None:
        for name in ("loss", "train_acc", "val_acc", "test_acc", "val_loss"):
            # every NaN becomes the one object math.nan, so that equal histories compare equal
            values = (float(value) for value in getattr(self, name))
            object.__setattr__(self, name, tuple(math.nan if v != v else v for v in values))

    def __reduce__(self) -> tuple[Any, ...]:
        # a copy from another process goes through the constructor too, or its NaNs would equal no
        # others
        return type(self), tuple(getattr(self, item.name) for item in fields(self))

    @property
    def best_train_acc(self) -> float:
        """The highest training accuracy measured."""
        return max(self.train_acc)

    @property
    def final_loss(self) -> float:
        """Mean loss of the last 100 steps: NaN or infinite where one of them is."""
        tail = self.loss[-100:]
        return sum(tail) / len(tail)

    def to_json(self) -> str:
        """Strict JSON, which has no NaN: such losses are the strings "nan", "inf" and "-inf"."""
        return json.dumps(
            {name: _finite_or_text(value) for name, value in as_values(self).items()},
            allow_nan=False,
        )

    @classmethod
    def from_json(cls, text: str, provenance: Provenance | None = None) -> Self:
        """The history that `to_json` wrote. Raises OptionError for any other text."""
        with only_option_errors(cls):
            found: Self = from_values(cls, json.loads(text), provenance=provenance)
            return found


def _finite_or_text(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_finite_or_text(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value
