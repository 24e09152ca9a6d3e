"""What a run leaves behind: a `History`, a value like the spec that it comes from."""

from __future__ import annotations

import importlib
import json
import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

from normlab.canonical import as_values, from_values, later, only_option_errors
from normlab.errors import need

if TYPE_CHECKING:
    from normlab.machine import Provenance


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        return f"History({self._in_words()})"

    def _repr_html_(self) -> str:
        """A line of words and a small curve of the loss, for notebooks."""
        return f"<p><b>History</b>: {self._in_words()}</p>{_sparkline(self.loss)}"

    def _in_words(self) -> str:
        steps = len(self.loss)
        loss = f"loss {self.loss[0]:.3g} to {self.loss[-1]:.3g}" if steps else "no loss"
        words = [
            f"{steps} steps",
            loss,
            f"best validation accuracy {100 * self.best_val_acc:.1f} %",
        ]
        if self.test_acc:
            words.append(f"final test accuracy {100 * self.test_acc[-1]:.1f} %")
        words += ["diverged"] if self.diverged else []
        return ", ".join([*words, f"{self.engine} engine", f"{self.seconds:.2g} s"])

    def plot(self) -> Any:
        """Loss a step and accuracy a look, side by side, as an Altair chart; needs the extra `studies`."""
        need("plot()", {"altair": "Altair"}, "'normlab[studies]'")
        alt = importlib.import_module("altair")  # for this alone: a history needs no library

        losses = [{"step": i, "loss": v} for i, v in enumerate(self.loss, 1) if math.isfinite(v)]
        curves = {"training": self.train_acc, "validation": self.val_acc, "test": self.test_acc}
        looks = [
            {"look": i, "accuracy": v, "examples": name}
            for name, values in curves.items()
            for i, v in enumerate(values)
        ]
        loss = alt.Chart(alt.InlineData(losses)).mark_line().encode(
            x=alt.X("step:Q", title="Step"),
            y=alt.Y("loss:Q", title="Training loss (nats)").scale(type="symlog"),
        )  # fmt: skip
        accuracy = alt.Chart(alt.InlineData(looks)).mark_line(point=True).encode(
            x=alt.X("look:Q", title="Epoch"),
            y=alt.Y("accuracy:Q", title="Accuracy").axis(format="%"),
            color=alt.Color("examples:N", title=None),
        )  # fmt: skip
        return loss | accuracy

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


def _sparkline(values: tuple[float, ...], width: int = 240, height: int = 40) -> str:
    """The finite ones of these values as a small SVG line; empty for fewer than two."""
    points = [(i, value) for i, value in enumerate(values) if math.isfinite(value)]
    if len(points) < 2:
        return ""
    low, high = (pick(value for _, value in points) for pick in (min, max))
    spread = (high - low) or 1.0
    across = width / max(len(values) - 1, 1)
    line = " ".join(
        f"{i * across:.1f},{height * (high - value) / spread:.1f}" for i, value in points
    )
    return (
        f'<svg width="{width}" height="{height}" role="img" aria-label="training loss over the steps">'
        f'<polyline points="{line}" fill="none" stroke="currentColor"/></svg>'
    )


def _finite_or_text(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_finite_or_text(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value
