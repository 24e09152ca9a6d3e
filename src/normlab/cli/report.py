"""`normlab report`: draw the page again, from records alone."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from normlab.cli.extras import need_studies
from normlab.cli.places import RESULTS, made_folder, records_in
from normlab.errors import not_one_of

ELSEWHERE = Path("normlab-report")


def report(
    results: Annotated[
        Path, typer.Argument(help="A results folder, or its records file.")
    ] = RESULTS,
    data: Annotated[
        str | None, typer.Option(help="The data set, if the records hold several.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to write; beside the records if not given.")
    ] = None,
    runs: Annotated[
        list[Path] | None,
        typer.Option(help="Runs trained elsewhere: CSV or Parquet files, or folders of them."),
    ] = None,
    arm: Annotated[
        str | None, typer.Option(help="With --runs: the column of what is compared.")
    ] = None,
    seed: Annotated[
        str | None, typer.Option(help="With --runs: the column of what pairs the runs.")
    ] = None,
    measure: Annotated[
        str | None, typer.Option(help="With --runs: the measure that is compared.")
    ] = None,
    better: Annotated[
        str | None, typer.Option(help="With --runs: whether 'higher' or 'lower' is better.")
    ] = None,
    claim: Annotated[
        list[str] | None,
        typer.Option(help="With --runs: 'ARM > ARM by MARGIN', once a claim; else every pair."),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page when it is drawn.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Draw the page and the figures from a results folder, or from runs trained elsewhere, without training."""
    need_studies("report")
    if runs:
        _of_runs(runs, arm, seed, measure, better, claim or [], out or ELSEWHERE, show, quiet)
        return
    from rich.console import Console

    from normlab.cli.reproduce import draw
    from normlab.records import Records
    from normlab.studies.collection import collect

    place = records_in(results)
    with Records(place, mode="r") as records:
        findings = collect(records, data)
    draw(findings, made_folder(out or place.parent), Console(quiet=quiet), show)


def _of_runs(
    runs: list[Path],
    arm: str | None,
    seed: str | None,
    measure: str | None,
    better: str | None,
    claims: list[str],
    out: Path,
    show: bool,
    quiet: bool,
) -> None:
    from rich.console import Console

    from normlab.cli.reproduce import draw
    from normlab.studies.imported import findings_from
    from normlab.studies.runs_file import read_runs

    if better not in (None, "higher", "lower"):
        raise not_one_of("better", better, ("higher", "lower"))
    found = read_runs(runs, arm, seed)
    findings = findings_from(
        found,
        measure=measure,
        better=better,  # type: ignore[arg-type]
        claims=claims,
        source=", ".join(map(str, runs)),
        command=shlex.join(["normlab", *sys.argv[1:]]),
    )
    console = Console(quiet=quiet)
    for study in findings.studies:
        for each in study.claims:
            console.print(
                f"{each.verdict}: {each.sentence}", highlight=False, markup=False, soft_wrap=True
            )
    draw(findings, made_folder(out), console, show)
