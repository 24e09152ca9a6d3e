"""Writing the page and the figures into a folder."""

from __future__ import annotations

from pathlib import Path

from normlab.errors import RecordsError
from normlab.files import write_atomically
from normlab.findings import Findings
from normlab.report.figures import figure_spec, png, svg
from normlab.report.page import page


def write(findings: Findings, folder: Path) -> Path:
    """Write `index.html`, and a figure a study as SVG and PNG in `figures`; the path of the page.

    Each file is replaced all or nothing. Raises RecordsError where the folder cannot be written to.
    """
    try:
        path = write_atomically(folder / "index.html", page(findings).encode())
        figures = folder / "figures"
        figures.mkdir(exist_ok=True)
        for study in findings.studies:
            if study.panels:
                picture = svg(figure_spec(study))
                write_atomically(figures / f"{study.name}.svg", picture.encode())
                write_atomically(figures / f"{study.name}.png", png(picture))
    except OSError as error:
        raise RecordsError(
            f"the page cannot be written into {folder}: {error.strerror}. The records are safe; `normlab report` draws "
            f"the page from them again, elsewhere with --out"
        ) from error
    return path
