"""`normlab grade`: a folder of submissions, judged and counted."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from normlab.cli.exit_codes import stoppable

if TYPE_CHECKING:
    from normlab.checker.grading import Graded, Progress
    from normlab.cli.progress import Show


def grade(
    submissions: Annotated[
        Path, typer.Argument(help="A folder of folders, archives, notebooks and Python files.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="The folder for tables, pages and records; an interrupted run continues there."
        ),
    ],
    rubric: Annotated[
        Path | None,
        typer.Option(help="A TOML file: [points] by function, [keeps] by fault, follow_on, hint."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="How many at a time; the number of cores, if not given."),
    ] = None,
    isolation: Annotated[
        str,
        typer.Option(
            help="sandbox (Linux with Landlock and seccomp), container (you run this in one), "
            "none (you trust it)."
        ),
    ] = "sandbox",
    hint: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=3,
            help="The most hints on pages and in Gradescope's output (the rubric's own).",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="The random inputs' seed; drawn once for each --out, if not given."),
    ] = None,
) -> None:
    """Judge every submission in a sandbox of its own, and write the table of the class.

    Exit code: 0 when every submission was judged, whatever the verdicts.
    """
    from rich.console import Console

    from normlab.checker.grading import Rubric
    from normlab.checker.grading import grade as grade_all
    from normlab.cli.progress import shown

    chosen = Rubric() if rubric is None else Rubric.read(rubric)
    chosen = chosen if hint is None else replace(chosen, hint=hint)
    told = (
        f"interrupted; what is judged is kept in {out}, and the same command continues from there"
    )
    with stoppable(lambda: print(told, file=sys.stderr)), shown(Console(stderr=True)) as show:
        graded = grade_all(
            submissions,
            out,
            rubric=chosen,
            workers=workers or os.cpu_count() or 1,
            isolation=isolation,
            seed=seed,
            progress=partial(_show, show),
            leave_out=() if rubric is None else (rubric,),
        )
    _summary(graded, out)


def _show(show: Show, progress: Progress) -> None:
    from normlab.cli.progress import duration

    left = "" if progress.remaining is None else f", about {duration(progress.remaining)} left"
    words = f"{progress.done} of {progress.total}{left}, {progress.last}".rstrip(", ")
    show("graded", words, progress.done / progress.total if progress.total else None)


def _summary(graded: list[Graded], out: Path) -> None:
    from normlab.checker.grading.tables import misconceptions

    average = sum(one.score for one in graded) / len(graded)
    print(f"{len(graded)} submissions, {average:.3g} of {graded[0].total:g} points on average")
    lost = [
        (one.name, f.sentence)
        for one in graded
        for f in one.report.wrong
        if f.function == "(loading)"
    ]
    if lost:
        print(f"{len(lost)} of them could not be judged:")
    for name, reason in lost[:20]:
        print(f"       {name}: {reason[:200]}")
    if len(lost) > 20:
        print(f"       and {len(lost) - 20} more; the table has all")
    for finding, names in misconceptions(graded)[:10]:
        print(f"{len(names):5}  {finding.function}: {finding.sentence}")
    print(
        f"tables and pages: {out / 'index.html'}, {out / 'table.csv'}, {out / 'misconceptions.csv'}"
    )
