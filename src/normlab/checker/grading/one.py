"""One submission, judged in an interpreter of its own: `python -m normlab.checker.grading.one`, used by `grade`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from normlab.checker.grading.judging import grade_one
from normlab.checker.grading.records import save
from normlab.checker.grading.rubric import Rubric


def main() -> None:
    """Arguments: path, name, folder of the records, rubric as JSON, isolation, seed, fingerprint."""
    path, name, folder, rubric, isolation, seed, content = sys.argv[1:]
    graded = grade_one(
        Path(path), name=name, rubric=Rubric(**json.loads(rubric)), isolation=isolation, seed=int(seed), content=content
    )
    save(graded, Path(folder))


if __name__ == "__main__":
    main()
