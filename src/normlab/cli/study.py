"""`normlab study`: what the studies ask, and one of them run alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from normlab.cli.extras import need_studies
from normlab.cli.places import RESULTS

study = typer.Typer(help="List the studies, show one, or run one.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="The study's name, as `normlab study list` gives it.")]


@study.command("list")
def list_studies() -> None:
    """The studies, with their questions."""
    from rich.console import Console
    from rich.table import Table

    from normlab.studies.catalog import STUDIES
    from normlab.studies.grid import places

    table = Table("study", "points", "seeds", "question", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for each in STUDIES.values():
        table.add_row(each.name, str(len(places(each))), str(each.seeds), each.question)
    Console().print(table)


@study.command()
def show(name: Name) -> None:
    """One study: its question, what it runs, and its claims."""
    from rich.console import Console

    from normlab.studies.catalog import studies
    from normlab.studies.settings import settings

    (chosen,) = studies((name,))
    console = Console(highlight=False)
    console.print(f"[bold]{chosen.title}[/bold]\n{chosen.question}\n")
    for title, text in settings(chosen):
        console.print(f"{title}: {text}", markup=False)
    console.print(f"Seeds: {chosen.seeds} unless told otherwise\n\nClaims, to be tested:")
    for claim in chosen.claims:
        console.print(f"  · {claim.statement}", markup=False)


@study.command()
def run(
    name: Name,
    data: Annotated[str, typer.Option(help="The data set, as `normlab data list` names it.")] = "digits",
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds, in place of the study's own number.")] = None,
    out: Annotated[Path, typer.Option(help="The folder for records, figures and page.")] = RESULTS,
    data_dir: Annotated[Path | None, typer.Option(help="Where the data set lies, if not in the usual places.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one a core if not given.")] = None,
    engine: Annotated[str, typer.Option(help="What trains: auto, reference or compiled.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Run one study: `normlab reproduce --studies NAME`."""
    need_studies("study run")
    from normlab.cli.reproduce import run_and_draw

    run_and_draw((name,), data, seeds, out, data_dir, workers, engine, quiet)
