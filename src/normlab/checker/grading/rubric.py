"""A rubric: points by function, and what part of them a mistake leaves."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from normlab.checker.findings import Report
from normlab.checker.names import NAMES
from normlab.errors import DataError, OptionError, refuse_unknown_keywords

USUAL = tuple(name for name in NAMES if not name.startswith(("spatial", "max_pool", "affine_relu")))


@dataclass(frozen=True)
class Rubric:
    """Points a function that is right, and the share of them that a named mistake leaves.

    `keeps` maps a fault (`batchnorm_backward.factor_two_missing`, or only `factor_two_missing` for any function)
    to a share from 0 to 1; of several faults the smallest share counts. Faults that are not listed leave nothing.
    """

    points: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(USUAL, 1.0))
    keeps: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse_unknown_keywords("the rubric's [points]", self.points, NAMES)
        for name, value in self.points.items():
            if not (isinstance(value, (int, float)) and 0 <= value < 1e6):
                raise OptionError(f"the rubric gives {name} {value!r} points; give a number from 0 up")
        for name, value in self.keeps.items():
            if not (isinstance(value, (int, float)) and 0 <= value <= 1):
                raise OptionError(f"the rubric's [keeps] has {name} = {value!r}; give a share from 0 to 1")

    @classmethod
    def read(cls, path: Path) -> Rubric:
        """A rubric from a TOML file with the tables [points] and, if wanted, [keeps]."""
        try:
            values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise DataError(f"the rubric {str(path)!r} cannot be read: {error}") from error
        refuse_unknown_keywords("the rubric", values, ("points", "keeps"))
        return cls(**values)

    @property
    def total(self) -> float:
        """The most that can be had."""
        return float(sum(self.points.values()))

    def score(self, report: Report) -> dict[str, float]:
        """Points by function, in the rubric's order; functions that are not there have none."""
        verdicts, scores = report.functions, {}
        for name, points in self.points.items():
            share = 1.0 if verdicts.get(name) == "right" else 0.0
            if verdicts.get(name) == "wrong":
                faults = [f.fault for f in report.wrong if f.function == name]
                share = min((self._share(fault) for fault in faults), default=0.0)
            scores[name] = round(points * share, 6)
        return scores

    def _share(self, fault: str) -> float:
        return float(self.keeps.get(fault, self.keeps.get(fault.partition(".")[2], 0.0)))
