"""Runs that were trained elsewhere, from tables: CSV, Parquet, and what W&B and TensorBoard export.

    wide    a row a run:     arm, seed, and a column for each measure; with a column `step`, a row a step
    long    a row a value:   arm, seed, measure, value, and perhaps step
    W&B     `Step`, and a column `RUN - MEASURE` for each run; those that end in __MIN and __MAX are left out
    TensorBoard   `Wall time, Step, Value` in a file called `RUN.csv` or `run-RUN-tag-MEASURE.csv`

`arm` is what is compared, such as a norm; `seed` is what the runs of different arms share, so that
they can be paired.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from normlab.errors import OptionError, did_you_mean, need

ARM = ("arm", "norm", "name", "group", "run_group", "method", "model")
SEED = ("seed", "random_seed", "replicate")
STEP = ("step", "_step", "epoch", "global_step", "iteration")
_OF_A_RUN = re.compile(r"^(?P<arm>.*?)[-_ /.]*(?:seed|s|run)?[-_= ]?(?P<seed>\d+)$", re.I)
_TENSORBOARD = ["Wall time", "Step", "Value"]


@dataclass(frozen=True)
class Run:
    """A run from elsewhere: its last values by measure, and its curves where there are steps."""

    arm: str
    seed: int
    numbers: Mapping[str, float]
    curves: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class _Value:
    arm: str
    seed: int
    measure: str
    step: float | None
    value: float


def read_runs(paths: Sequence[Path], arm: str | None = None, seed: str | None = None) -> list[Run]:
    """The runs in these files, and in the .csv and .parquet files of these folders.

    `arm` and `seed` name the columns that say what is compared and what pairs the runs, where they
    have other names than 'arm' and 'seed'. Raises OptionError with the file and the line for what
    cannot be read.
    """
    files = [file for path in paths for file in _files(path)]
    values = [value for file in files for value in _values(file, arm, seed)]
    grouped: dict[tuple[str, int], dict[str, list[_Value]]] = {}
    for value in values:
        measures = grouped.setdefault((value.arm, value.seed), {})
        measures.setdefault(value.measure, []).append(value)
    return [_run(*key, measures) for key, measures in grouped.items()]


def _run(arm: str, seed: int, measures: Mapping[str, Sequence[_Value]]) -> Run:
    numbers, curves = {}, {}
    for name, found in measures.items():
        steps = [value.step for value in found]
        if len(found) > 1 and (None in steps or len(set(steps)) < len(found)):
            raise OptionError(
                f"{arm!r}, seed {seed}, has {len(found)} values of {name!r} at one step; give each "
                "run a seed of its own, and a column 'step' where there are several values"
            )
        ordered = sorted(found, key=lambda value: value.step or 0.0)
        numbers[name] = ordered[-1].value
        if len(ordered) > 1:
            curves[name] = tuple(value.value for value in ordered)
    return Run(arm, seed, numbers, curves)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix in (".csv", ".parquet"))
    if not found:
        raise OptionError(f"the folder {path} has no .csv or .parquet file in it")
    return found


def _values(file: Path, arm: str | None, seed: str | None) -> Iterable[_Value]:
    columns, rows = _parquet(file) if file.suffix == ".parquet" else _csv(file)
    if columns == _TENSORBOARD:
        return _tensorboard(file, rows)
    runs = {name: _of_wandb(name) for name in columns}
    if any(runs.values()) and not _column(columns, ARM, None):
        return _wandb(file, columns, rows, runs)
    return _table(file, columns, rows, arm, seed)


def _table(
    file: Path,
    columns: Sequence[str],
    rows: Sequence[tuple[int, Sequence[Any]]],
    arm: str | None,
    seed: str | None,
) -> Iterable[_Value]:
    """Wide or long."""
    place = {name: index for index, name in enumerate(columns)}
    arm_column, seed_column = (
        _needed(file, columns, ARM, arm, "--arm"),
        _needed(file, columns, SEED, seed, "--seed"),
    )
    step_column = _column(columns, STEP, None)
    is_long = {"measure", "value"} <= set(columns)
    kept = {arm_column, seed_column, step_column}
    # a column of words, such as a note, is no measure; a word among numbers is a slip
    measures = [
        name
        for name in columns
        if name not in kept and any(_is_number(cells[place[name]]) for _, cells in rows)
    ]
    for line, cells in rows:
        of_run = str(cells[place[arm_column]])
        its_seed = _whole(file, line, seed_column, cells[place[seed_column]])
        step = (
            None
            if step_column is None
            else _number(file, line, step_column, cells[place[step_column]])
        )
        if is_long:
            value = _number(file, line, "value", cells[place["value"]])
            yield _Value(of_run, its_seed, str(cells[place["measure"]]), step, value)
            continue
        for name in measures:
            cell = cells[place[name]]
            if cell not in ("", None):
                yield _Value(of_run, its_seed, name, step, _number(file, line, name, cell))


def _wandb(
    file: Path,
    columns: Sequence[str],
    rows: Sequence[tuple[int, Sequence[Any]]],
    runs: Mapping[str, tuple[str, str] | None],
) -> Iterable[_Value]:
    step_column = _column(columns, STEP, None)
    for line, cells in rows:
        step = None
        if step_column is not None:
            step = _number(file, line, step_column, cells[columns.index(step_column)])
        for name, cell in zip(columns, cells, strict=True):
            of_run = runs[name]
            if of_run is not None and cell not in ("", None):
                run, measure = of_run
                yield _Value(
                    *_arm_and_seed(file, run), measure, step, _number(file, line, name, cell)
                )


def _of_wandb(column: str) -> tuple[str, str] | None:
    """The run and the measure of a column `RUN - MEASURE`; None for another, and for its extremes."""
    run, dash, measure = column.rpartition(" - ")
    return None if not dash or measure.endswith(("__MIN", "__MAX")) else (run, measure)


def _tensorboard(file: Path, rows: Sequence[tuple[int, Sequence[Any]]]) -> Iterable[_Value]:
    run, _, tag = file.stem.removeprefix("run-").partition("-tag-")
    arm, seed = _arm_and_seed(file, run)
    for line, cells in rows:
        step = _number(file, line, "Step", cells[1])
        yield _Value(arm, seed, tag or "value", step, _number(file, line, "Value", cells[2]))


def _arm_and_seed(file: Path, run: str) -> tuple[str, int]:
    found = _OF_A_RUN.match(run)
    if found is None or not found["arm"]:
        raise OptionError(
            f"{file}: the run {run!r} does not say its seed; name runs like batchnorm-seed3, or "
            "write a table with the columns arm, seed, measure and value"
        )
    return found["arm"], int(found["seed"])


def _column(columns: Sequence[str], usual: Sequence[str], named: str | None) -> str | None:
    if named is not None:
        return named if named in columns else None
    lower = {column.lower(): column for column in columns}
    return next((lower[name] for name in usual if name in lower), None)


def _needed(
    file: Path, columns: Sequence[str], usual: Sequence[str], named: str | None, option: str
) -> str:
    found = _column(columns, usual, named)
    if found is None:
        wanted = named or usual[0]
        raise OptionError(
            f"{file}, line 1: there is no column {wanted!r}{did_you_mean(wanted, columns)}; the "
            f"columns are {', '.join(map(repr, columns))}. Rename one, or say {option} COLUMN"
        )
    return found


def _csv(file: Path) -> tuple[list[str], list[tuple[int, Sequence[Any]]]]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise OptionError(f"the runs {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise OptionError(f"{file} is not UTF-8 text, or is no CSV file: {error}") from error
    dialect: Any = csv.excel
    head = text.partition("\n")[0]
    if head.count(";") > head.count(","):
        dialect = type("Semicolons", (csv.excel,), {"delimiter": ";"})
    elif head.count("\t") > head.count(","):
        dialect = csv.excel_tab
    reader = csv.reader(io.StringIO(text, newline=""), dialect)
    try:
        columns = next(reader, [])
        rows: list[tuple[int, Sequence[Any]]] = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise OptionError(f"{file}, line {reader.line_num}: {error}") from error
    if not rows:
        raise OptionError(f"{file} has no rows: expected a line of column names, then a line a run")
    for line, row in rows:
        if len(row) != len(columns):
            raise OptionError(f"{file}, line {line}: {len(row)} cells for {len(columns)} columns")
    return columns, rows


def _parquet(file: Path) -> tuple[list[str], list[tuple[int, Sequence[Any]]]]:
    need("reading Parquet files", {"pyarrow": "PyArrow"}, "pyarrow")
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(file)
    except (OSError, pyarrow.ArrowException) as error:
        raise OptionError(
            f"{file} cannot be read as Parquet: {str(error).splitlines()[0]}"
        ) from error
    rows = [tuple(row.values()) for row in table.to_pylist()]
    return list(table.column_names), list(enumerate(rows, start=1))


def _whole(file: Path, line: int, column: str, cell: Any) -> int:
    value = _number(file, line, column, cell)
    if not value.is_integer():
        raise OptionError(f"{file}, line {line}: {column} is {cell!r}; a seed is a whole number")
    return int(value)


def _number(file: Path, line: int, column: str, cell: Any) -> float:
    if not _is_number(cell):
        raise OptionError(f"{file}, line {line}: {column} is {cell!r}, which is no number")
    return float(cell)


def _is_number(cell: Any) -> bool:
    try:
        return not isinstance(cell, bool) and (math.isfinite(float(cell)) or True)
    except (TypeError, ValueError):
        return False
