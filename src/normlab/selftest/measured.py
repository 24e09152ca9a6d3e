"""What one check of a promise found: the row that every part of the self-test yields."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Measured"]


@dataclass(frozen=True)
class Measured:
    """One promise and what was measured of it.

    `promise` is the sentence that is promised, `bound` what it allows, `measured` what was found,
    both as the reader sees them (`1e-07 of max|y|`, `0 of 200`). `peer` is PyTorch on the same
    inputs, where that makes sense and it is installed. `holds` is None where the check could not
    run here; `note` then says why, or else names the worst case. `cases` counts the inputs, files
    or kills behind the row.
    """

    area: str
    promise: str
    bound: str
    measured: str
    holds: bool | None
    cases: int
    peer: str = ""
    note: str = ""
