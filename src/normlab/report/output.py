"""Writing the page and the figures into a folder."""

from __future__ import annotations

from pathlib import Path

from altair.utils import schemapi

from normlab.errors import RecordsError
from normlab.files import write_atomically
from normlab.findings import Findings
from normlab.machine import available_cores
from normlab.report.figures import figure_spec, png, svg
from normlab.report.page import page
from normlab.workers import Losses, finished_tasks

PAGE = "index.html"
FIGURES = "figures"


def write(findings: Findings, folder: Path, workers: int | None = None) -> Path:
    """Write `index.html`, and a figure a study as SVG and PNG in `figures`; the path of the page.

    Each file is replaced all or nothing. `workers` are processes, by default one a core. Raises
    RecordsError where the folder cannot be written to, or a worker process was lost.
    """
    parts = [PAGE, *(study.name for study in findings.studies if study.panels)]
    losses: Losses[str] = Losses()
    try:
        (folder / FIGURES).mkdir(exist_ok=True)
        workers = min(available_cores() if workers is None else workers, len(parts))
        for _, files in finished_tasks(
            draw, parts, findings, workers=workers, retries=1, losses=losses
        ):
            for name, content in files.items():
                write_atomically(folder / name, content)
    except OSError as error:
        raise RecordsError(
            f"the page cannot be written into {folder}: {error.strerror}. `normlab report` draws "
            f"the page again, elsewhere with --out"
        ) from error
    if losses.tasks:
        raise RecordsError(
            f"{', '.join(losses.tasks)} could not be drawn: the process was ended in every "
            "attempt, most often for want of memory. The records are safe, and `normlab report` "
            "tries again"
        )
    return folder / PAGE


def draw(part: str, findings: Findings) -> dict[str, bytes]:
    """The files of one part: the page, or the figure of the study of this name."""
    with schemapi.debug_mode(
        False
    ):  # the tests check charts against the schema; here that would take seconds
        if part == PAGE:
            return {PAGE: page(findings).encode()}
        (study,) = (study for study in findings.studies if study.name == part)
        spec = figure_spec(study)
    picture = svg(spec)
    return {f"{FIGURES}/{part}.svg": picture.encode(), f"{FIGURES}/{part}.png": png(picture)}
