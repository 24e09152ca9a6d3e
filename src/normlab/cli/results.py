"""`normlab results`: the runs in a records file, filtered, sorted, printed or exported."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from normlab.cli.extras import need_parquet
from normlab.cli.places import RESULTS, records_in
from normlab.errors import OptionError, RecordsError, not_one_of

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN = (
    "data,hidden_dims,normalization,weight_scale,reg,batch_size,num_epochs,seed,best_val_acc,best_train_acc,"
    "final_loss,diverged,seconds"
)


def results(
    results: Annotated[Path, typer.Argument(help="A results folder, or its records file.")] = RESULTS,
    where: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, once for each condition.")] = None,
    sort: Annotated[str | None, typer.Option(help="The column to sort by; -NAME for the largest first.")] = None,
    columns: Annotated[str, typer.Option(help="Columns to print, with commas between, or 'all'.")] = SHOWN,
    limit: Annotated[int | None, typer.Option(min=1, help="Print or export so many rows at most.")] = None,
    export: Annotated[Path | None, typer.Option(help="Write every column to a file, .csv or .parquet.")] = None,
) -> None:
    """Query the runs of a results folder, or export them to CSV or Parquet."""
    from normlab.records import Records

    with Records(records_in(results), mode="r") as records:
        rows = records.export_rows()
        unreadable = records.unreadable()
    if unreadable is not None:
        typer.echo(unreadable, err=True)
    names = list(rows[0]) if rows else []
    rows = _sorted(_matching(rows, where or [], names), sort, names)[:limit]
    if export is not None:
        _export(rows, names, export)
        typer.echo(f"{len(rows)} runs written to {export}")
    else:
        _print(rows, names if columns == "all" else _checked(columns.split(","), names))


def _matching(rows: list[dict[str, Any]], conditions: Sequence[str], names: list[str]) -> list[dict[str, Any]]:
    for condition in conditions:
        name, equals, wanted = condition.partition("=")
        if not equals:
            raise OptionError(f"--where {condition!r} is not NAME=VALUE; an example is --where normalization=batchnorm")
        _checked([name], names)
        rows = [row for row in rows if _equal(row[name], wanted)]
    return rows


def _equal(value: object, wanted: str) -> bool:
    """Whether a cell is what was typed: numbers as numbers, an empty cell as 'none'."""
    if value is None:
        return wanted.lower() in ("none", "")
    if isinstance(value, int | float):
        try:
            return value == float(wanted)
        except ValueError:
            return False
    return str(value) == wanted


def _sorted(rows: list[dict[str, Any]], sort: str | None, names: list[str]) -> list[dict[str, Any]]:
    if sort is None:
        return rows
    down, name = sort.startswith("-"), sort.removeprefix("-")
    _checked([name], names)
    known = [row for row in rows if row[name] is not None]
    unknown = [row for row in rows if row[name] is None]
    return sorted(known, key=lambda row: row[name], reverse=down) + unknown


def _checked(wanted: list[str], names: list[str]) -> list[str]:
    for name in wanted:
        if names and name not in names:
            raise not_one_of("column", name, names)
    return wanted


def _print(rows: list[dict[str, Any]], columns: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in columns))
    console = Console()
    if not console.is_terminal:
        console = Console(width=10_000)  # a file or another program has room for whole lines
    console.print(table)
    console.print(f"{len(rows)} runs", highlight=False)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _export(rows: list[dict[str, Any]], names: list[str], path: Path) -> None:
    from normlab.files import unwritten, write_atomically

    if path.suffix not in (".csv", ".parquet"):
        raise OptionError(f"--export {path} ends in neither .csv nor .parquet, so its format is not known")
    content = _as_csv(rows, names) if path.suffix == ".csv" else _as_parquet(rows, names)
    try:
        write_atomically(path, content)
    except OSError as error:
        raise RecordsError(unwritten(path, error)) from error


def _as_csv(rows: list[dict[str, Any]], names: list[str]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _as_parquet(rows: list[dict[str, Any]], names: list[str]) -> bytes:
    need_parquet()
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({name: [row[name] for row in rows] for name in names})
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content
