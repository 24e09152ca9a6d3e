"""Writing the page and the figures into a folder."""

from __future__ import annotations

from pathlib import Path

from normlab.errors import RecordsError
from normlab.files import write_atomically
from normlab.findings import Findings
from normlab.report.page import page


def write(findings: Findings, folder: Path) -> Path:
    """Write `index.html` into the folder, and return its path.

    Raises RecordsError where the folder cannot be written to; the records stay as they are.
    """
    path = folder / "index.html"
    try:
        write_atomically(path, page(findings).encode())
    except OSError as error:
        raise RecordsError(
            f"the page cannot be written into {folder}: {error.strerror}; the records are safe, and `normlab report` "
            f"draws them again, elsewhere with --out"
        ) from error
    return path
