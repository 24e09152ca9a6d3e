"""What becomes of a probe that fails: a finding about the function that returned something odd, or a bug report.

Probes read what a function returned. Where that is something no probe expects (None among the results, an array
of objects, text), the function is at fault; where it is not, this program is, and says so.
"""

from __future__ import annotations

import os
import platform
import traceback
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from normlab.checker.child.framing import Kept, Opaque
from normlab.checker.exam import Examination
from normlab.checker.findings import Finding


def odd(value: Any) -> str:
    """What is odd about a returned value, in words; empty where it is an array or a tuple of arrays and numbers."""
    if type(value) in (tuple, list):
        parts = [_kind(item) for item in value]
        if all(part in ("an array", "a number", "a cache") for part in parts):
            return ""
        return f"{len(parts)} values: {', '.join(parts)}"
    kind = _kind(value)
    return "" if kind in ("an array", "a number", "a cache") else kind


def told(value: Any) -> str:
    """A returned value, described by its kind and its shapes."""
    if type(value) in (tuple, list):
        return f"{len(value)} values: " + ", ".join(told(item) for item in value[:6])
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    return _kind(value)


def wrong_result(exam: Examination, function: str, value: Any) -> Finding:
    """The finding about a function that returned something no probe can read."""
    return _finding(
        exam,
        function,
        "wrong",
        sentence="returns something that is not what its docstring asks for",
        evidence=f"it returned {told(value)}",
        fault=f"{function}.odd_result",
        severity="fault",
        hints=(
            "Look at the return statement: how many values, in which order, and is each an array or a number?",
            "Call the function by hand and print the type, dtype and shape of each result.",
            "The docstring lists what is returned, in its order; nothing may be added to it or left out.",
        ),
        cell="the check of this function stops with an exception",
    )


def bug_report(exam: Examination, function: str, error: Exception) -> Finding:
    """The row about a function that this program could not judge, with what its makers need to know."""
    steps = traceback.extract_tb(error.__traceback__)
    place = " < ".join(f"{_short(step.filename)}:{step.lineno}" for step in reversed(steps[-3:]))
    message = " ".join(str(error).split())[:200]
    return _finding(
        exam,
        function,
        "unjudged",
        sentence="could not be judged: this is a mistake of the checker, not of the function",
        evidence=f"please report: normlab {_version()}, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"seed {exam.seed}, {function}: {type(error).__name__}: {message} ({place})",
        severity="none",
    )


def _finding(exam: Examination, function: str, verdict: str, **words: Any) -> Finding:
    known = exam.subject.inventory[function]
    return Finding(function=function, verdict=verdict, file=known.file, line=known.line, **words)


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, Kept):
        return "a cache"
    if isinstance(value, Opaque):
        return value.kind if value.kind.startswith("a") else f"a {value.kind}"
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind not in "fiu":
        return f"an array of dtype {value.dtype}"
    if isinstance(value, np.ndarray):
        return "an array"
    if isinstance(value, (float, int, np.generic)) and not isinstance(value, bool):
        return "a number"
    return f"a {type(value).__name__}"


def _short(path: str) -> str:
    return path.replace(os.sep, "/").rpartition("/normlab/")[2] or path


def _version() -> str:
    try:
        return version("normlab")
    except PackageNotFoundError:
        return "unknown"
