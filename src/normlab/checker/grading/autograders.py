"""Other autograders: Gradescope's results.json, and assertions for otter and nbgrader."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from normlab.checker.api import check
from normlab.checker.findings import of_function
from normlab.checker.grading.records import Graded
from normlab.checker.grading.rubric import Rubric
from normlab.checker.show_text import WORDS, of_findings


def gradescope(graded: Graded, rubric: Rubric) -> str:
    """Gradescope's results.json for one submission.

    A test a function, with the finding as its output.
    """
    tests = []
    for name, most in rubric.points.items():
        findings = of_function(graded.report.findings, name)
        verdict = graded.report.functions.get(name)
        told = of_findings((f for f in findings if f.verdict != "right" or f.fault), rubric.hint)
        output = told or (WORDS[verdict] if verdict else "not in the submission")
        status = "passed" if verdict == "right" else "failed"
        tests.append(
            {
                "name": name,
                "score": graded.scores[name],
                "max_score": most,
                "output": output,
                "status": status,
                "output_format": "text",
                "visibility": "visible",
            }
        )
    values = {
        "score": graded.score,
        "execution_time": round(graded.report.seconds, 3),
        "output": "\n".join(graded.report.notes),
        "tests": tests,
        "extra_data": {"protections": list(graded.protections), "seed": graded.report.seed},
    }
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)


def require(
    target: str | Path | ModuleType | Mapping[str, Any], *names: str, seed: int | None = None
) -> None:
    """Raise an AssertionError, with the finding as its message, unless each function is right.

    For a test cell of otter or nbgrader: `require(globals(), "batchnorm_backward")`.
    """
    report = check(target, seed=seed)
    for name in names:
        verdict = report.functions.get(name, "")
        if verdict != "right":
            told = " ".join(
                f"{f.sentence}." for f in of_function(report.findings, name) if f.verdict != "right"
            )
            raise AssertionError(f"{name}: {told or 'there is no such function'}")
