"""`normlab results`: the runs in a records file, filtered, sorted, printed or exported."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from normlab.cli.conditions import matching
from normlab.cli.extras import need_parquet
from normlab.cli.places import RESULTS, records_in
from normlab.errors import OptionError, RecordsError, not_one_of

MEASURED = ("best_val_acc", "best_train_acc", "test_acc", "final_loss", "diverged", "seconds")
NOT_SHOWN = (
    "fingerprint",
    "num_train",
    "num_val",
    "input_dim",
    "num_classes",
    "started",
    "finished",
    "key",
    "dtype",
)
"""Of the columns that differ between runs, those that are printed only where they are asked for."""
EXAMPLE = "Example: normlab results --where normalization=batchnorm --where 'best_val_acc>0.9' --sort -best_val_acc"


def results(
    results: Annotated[
        Path, typer.Argument(help="A results folder, or its records file.")
    ] = RESULTS,
    where: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE, or with != < <= > >=, or 'NAME in A,B'; once a condition."),
    ] = None,
    sort: Annotated[
        str | None, typer.Option(help="The column to sort by; -NAME for the largest first.")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Columns to print, with commas between, or 'all'; what differs if not given."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Print or export so many rows at most.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write every column to a file, .csv, .parquet or .json.")
    ] = None,
    curves: Annotated[
        bool,
        typer.Option(
            "--curves", help="Export losses and accuracies along the runs: a row a value."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print every column as JSON.")] = False,
) -> None:
    """Query the runs of a results folder, or export them to CSV, Parquet or JSON."""
    from normlab.records import Records
    from normlab.records.rows import curve_rows

    if curves and export is None:
        raise OptionError("--curves goes with --export FILE, such as --export curves.csv")
    with Records(records_in(results), mode="r") as records:
        asked = _studies_of(records)
        found = [{"study": asked.get(row["key"], ""), **row} for row in records.export_rows()]
        unreadable = records.unreadable()
        names = list(found[0]) if found else []
        rows: list[Any] = _sorted(matching(found, where or [], names), sort, names)[:limit]
        if curves:
            rows = curve_rows(records, rows)
            names = list(rows[0]) if rows else ["study", "key", "measure", "index", "value"]
    if unreadable is not None:
        typer.echo(unreadable, err=True)
    if export is not None:
        _export(rows, names, export)
        typer.echo(f"{len(rows)} {'values' if curves else 'runs'} written to {export}")
    elif as_json:
        typer.echo(json.dumps(rows, indent=1))
    else:
        shown = (
            None
            if columns is None
            else names
            if columns == "all"
            else _checked(columns.split(","), names)
        )
        _print(rows, shown, len(found))


def _studies_of(records: Any) -> dict[str, str]:
    """The studies that each run belongs to, by its key; none where SciPy and its kin are not installed."""
    try:
        from normlab.studies.collection import studies_of_runs
    except ImportError:
        return {}
    return studies_of_runs(records)


def _sorted(rows: Any, sort: str | None, names: list[str]) -> Any:
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


def _print(rows: list[dict[str, Any]], columns: list[str] | None, total: int) -> None:
    """A table as wide as the terminal: what is the same in all rows is said once, above it."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=10_000)  # a file or another program has room for whole lines
    same: dict[str, Any] = {}
    if columns is None:
        names = [name for name in (rows[0] if rows else ()) if name not in NOT_SHOWN]
        alike = {name for name in names if len({str(row[name]) for row in rows}) == 1}
        columns = [name for name in names if name in MEASURED or name not in alike]
        same = {
            name: rows[0][name]
            for name in names
            if name not in columns and not _is_usual(name, rows[0][name])
        }
    if same and len(rows) > 1:
        told = ", ".join(f"{name} {_cell(value)}" for name, value in same.items())
        console.print(f"All: {told}\n", highlight=False, markup=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        numbers = all(isinstance(row[name], int | float | None) for row in rows)
        # a title breaks between its words, so that a narrow column of numbers stays narrow
        title = name.replace("_", " ") if console.is_terminal else name
        table.add_column(title, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in columns))
    console.print(table)
    counted = f"{len(rows)} runs" if len(rows) == total else f"{len(rows)} of {total} runs"
    console.print(counted, highlight=False)


def _is_usual(name: str, value: object) -> bool:
    """Whether a setting is the specs' own default, of which nobody needs to read."""
    from normlab.records.schema import usual_settings

    return value in (None, "") or usual_settings().get(name) == value


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, str) and value.startswith("["):  # hidden_dims: [64,64,64] is 3 × 64
        dims = json.loads(value)
        return f"{len(dims)} × {dims[0]}" if len(dims) > 2 and len(set(dims)) == 1 else value
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _export(rows: list[dict[str, Any]], names: list[str], path: Path) -> None:
    from normlab.files import unwritten, write_atomically

    formats = {".csv": _as_csv, ".parquet": _as_parquet, ".json": _as_json}
    if path.suffix not in formats:
        raise OptionError(
            f"--export {path} ends in none of .csv, .parquet and .json, so its format is not known"
        )
    content = formats[path.suffix](rows, names)
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


def _as_json(rows: list[dict[str, Any]], names: list[str]) -> bytes:
    return json.dumps([{name: row[name] for name in names} for row in rows], indent=1).encode()


def _as_parquet(rows: list[dict[str, Any]], names: list[str]) -> bytes:
    need_parquet()
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({name: [row[name] for row in rows] for name in names})
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content
