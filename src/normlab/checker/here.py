"""Check files in this very process: where there are no others, as in a browser.

No limits and no sandbox: for one's own code alone.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from normlab.checker.child import loading
from normlab.checker.diagnose import diagnose
from normlab.checker.findings import NotJudged, Report
from normlab.checker.names import NAMES, not_known
from normlab.checker.subject import LocalSubject, Note


def check_here(path: str | os.PathLike[str], *, seed: int) -> Report:
    """The report on a file or folder, loaded and judged here; it is that of `check` with the same seed."""
    loaded = loading.load({"path": os.fspath(path), "names": list(NAMES)})
    subject = LocalSubject(loaded.namespace)
    subject.root = Path(path)
    subject.notes = tuple(Note(**note) for note in loaded.notes)
    report = diagnose(subject, os.fspath(path), seed=seed)
    return replace(
        report,
        seed=seed,
        read=tuple(map(str, loaded.read)),
        passed_over=tuple(map(str, loaded.passed_over)),
        not_judged=tuple(
            NotJudged(name, not_known(name), file, line) for name, file, line in loaded.strangers
        ),
    )
