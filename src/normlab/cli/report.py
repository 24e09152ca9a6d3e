"""`normlab report`: draw the page again, from records alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from normlab.cli.extras import need_studies
from normlab.cli.places import RESULTS, made_folder, records_in


def report(
    results: Annotated[Path, typer.Argument(help="A results folder, or its records file.")] = RESULTS,
    data: Annotated[str | None, typer.Option(help="The data set, if the records hold several.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write; beside the records if not given.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Draw the page and the figures from a results folder, without training anything."""
    need_studies("report")
    from rich.console import Console

    from normlab.cli.reproduce import draw
    from normlab.records import Records
    from normlab.studies.collection import collect

    place = records_in(results)
    with Records(place, mode="r") as records:
        findings = collect(records, data)
    draw(findings, made_folder(out or place.parent), Console(quiet=quiet))
