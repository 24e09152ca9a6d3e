"""Folders of results: what lies where, and the sentence for one that cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

from normlab.errors import RecordsError

RESULTS = Path("normlab-results")
RECORDS = "records.sqlite"


def made_folder(folder: Path) -> Path:
    """The folder, made if it is missing. Raises RecordsError where that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordsError(
            f"the folder {folder} for results cannot be made: {error.strerror}; name another with "
            "--out"
        ) from error
    return folder


def records_in(results: Path) -> Path:
    """The records file of a results folder; a path to a file is taken as it is."""
    return results if os.path.isfile(results) else results / RECORDS  # where Path.is_file may raise
