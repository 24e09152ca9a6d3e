"""`python -m proof.bench`: how fast, against whom, and against which limit."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from normlab.cli import run
from normlab.cli.exit_codes import stoppable

if TYPE_CHECKING:
    from rich.console import Console

    from proof.bench.parts import Wanted

RESULTS = Path("normlab-bench.json")
WIDTH = 180
bench = typer.Typer(
    help="Measure speed and memory, beside PyTorch and JAX where they are installed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Out = Annotated[
    Path, typer.Option(help="The results file; what is measured again is replaced in it.")
]
Rounds = Annotated[
    int, typer.Option(min=1, help="How often each thing is measured; medians and ranges are shown.")
]
Quick = Annotated[
    bool,
    typer.Option("--quick", help="Small sizes and no trials: to see that it works, not to quote."),
]
Folder = Annotated[
    Path | None, typer.Option(help="Where the data set lies, if not in the usual places.")
]
Data = Annotated[str, typer.Option(help="Data sets with commas between.")]
Workloads = Annotated[
    str, typer.Option(help="initialization, depth, batch-size: with commas between.")
]
Peers = Annotated[
    str | None, typer.Option(help="Peers with commas between, as `bench peers` lists them; or all.")
]
Nets = Annotated[
    int | None,
    typer.Option(
        min=2,
        help="Nets a round for peers that train net by net; the whole study is then estimated.",
    ),
]


@bench.command()
def studies(
    workloads: Workloads = "initialization,depth,batch-size",
    data: Data = "cifar10,digits",
    peers: Peers = None,
    nets: Nets = None,
    rounds: Rounds = 3,
    quick: Quick = False,
    data_dir: Folder = None,
    out: Out = RESULTS,
) -> None:
    """Whole studies, side by side with the reference, the course's way, PyTorch and JAX."""
    from proof.bench.parts import Wanted

    folder = None if data_dir is None else str(data_dir)
    named = None if peers is None else _names(peers)
    _measure(
        Wanted(("studies",), _names(workloads), _names(data), named, nets, rounds, quick, folder),
        out,
    )


@bench.command()
def kernels(rounds: Rounds = 5, quick: Quick = False, out: Out = RESULTS) -> None:
    """Fused batch and layer norm against PyTorch's: time, share of copy bandwidth, accuracy."""
    _one_part("kernels", rounds, quick, out)


@bench.command()
def machine(rounds: Rounds = 3, quick: Quick = False, out: Out = RESULTS) -> None:
    """What the machine can do: sgemm on all cores, copy and triad at several sizes."""
    _one_part("machine", rounds, quick, out)


@bench.command()
def memory(rounds: Rounds = 3, quick: Quick = False, out: Out = RESULTS) -> None:
    """Whether a sweep's memory grows with the number of its runs."""
    _one_part("memory", rounds, quick, out)


@bench.command()
def cold(rounds: Rounds = 2, quick: Quick = False, out: Out = RESULTS) -> None:
    """What the first `normlab reproduce` takes more than the next, compilation included."""
    _one_part("cold", rounds, quick, out)


@bench.command()
def scaling(
    data: Data = "cifar10",
    rounds: Rounds = 3,
    quick: Quick = False,
    data_dir: Folder = None,
    out: Out = RESULTS,
) -> None:
    """How time grows with nets, width, depth and batch size."""
    from proof.bench.parts import Wanted

    folder = None if data_dir is None else str(data_dir)
    _measure(
        Wanted(("scaling",), data=_names(data), rounds=rounds, quick=quick, data_dir=folder), out
    )


@bench.command("all")
def everything(
    data: Data = "cifar10,digits",
    nets: Nets = None,
    rounds: Rounds = 3,
    quick: Quick = False,
    data_dir: Folder = None,
    out: Out = RESULTS,
) -> None:
    """Every part, one after the other. Takes tens of minutes on a machine that should do nothing else."""
    from proof.bench.parts import Wanted

    folder = None if data_dir is None else str(data_dir)
    _measure(Wanted(data=_names(data), nets=nets, rounds=rounds, quick=quick, data_dir=folder), out)


@bench.command("peers")
def list_peers() -> None:
    """Who is compared, and who cannot be here."""
    from proof.bench.peers import PEERS, why_missing

    width = max(map(len, PEERS))
    for peer in PEERS.values():
        missing = why_missing(peer)
        typer.echo(
            f"{peer.name:{width}}  {peer.title}" + (f" (not here: {missing})" if missing else "")
        )


@bench.command()
def show(
    file: Annotated[Path, typer.Argument(help="A results file.")] = RESULTS,
    cases: Annotated[
        bool, typer.Option("--cases", help="Every case of the norm kernels, and nothing else.")
    ] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="For a document.")] = False,
) -> None:
    """The results as tables, and the targets, met or missed."""
    from normlab.errors import RecordsError
    from proof.bench.results import load_results
    from proof.bench.tables import kernel_cases, markdown, tables

    content = load_results(file)
    if cases and "kernels" not in content["sections"]:
        raise RecordsError(
            f"{file} has no kernels in it; `python -m proof.bench kernels --out {file}` measures "
            "them"
        )
    console = _console()
    for table in (
        [kernel_cases(content["sections"]["kernels"]["result"])] if cases else tables(content)
    ):
        if as_markdown:
            typer.echo(markdown(table))
        else:
            console.print(table, "")


def _one_part(part: str, rounds: int, quick: bool, out: Path) -> None:
    from proof.bench.parts import Wanted

    _measure(Wanted((part,), rounds=rounds, quick=quick), out)


def _measure(wanted: Wanted, out: Path) -> None:
    """Measure section after section; each is saved as it ends."""
    from proof.bench.parts import sections
    from proof.bench.results import load_results, measured, save_section
    from proof.bench.tables import tables

    console = _console()
    if out.exists():
        load_results(out)  # refused now, not after the work
    names: list[str] = []

    def say() -> None:
        kept = ", ".join(names) or "Nothing"
        typer.echo(f"\nStopped. {kept} is in {out}; what was under way is lost.", err=True)

    with stoppable(say):
        for name, work in sections(wanted):
            console.print(f"[bold]{name}[/bold]")
            tell = partial(console.print, markup=False)
            section = measured(partial(work, tell), sys.argv[1:], quick=wanted.quick)
            save_section(out, name, section)
            names.append(name)
    content = load_results(out)
    mine = {"sections": {name: content["sections"][name] for name in names}}
    for table in tables(mine, all_targets=False):
        console.print(table, "")
    console.print(
        f"Written to {out}. All that it holds: python -m proof.bench show {out}", soft_wrap=True
    )


def _console() -> Console:
    """The terminal, or a file with room for the tables."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def main() -> None:
    """The program."""
    run(bench, "python -m proof.bench")


if __name__ == "__main__":
    main()
