"""An engine that takes its time, and float32 only."""

from __future__ import annotations

from normlab.engines import reference
from normlab.engines.engine import Engine
from normlab.specs import RunSpec


def takes(spec: RunSpec) -> str | None:
    """Why it does not train a run; None where it does."""
    if spec.net.dtype != "float32":
        return f"it knows float32 only, not dtype={spec.net.dtype!r}"
    return reference.takes(spec)


PATIENT = Engine(
    name="patient",
    title="the reference engine without haste",
    why_not=lambda: None,
    takes=takes,
    train=reference.train,
    explain=lambda _: "the reference's way",
    provenance=lambda: {"patience": "endless"},
)
