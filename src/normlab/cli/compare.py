"""`normlab compare`: which norm for these nets? Each at its own learning rate, on test images, with intervals."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from normlab.cli.exit_codes import stoppable
from normlab.cli.extras import need_studies
from normlab.cli.places import RECORDS, made_folder
from normlab.errors import OptionError

if TYPE_CHECKING:
    from normlab.studies.loading import Price

PLACE = Path("normlab-comparison")
EXAMPLE = "Example: normlab compare --norms none,batchnorm,layernorm,groupnorm --batch-size 4 --depth 20 --width 64"


def compare(
    norms: Annotated[
        str, typer.Option(help="Two or more, with commas between; 'none' is the plain net.")
    ] = ("none,batchnorm,layernorm,rmsnorm,groupnorm"),
    batch_size: Annotated[str, typer.Option(help="Examples a batch: a value or a list.")] = "50",
    depth: Annotated[str, typer.Option(help="Hidden layers: a value or a list.")] = "5",
    width: Annotated[str, typer.Option(help="Units a hidden layer: a value or a list.")] = "100",
    activation: Annotated[str, typer.Option(help="relu, sigmoid or tanh.")] = "relu",
    update_rule: Annotated[
        str, typer.Option(help="adam, sgd, sgd_momentum, rmsprop or adagrad.")
    ] = "adam",
    start: Annotated[
        str, typer.Option(help="Initial weights: he, glorot, fan-in or scale.")
    ] = "he",
    inputs: Annotated[str, typer.Option(help="standardized, scaled or raw.")] = "standardized",
    dropout: Annotated[
        str, typer.Option(help="Probability of keeping a unit; 1 is no dropout.")
    ] = "1",
    weight_decay: Annotated[str, typer.Option(help="Decoupled weight decay.")] = "0",
    epochs: Annotated[str, typer.Option(help="Epochs of training.")] = "10",
    tune: Annotated[
        bool,
        typer.Option(
            "--tune/--no-tune", help="Find each norm's own learning rate on validation images."
        ),
    ] = True,
    rates: Annotated[
        str | None, typer.Option(help="Learning rates to try; with --no-tune the only one.")
    ] = None,
    groups: Annotated[
        int | None, typer.Option(min=1, help="Of group norm; of some 16 units if not given.")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Seeds: each draws its own split, weights and batches.")
    ] = 10,
    data: Annotated[
        str, typer.Option(help="The data set, as `normlab data list` names it.")
    ] = "digits",
    data_dir: Annotated[
        Path | None, typer.Option(help="Where the data set lies, if not in the usual places.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder for records, figures and page.")] = PLACE,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; one a core if not given.")
    ] = None,
    engine: Annotated[str, typer.Option(help="What trains: auto, reference or compiled.")] = "auto",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print table, claims and recommendation as JSON.")
    ] = False,
    show: Annotated[bool, typer.Option("--open", help="Open the page when it is drawn.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but the result.")] = False,
) -> None:
    """Compare norms for nets of your own choice. Every value may be a list; lists are crossed."""
    need_studies("compare")
    from rich.console import Console

    from normlab import laboratory
    from normlab.cli.progress import Pace, duration, shown
    from normlab.cli.reproduce import say_page
    from normlab.data import load
    from normlab.machine import available_cores
    from normlab.studies.comparing import RATES

    options = {
        "batch_size": _list("batch-size", batch_size, int),
        "depth": _list("depth", depth, int),
        "width": _list("width", width, int),
        "activation": _list("activation", activation, str),
        "update_rule": _list("update-rule", update_rule, str),
        "start": _list("start", start, str),
        "inputs": _list("inputs", inputs, str),
        "dropout": _list("dropout", dropout, float),
        "weight_decay": _list("weight-decay", weight_decay, float),
        "num_epochs": _list("epochs", epochs, int),
    }
    tried = _list("rates", rates, float) if rates is not None else list(RATES) if tune else [1e-3]
    if not tune and len(tried) > 1:
        raise OptionError(
            f"--no-tune trains at one learning rate, and --rates names {len(tried)}; name one"
        )
    console = Console(quiet=quiet or as_json, stderr=as_json)
    folder = made_folder(out)
    cores = available_cores() if workers is None else workers

    def say_budget(price: Price, recorded: int) -> None:
        left = price.nets - recorded
        before = f" ({recorded} of them are recorded already)" if recorded else ""
        told = duration(price.seconds * left / max(price.nets, 1) / cores)
        console.print(
            f"{price.nets} nets{before}, about {told} on {cores} workers.", highlight=False
        )

    def say_stopped() -> None:
        if not quiet:
            typer.echo(
                f"\nStopped. What is finished is kept in {folder / RECORDS}; the same command goes "
                f"on: {shlex.join(['normlab', *sys.argv[1:]])}",
                err=True,
            )

    with stoppable(say_stopped), shown(console, quiet or as_json) as bar:
        found = laboratory.compare(
            [name.strip() for name in norms.split(",")],
            data=load(data, data_dir),
            records=folder / RECORDS,
            rates=tried,
            seeds=seeds,
            groups=groups,
            workers=workers,
            engine=engine,
            budget=say_budget,
            progress=Pace(bar),
            command=shlex.join(["normlab", *sys.argv[1:]]),
            **options,
        )
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=1))
    else:
        typer.echo(str(found))
    say_page(found.findings, folder, console, show)


def _list(option: str, text: str, kind: Callable[[str], Any]) -> list[Any]:
    """The values of an option, with commas between."""
    values = []
    for part in text.split(","):
        try:
            values.append(kind(part.strip()))
        except ValueError:
            what = {int: "a whole number", float: "a number"}[kind]  # type: ignore[index]
            raise OptionError(f"--{option} {text}: {part.strip()!r} is not {what}") from None
    return values
