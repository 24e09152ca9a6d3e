"""A study of four nets that train in a tenth of a second each, and the command line with no other in its catalogue."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

from normlab.findings import Findings
from normlab.studies import Claim, Grid, Lines, Quantity, Reason, Study, over_field, over_norms

TINY = Study(
    name="depth",
    title="A small study",
    question="Is it quick?",
    seeds=5,
    most_seeds=5,
    grids=(
        Grid(
            {"hidden_dims": (20, 20), "weight_scale": 0.02, "num_epochs": 2},
            (
                over_norms(None, "batchnorm"),
                over_field("batch size", "batch_size", (10, 50), "Batch size"),
            ),
        ),
    ),
    measures=("best validation accuracy",),
    figure=(Lines("Accuracy", "best validation accuracy", x="batch size"),),
    claims=(
        Claim(
            name="better",
            statement="Batch norm is better.",
            left=Quantity("best validation accuracy", {"norm": "batch norm"}),
            right=Quantity("best validation accuracy", {"norm": "no norm"}),
            holds="It is: {left} against {right}.",
            fails="It is not: {left} against {right}.",
            headline=True,
        ),
    ),
    answer=(Reason("Because."),),
)


def main() -> None:
    """The program `normlab` as it is installed, with the small study as the only one, and without drawing."""
    from normlab import report
    from normlab.studies.catalog import STUDIES

    STUDIES.clear()
    STUDIES["depth"] = TINY
    report.write = _write_nothing
    _program()()


@functools.cache  # it is looked up once, while there are file handles to do so
def _program() -> Callable[[], object]:
    program: Callable[[], object] = next(
        iter(entry_points(group="console_scripts", name="normlab"))
    ).load()
    return program


def _write_nothing(findings: Findings, folder: Path, workers: int | None = None) -> Path:  # noqa: ARG001
    return folder / "index.html"
