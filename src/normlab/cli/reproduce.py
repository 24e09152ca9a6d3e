"""`normlab reproduce`: the main job. Every study on one data set, the records, the figures and the page."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from normlab.cli.exit_codes import stoppable
from normlab.cli.extras import need_studies
from normlab.cli.places import RECORDS, RESULTS, made_folder
from normlab.errors import OptionError

if TYPE_CHECKING:
    from rich.console import Console

    from normlab.findings import Findings


def reproduce(
    data: Annotated[
        str, typer.Option(help="The data set, as `normlab data list` names it.")
    ] = "digits",
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Seeds a study, in place of each study's own number.")
    ] = None,
    studies: Annotated[
        str | None, typer.Option(help="Names with commas between; all of them if not given.")
    ] = None,
    study: Annotated[
        Path | None,
        typer.Option(help="A study file (.toml or .py) to run in place of the catalogue."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder for records, figures and page.")] = RESULTS,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where the data set lies, if not in the usual places.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; one a core if not given.")
    ] = None,
    engine: Annotated[str, typer.Option(help="What trains: auto, reference or compiled.")] = "auto",
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train again what the records hold already.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Every study, those that take longer too.")
    ] = False,
    show: Annotated[bool, typer.Option("--open", help="Open the page when it is drawn.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Run the studies and draw the page. Interrupted, the same command continues where it was."""
    need_studies("reproduce")
    names = (
        None
        if studies is None
        else tuple(name.strip() for name in studies.split(",") if name.strip())
    )
    if study is not None and names is not None:
        raise OptionError(f"--studies and --study {study} were both given; give one of the two")
    run_and_draw(
        names, data, seeds, out, data_dir, workers, engine, quiet, full, study, show, retrain
    )


def run_and_draw(
    names: tuple[str, ...] | None,
    data: str,
    seeds: int | None,
    out: Path,
    data_dir: Path | None,
    workers: int | None,
    engine: str,
    quiet: bool,
    full: bool = False,
    file: Path | None = None,
    show_page: bool = False,
    retrain: bool = False,
) -> None:
    """What `reproduce` and `study run` do; `file` is a study file, which runs in place of the catalogue."""
    from rich.console import Console

    from normlab.cli.progress import Pace, shown
    from normlab.cli.reused import say_reused
    from normlab.data import load
    from normlab.records import Records
    from normlab.studies import grid
    from normlab.studies.catalog import studies as studies_named
    from normlab.studies.collection import collect
    from normlab.studies.loading import load as load_study
    from normlab.studies.running import run

    console = Console(quiet=quiet)
    chosen = studies_named(names, full) if file is None else (load_study(file),)
    command = command_for(names, data, seeds, full, file)
    dataset = load(data, data_dir)
    folder = made_folder(out)
    with Records(folder / RECORDS) as records:
        planned = {run.key: run for one in chosen for run in grid.runs(one, dataset.spec, seeds)}
        if retrain:
            records.forget(planned)
        elif not quiet:
            say_reused(records, tuple(planned.values()), engine)
        before = len(records)

        def say() -> None:
            say_stopped(len(records), len(records) - before, folder, command, out, quiet)

        with stoppable(say), shown(console, quiet, at_once=True) as show:
            run(
                chosen,
                dataset,
                records,
                seeds=seeds,
                images=lambda: load(data, data_dir, subtract_mean=False).X_train,
                workers=workers,
                engine=engine,
                progress=Pace(show),
                command=command,
            )
        findings = collect(records, data)
    draw(findings, folder, console, show_page)


def draw(findings: Findings, folder: Path, console: Console, show: bool = False) -> None:
    """Write page and figures, and say what was found and where it stands."""
    from normlab.findings import VERDICTS
    from normlab.report import write

    with console.status("drawing the page"):
        written = write(findings, folder)
    verdicts = [claim.verdict for study in findings.studies for claim in study.claims]
    holding, failing, open_ones = (verdicts.count(verdict) for verdict in VERDICTS)
    counted = f"{holding} hold, {failing} fail, {open_ones} these seeds cannot tell"
    console.print(f"{len(verdicts)} claims on {findings.data}: {counted}.", highlight=False)
    say_written(written, console, show)
    for warning in findings.warnings:
        typer.echo(warning, err=True)


def say_page(findings: Findings, folder: Path, console: Console, show: bool = False) -> None:
    """Write page and figures, and say where they stand."""
    from normlab.report import write

    with console.status("drawing the page"):
        written = write(findings, folder)
    say_written(written, console, show)


def say_written(written: Path, console: Console, show: bool = False) -> None:
    """Where the page is: a link where the terminal can follow one; `show` opens it."""
    place = Path(written).resolve()
    if console.is_terminal:
        console.print(
            f"The page: [link={place.as_uri()}]{written}[/link]", highlight=False, soft_wrap=True
        )
    else:
        console.print(f"The page: {written}", highlight=False, soft_wrap=True, markup=False)
    if show:
        typer.launch(place.as_uri())


def command_for(
    names: tuple[str, ...] | None,
    data: str,
    seeds: int | None,
    full: bool = False,
    file: Path | None = None,
) -> str:
    """What anyone can type to get the same results."""
    words = ["normlab", "reproduce", "--data", data]
    words += ["--studies", ",".join(names)] if names else []
    words += ["--full"] if full else []
    words += ["--study", str(file)] if file is not None else []
    words += ["--seeds", str(seeds)] if seeds is not None else []
    return shlex.join(words)


def say_stopped(kept: int, new: int, folder: Path, command: str, out: Path, quiet: bool) -> None:
    """After Ctrl-C: what is kept, and how to go on."""
    if quiet:
        return
    where = "" if out == RESULTS else f" --out {shlex.quote(str(out))}"
    typer.echo(
        f"\nStopped. {kept} finished runs ({new} of them new) are kept in {folder / RECORDS}.\n"
        f"To continue:        {command}{where}\n"
        f"To see what is there: normlab report {shlex.quote(str(folder))}",
        err=True,
    )
