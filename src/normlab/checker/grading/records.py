"""What grading one submission leaves.

A frozen record, one JSON file each, so that work can be continued.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import normlab
from normlab.checker.findings import Finding, NotJudged, Report
from normlab.checker.grading import submissions
from normlab.checker.printed import PrintedReport
from normlab.files import write_atomically

VERSION = 2


@dataclass(frozen=True)
class Graded:
    """One submission: points by function, the report, and the protections its code ran under."""

    name: str
    content: str
    scores: Mapping[str, float]
    total: float
    protections: tuple[str, ...]
    report: Report

    @property
    def score(self) -> float:
        """The points in all."""
        return float(sum(self.scores.values()))

    def to_json(self) -> str:
        """The record as strict JSON; docs/checker.md describes the fields."""
        values = {
            "version": VERSION, "name": self.name, "content": self.content, "score": self.score,
            "total": self.total,
            "scores": dict(self.scores), "protections": list(self.protections),
            "report": self.report.as_dict(),
        }  # fmt: skip
        return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)


def from_json(text: str) -> Graded:
    """The record that `to_json` wrote.

    Raises ValueError, KeyError or TypeError for anything else.
    """
    values: dict[str, Any] = json.loads(text)
    if values["version"] != VERSION:
        raise ValueError("another version's record")
    told = values["report"]
    findings = tuple(_finding(finding) for finding in told["findings"])
    report = PrintedReport(
        told["subject"],
        findings,
        notes=tuple(told["notes"]),
        held=tuple(told["limits"]),
        seconds=told["seconds"],
        seed=told["seed"],
        read=tuple(told["read"]),
        passed_over=tuple(told["passed_over"]),
        not_judged=tuple(NotJudged(**one) for one in told["not_judged"]),
    )
    return Graded(
        values["name"],
        values["content"],
        values["scores"],
        values["total"],
        tuple(values["protections"]),
        report,
    )


def _finding(values: dict[str, Any]) -> Finding:
    told: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
    return Finding(**told)


def save(graded: Graded, folder: Path) -> None:
    """Write the record to its file, all or nothing."""
    write_atomically(folder / f"{graded.name}.json", graded.to_json().encode())


def load(name: str, folder: Path, content: str) -> Graded | None:
    """The record of an earlier run, if the submission and who judges it are still the same."""
    try:
        graded = from_json((folder / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return graded if graded.content == content else None


def fingerprint(path: Path, salt: str) -> str:
    """SHA-256 of a submission's content, with what else decides the outcome."""
    return hashlib.sha256(f"{salt} {submissions.digest(path)}".encode()).hexdigest()


@cache
def judge() -> str:
    """Who judges: the versions of this package and of NumPy, and a digest of the checker.

    After an upgrade every submission is judged anew.
    """
    hasher = hashlib.sha256()
    package = Path(normlab.__file__).parent
    for part in ("checker", "layers", "optim.py", "nets"):
        place = package / part
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place] * place.is_file():
            hasher.update(file.read_bytes())
    return (
        f"normlab {version('normlab')}, NumPy {np.__version__}, checker {hasher.hexdigest()[:12]}"
    )


def as_values(graded: Graded) -> dict[str, Any]:
    """The scores alone, as plain values."""
    return {key: value for key, value in asdict(graded).items() if key != "report"}
