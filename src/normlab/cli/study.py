"""`normlab study`: what the studies ask, and one of them run alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from normlab.cli.extras import need_studies
from normlab.cli.places import RESULTS

study = typer.Typer(
    help="List the studies, show one, or run one.", no_args_is_help=True, rich_markup_mode=None
)

Name = Annotated[str, typer.Argument(help="The study's name, as `normlab study list` gives it.")]


@study.command("list")
def list_studies() -> None:
    """The studies, with their questions."""
    from rich.console import Console
    from rich.table import Table

    from normlab.studies.catalog import STUDIES
    from normlab.studies.grid import places

    table = Table(
        "study", "points", "seeds", "question", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
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


@study.command(epilog="Example: normlab study new rates.toml")
def new(
    file: Annotated[Path, typer.Argument(help="The file to write; it ends in .toml or .py.")],
) -> None:
    """Write a commented template of a study: TOML (no code), or Python for who wants it all."""
    from normlab.studies.loading import template

    written = template(file)
    typer.echo(f"{written} is written. Change it, then:  normlab study check {written}")


@study.command(epilog="Example: normlab study check rates.toml --data digits")
def check(
    file: Annotated[Path, typer.Argument(help="A study file, .toml or .py.")],
    data: Annotated[
        str, typer.Option(help="The data set, as `normlab data list` names it.")
    ] = "digits",
    data_dir: Annotated[
        Path | None, typer.Option(help="Where the data set lies, if not in the usual places.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Seeds, in place of the study's own number.")
    ] = None,
) -> None:
    """Find everything that is wrong with a study before a net is trained, and say what running it would take."""
    need_studies("study check")
    from normlab import studies
    from normlab.cli.exit_codes import BROKEN
    from normlab.cli.progress import duration
    from normlab.data import load
    from normlab.machine import available_cores

    asked = studies.load(file)
    price = studies.check(asked, load(data, data_dir).spec, seeds)
    cores = available_cores()
    more = (
        f", and up to {price.at_most} where claims stay open" if price.at_most > price.nets else ""
    )
    typer.echo(
        f"{file}: {asked.name}, {len(asked.claims)} claims. It trains {price.nets} nets{more}: "
        f"about {duration(price.seconds / cores)} on {cores} workers."
    )
    for problem in price.problems:
        typer.echo(f"- {problem}", err=True)
    if price.problems:
        raise typer.Exit(BROKEN)
    typer.echo(f"Nothing is wrong with it. To run it:  normlab study run {file}")


@study.command()
def run(
    name: Annotated[str, typer.Argument(help="A study's name, or a study file (.toml or .py).")],
    data: Annotated[
        str, typer.Option(help="The data set, as `normlab data list` names it.")
    ] = "digits",
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Seeds, in place of the study's own number.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder for records, figures and page.")] = RESULTS,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where the data set lies, if not in the usual places.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; one a core if not given.")
    ] = None,
    engine: Annotated[str, typer.Option(help="What trains: auto, reference or compiled.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Run one study, of the catalogue or of a file: its records, figures and page."""
    need_studies("study run")
    from normlab.cli.reproduce import run_and_draw

    if name.endswith((".py", ".toml")):
        run_and_draw(None, data, seeds, out, data_dir, workers, engine, quiet, file=Path(name))
        return
    run_and_draw((name,), data, seeds, out, data_dir, workers, engine, quiet)
