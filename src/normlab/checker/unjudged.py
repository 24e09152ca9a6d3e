"""What becomes of a probe that fails.

A finding about the function that returned something odd, or a bug report.

Probes read what a function returned. Where that is something no probe expects (None among the
results, an array of objects, text), the function is at fault; where it is not, this program is, and
says so.
"""

from __future__ import annotations

import os
import platform
import traceback
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from normlab.checker.exam import Case, Examination
from normlab.checker.findings import Finding
from normlab.checker.returned import told


def wrong_result(exam: Examination, function: str, value: Any) -> None:
    """Report a function that returned something no probe can read."""
    case = Case(exam, function, "general")
    case.wrong("odd_result", f"it returned {told(value)}")
    case.close()


def bug_report(exam: Examination, function: str, error: Exception) -> Finding:
    """The row about a function that could not be judged, with what a bug report needs."""
    steps = traceback.extract_tb(error.__traceback__)
    place = " < ".join(f"{_short(step.filename)}:{step.lineno}" for step in reversed(steps[-3:]))
    message = " ".join(str(error).split())[:200]
    return _finding(
        exam,
        function,
        "unjudged",
        sentence="could not be judged: this is a mistake of the checker, not of the function",
        evidence=f"please report: normlab {_version()}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, "
        f"seed {exam.seed}, {function}: {type(error).__name__}: {message} ({place})",
        severity="none",
    )


def _finding(exam: Examination, function: str, verdict: str, **words: Any) -> Finding:
    known = exam.subject.inventory[function]
    return Finding(function=function, verdict=verdict, file=known.file, line=known.line, **words)


def _short(path: str) -> str:
    return path.replace(os.sep, "/").rpartition("/normlab/")[2] or path


def _version() -> str:
    try:
        return version("normlab")
    except PackageNotFoundError:
        return "unknown"
