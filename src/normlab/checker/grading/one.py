"""One submission, judged in an interpreter of its own.

`grade` starts this file by its path, with `-I`.

Neither the current folder nor the environment says where modules come from: only Python's own
installation and the folders that `grade` names.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

MEMORY = 3 * 2**30


def main() -> None:
    """Arguments: packages, path, name, records, rubric as JSON, isolation, seed, fingerprint."""
    packages, path, name, folder, rubric, isolation, seed, content = sys.argv[1:]
    sys.path += [place for place in packages.split(os.pathsep) if place not in sys.path]
    _limit_memory()
    from normlab.checker.grading.judging import grade_one
    from normlab.checker.grading.records import save
    from normlab.checker.grading.rubric import Rubric

    chosen = Rubric(**json.loads(rubric))
    graded = grade_one(
        Path(path), name=name, rubric=chosen, isolation=isolation, seed=int(seed), content=content
    )
    save(graded, Path(folder))


def _limit_memory() -> None:
    """An archive that swells ends this process and no other."""
    try:
        import resource
    except ImportError:  # Windows
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    main()
