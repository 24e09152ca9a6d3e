"""A whole PyTorch model and its batch norm layers.

What does not do what its author expects, with the evidence.

The file runs in a process of its own, as in `check`: a guard against accidents, no sandbox.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from normlab.checker.api import split_entry
from normlab.checker.process import ChildSubject, Limits
from normlab.checker.subject import SubjectLost
from normlab.errors import OptionError, UserError

LIMITS = Limits(seconds_a_call=120.0, seconds_to_load=60.0, seconds_in_all=240.0, memory=16 * 2**30)
LOOKED_FOR = (
    "frozen and shared layers, a batch of one, stale statistics, the gap between train and eval, "
    "the last batch"
)  # fmt: skip


@dataclass(frozen=True)
class Trouble:
    """One thing about a model.

    Its kind, the layer (empty: the whole model), a sentence, what was measured.

    `note` marks what is so by design, and harms only in a case that may not occur.
    """

    kind: str
    layer: str
    sentence: str
    evidence: str
    note: bool = False


@dataclass(frozen=True)
class Checkup:
    """What was found about one model, on which input."""

    subject: str
    layers: tuple[str, ...]
    input_shape: tuple[int, ...]
    own_data: bool
    troubles: tuple[Trouble, ...]
    seed: int = 0

    @property
    def harmful(self) -> tuple[Trouble, ...]:
        """The troubles that are no mere notes."""
        return tuple(trouble for trouble in self.troubles if not trouble.note)

    def to_json(self) -> str:
        """The same as strict JSON."""
        return json.dumps(asdict(self), indent=2, allow_nan=False)

    def __str__(self) -> str:
        size = " x ".join(map(str, self.input_shape))
        whose = (
            "your own batch"
            if self.own_data
            else "random numbers; return (model, batch) to use your own"
        )
        count = f"{len(self.layers)} batch norm layer{'s' * (len(self.layers) != 1)}"
        lines = [f"{self.subject}: {count}, looked at on an input of {size} ({whose})", ""]
        for trouble in self.troubles:
            mark = "·" if trouble.note else "✗"
            lines.append(
                f"{mark} {trouble.kind}{f' ({trouble.layer})' if trouble.layer else ''}: "
                f"{trouble.sentence}"
            )
            lines += [f"    measured: {trouble.evidence}", ""]
        if not self.harmful:
            lines.append(f"✓ nothing found; looked for {LOOKED_FOR}")
        return "\n".join(lines)


def doctor(
    target: str | os.PathLike[str],
    *,
    examples: int | None = None,
    batch_size: int | None = None,
    shape: Sequence[int] | None = None,
    seed: int = 0,
) -> Checkup:
    """Examine the model that `model.py:build` is or makes.

    `build` is a `torch.nn.Module`, or a function without arguments that returns one, or returns one
    with a batch (a tensor or a data loader). `shape` is that of one example, where no batch is
    given and it cannot be seen. With the number of training `examples` and the `batch_size` the
    last batch of an epoch is looked at too.

    Raises OptionError for a target without a name, UserError where the model cannot be examined.
    """
    path, entry = split_entry(os.fspath(target))
    if not entry:
        raise OptionError(f"{os.fspath(target)!r} names no model; write it as model.py:build")
    order = {
        "examples": examples,
        "batch_size": batch_size,
        "shape": list(shape or []),
        "seed": seed,
    }
    try:
        with ChildSubject(path, limits=LIMITS) as subject:
            outcome = subject.examine(entry, order)
            notes = "; ".join(note.text for note in subject.notes)
    except SubjectLost as lost:
        raise UserError(f"{target} cannot be examined: {lost}") from None
    if outcome.error is not None:
        known = outcome.error.type == "DoctorError"
        told = outcome.error.message if known else str(outcome.error)
        raise UserError(f"{target} cannot be examined: {told}{f' ({notes})' if notes else ''}")
    value = outcome.value
    return Checkup(
        os.fspath(target),
        tuple(map(str, value["layers"])),
        tuple(map(int, value["input"])),
        bool(value["own_data"]),
        tuple(_trouble(one) for one in value["findings"]),
        seed,
    )


def _trouble(told: dict[str, Any]) -> Trouble:
    kind, layer, sentence, evidence = (
        str(told[name]) for name in ("kind", "layer", "sentence", "evidence")
    )
    return Trouble(kind, layer, sentence, evidence, bool(told["note"]))
