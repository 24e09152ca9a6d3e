"""A rubric: points by function, and what part of them a mistake leaves."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from normlab.checker.findings import Report, of_function
from normlab.checker.mistakes import CATALOGUE
from normlab.checker.names import NAMES
from normlab.errors import (
    DataError,
    OptionError,
    did_you_mean,
    not_one_of,
    refuse_unknown_keywords,
)

USUAL = tuple(
    name
    for name in NAMES
    if not name.startswith(("spatial", "max_pool", "conv", "affine_relu", "ThreeLayer"))
)
FOLLOW_ON = ("own", "waits")


def known_faults() -> dict[str, dict[str, str]]:
    """Every mistake that has a name: by topic, its key and what it is in one sentence."""
    return {
        topic: {
            key: _unfilled(fault.sentence)
            for key, fault in faults.items()
            if fault.severity != "none"
        }
        for topic, faults in CATALOGUE.items()
    }


def _unfilled(sentence: str) -> str:
    """A sentence with `<name>` where a report has a function's own names."""
    return re.sub(r"\{(\w+)\}", r"<\1>", sentence)


@dataclass(frozen=True)
class Rubric:
    """Points a function that is right, and the share of them that a named mistake leaves.

    `keeps` maps a fault (`batchnorm_backward.factor_two_missing`, or only `factor_two_missing` for
    any function) to a share from 0 to 1; of several faults the smallest share counts. Faults that
    are not listed leave nothing.

    `follow_on` says what becomes of a function that stands on a wrong one: "own", it is judged
    against the student's own function and has its points; "waits", it has none before the other is
    right. `hint` (0 to 3) is the most that pages and Gradescope's output say to a student.
    `packages` are installed packages that submissions may import besides NumPy, such as "scipy".
    """

    points: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(USUAL, 1.0))
    keeps: Mapping[str, float] = field(default_factory=dict)
    follow_on: str = "own"
    hint: int = 3
    packages: Sequence[str] = ()

    def __post_init__(self) -> None:
        refuse_unknown_keywords("the rubric's [points]", self.points, NAMES)
        for name, value in self.points.items():
            if not (_is_number(value) and 0 <= value < 1e6):
                raise OptionError(
                    f"the rubric gives {name} {value!r} points; give a number from 0 up"
                )
        keys = {key for faults in known_faults().values() for key in faults}
        for name, value in self.keeps.items():
            _refuse_unknown_fault(name, keys)
            if not (_is_number(value) and 0 <= value <= 1):
                raise OptionError(
                    f"the rubric's [keeps] has {name} = {value!r}; give a share from 0 to 1"
                )
        if self.follow_on not in FOLLOW_ON:
            raise not_one_of("the rubric's follow_on", self.follow_on, FOLLOW_ON)
        if type(self.hint) is not int or not 0 <= self.hint <= 3:
            raise OptionError(f"the rubric's hint={self.hint!r} is not one of 0, 1, 2, 3")
        for name in self.packages:
            if not (isinstance(name, str) and name.isidentifier()) or name in OWN:
                raise OptionError(
                    f"the rubric's packages has {name!r}; give names of installed packages, such "
                    f"as ['scipy'], but not {' or '.join(OWN)}"
                )

    @classmethod
    def read(cls, path: Path) -> Rubric:
        """A rubric from a TOML file.

        [points], and, if wanted, [keeps], and above them follow_on and hint.
        """
        try:
            values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise DataError(f"the rubric {str(path)!r} cannot be read: {error}") from error
        refuse_unknown_keywords("the rubric", values, RUBRIC_FIELDS)
        for name in ("points", "keeps"):
            if not isinstance(values.get(name, {}), dict):
                raise OptionError(
                    f"the rubric's {name} is {values[name]!r}; write a table [{name}]"
                )
        return cls(**values)

    def as_values(self) -> dict[str, Any]:
        """The rubric as plain values, as its file has them."""
        return {
            "points": dict(self.points), "keeps": dict(self.keeps), "follow_on": self.follow_on,
            "hint": self.hint,
            "packages": list(self.packages),
        }  # fmt: skip

    @property
    def total(self) -> float:
        """The most that can be had."""
        return float(sum(self.points.values()))

    def score(self, report: Report) -> dict[str, float]:
        """Points by function, in the rubric's order; functions that are not there have none."""
        verdicts, scores = report.functions, {}
        for name, points in self.points.items():
            if self.follow_on == "waits" and any(
                verdicts.get(other) == "wrong"
                for finding in of_function(report.findings, name)
                for other in getattr(finding, "follows", ())
            ):
                scores[name] = 0.0
                continue
            share = 1.0 if verdicts.get(name) == "right" else 0.0
            if verdicts.get(name) == "wrong":
                faults = [f.fault for f in report.wrong if f.function == name]
                share = min((self._share(fault) for fault in faults), default=0.0)
            scores[name] = round(points * share, 6)
        return scores

    def _share(self, fault: str) -> float:
        return float(self.keeps.get(fault, self.keeps.get(fault.partition(".")[2], 0.0)))


RUBRIC_FIELDS = ("points", "keeps", "follow_on", "hint", "packages")
OWN = ("normlab", "cs682")  # whose answers no submission may import


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _refuse_unknown_fault(name: str, keys: Collection[str]) -> None:
    """Raise an OptionError for a fault that no report can have: the rule would do nothing."""
    function, _, key = name.rpartition(".")
    if function and function not in NAMES:
        raise not_one_of("the rubric's [keeps] names the function", function, NAMES)
    if key not in keys:
        raise OptionError(
            f"the rubric's [keeps] has {key!r}, which is no known mistake{did_you_mean(key, keys)}"
            " `normlab check --list-faults` prints all"
        )
