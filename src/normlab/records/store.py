"""`Records`: results in one SQLite file that outlives the program, safe to kill at any instant."""

from __future__ import annotations

import html
import json
import math
import os
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from normlab import machine
from normlab.arguments import explained
from normlab.errors import OptionError, RecordsError
from normlab.frames import frame_of
from normlab.records.opening import damaged, in_sentences, open_records, transaction
from normlab.records.origins import Origin, origins_of
from normlab.records.schema import RESULTS, TABLES, checksum
from normlab.specs import History, RunSpec


class Records:
    """The results in the file at `path`; mode 'a' reads, adds and creates it, 'r' only reads.

    Each `put` is a transaction of its own, on the disk when it returns. A process killed at any
    instant leaves all the rows it had put. Several processes may share a file: a writer waits up to
    `timeout` seconds for another, and the first result of a key stays. Close it, or use it as a
    context manager.

    Whatever is wrong with the file is a RecordsError, at opening where that can be known: see
    `opening.py` for the list. A row is verified whenever it is read.

    >>> from normlab.specs import NetSpec
    >>> import tempfile; path = tempfile.mkdtemp() + "/results.sqlite"
    >>> spec = RunSpec(NetSpec((20,)))
    >>> history = History((2.3, 1.9), (0.1, 0.4), (0.1, 0.3), 0.3, False)
    >>> with Records(path) as records:
    ...     records.put(spec, history), records.put(spec, history), len(records)
    (True, False, 1)
    >>> with Records(path, mode="r") as records:
    ...     records.get(spec.key) == history
    True
    """

    @explained
    def __init__(
        self, path: str | os.PathLike[str], mode: str = "a", timeout: float = 30.0
    ) -> None:
        self.path = Path(path)
        self.mode = mode
        self._connection = open_records(self.path, mode, timeout)
        self._connection.row_factory = sqlite3.Row
        self._one_thread = threading.RLock()  # any thread may use the records, one at a time

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        try:
            return f"Records({str(self.path)!r}: {len(self)} runs)"
        except (RecordsError, sqlite3.Error):
            return f"Records({str(self.path)!r}: closed)"

    def _repr_html_(self) -> str:
        """How many runs of what, for notebooks."""
        counts = self._fetch(
            "SELECT coalesce(json_extract(spec, '$.data.name'), '?'), coalesce(json_extract(spec, "
            "'$.net.normalization'), 'no norm'), count(*), max(best_val_acc) FROM runs GROUP BY "
            "1, 2 ORDER BY 1, 2"
        )
        rows = "".join(
            f"<tr><td>{html.escape(str(data))}</td><td>{html.escape(str(norm))}</td><td>{number}</td>"
            f"<td>{'–' if best is None else f'{100 * best:.1f} %'}</td></tr>"
            for data, norm, number, best in counts
        )
        head = "<tr><th>data</th><th>norm</th><th>runs</th><th>best validation accuracy</th></tr>"
        return f"<p>{html.escape(repr(self))}</p><table>{head}{rows}</table>"

    def close(self) -> None:
        """Let the file go; closing twice does no harm."""
        self._connection.close()

    # Runs

    def put(self, spec: RunSpec, history: History) -> bool:
        """Record a run that has just finished; False, and no change, if its key is there."""
        finished = datetime.now(UTC)
        values = {
            "spec": spec.to_json(),
            "best_val_acc": _finite(history.best_val_acc),
            "best_train_acc": _finite(history.best_train_acc),
            "final_loss": _finite(history.final_loss),
            "diverged": int(history.diverged),
            "seconds": float(history.seconds),
            "history": history.to_json(),
            "engine": history.engine,
            **(history.provenance or machine.made_here())._asdict(),
            "started": _iso(finished - timedelta(seconds=history.seconds)),
            "finished": _iso(finished),
        }
        return self._insert("runs", spec.key, values)

    def get(self, key: str) -> History | None:
        """The history recorded under a spec's key, or None."""
        row = self._row("runs", key)
        return None if row is None else _history(row)

    def __contains__(self, key: str) -> bool:
        return bool(self._fetch("SELECT 1 FROM runs WHERE key = ?", key))

    def __len__(self) -> int:
        """The number of runs."""
        return int(self._fetch("SELECT count(*) FROM runs")[0][0])

    def keys(self) -> list[str]:
        """The runs' keys, in the order in which they were recorded."""
        return self._keys("runs")

    def __iter__(self) -> Iterator[tuple[RunSpec, History]]:
        """Every run, in the order in which they were recorded."""
        for row in self._rows("runs"):
            yield RunSpec.from_json(row["spec"]), _history(row)

    def export_rows(self) -> list[dict[str, Any]]:
        """A flat row a run: every setting, every measure, no curves; sequences as JSON."""
        for _ in self._rows("runs"):  # the view computes on unverified rows: verify them first
            pass
        return [dict(row) for row in self._fetch(RESULTS)]

    def to_frame(self, studies: Mapping[str, str] | None = None) -> Any:
        """`export_rows` as a pandas DataFrame, or a polars one where only polars is installed.

        `studies` names the studies of each run by its key, as `studies.collection.studies_of_runs`
        finds them; the frame then begins with a column for them.
        """
        rows = self.export_rows()
        if studies is not None:
            rows = [{"study": studies.get(row["key"], ""), **row} for row in rows]
        return frame_of(rows)

    def unreadable(self) -> str | None:
        """How many runs this version cannot read, and why, as a sentence; None where it reads all.

        They were written by a newer normlab, or by other hands. No study finds them.
        """
        reasons: Counter[str] = Counter()
        for key, text in self._fetch("SELECT key, spec FROM runs"):
            try:
                if RunSpec.from_json(text).key != key:
                    reasons["its key is not that of its own spec"] += 1
            except OptionError as error:
                reasons[str(error)] += 1
        if not reasons:
            return None
        named = "; ".join(f"{number} because {reason}" for reason, number in reasons.most_common(3))
        return (
            f"{reasons.total()} of the {len(self)} runs in {self.path} cannot be read by this "
            f"version of normlab and count for nothing: {named}. Was the file written by a newer "
            "version? Then update normlab"
        )

    # Results that are not training runs

    def put_measurement(self, key: str, kind: str, spec_json: str, value_json: str) -> bool:
        """Record a measurement under `key`; False, and no change, if the key is there already.

        `spec_json` says what was measured on what, `value_json` what came out, both strict JSON;
        the records do not look inside. Derive the key from kind and spec.
        """
        return self.put_measurements([(key, kind, spec_json, value_json)]) == 1

    def put_measurements(self, measurements: Iterable[tuple[str, str, str, str]]) -> int:
        """Record several (key, kind, spec_json, value_json), all or none; how many were new.

        One transaction waits for the disk once: many cheap measurements would wait longer than they
        took.
        """
        made = {**machine.made_here()._asdict(), "finished": _now()}
        rows = []
        for key, kind, spec_json, value_json in measurements:
            _check_json(spec_json=spec_json, value_json=value_json)
            rows.append((key, {"kind": kind, "spec": spec_json, "value": value_json, **made}))
        with self._one_thread, in_sentences(self.path), transaction(self._connection):
            return sum(self._insert_row("measurements", key, values) for key, values in rows)

    def get_measurement(self, key: str) -> str | None:
        """The `value_json` recorded under `key`, or None."""
        row = self._row("measurements", key)
        return None if row is None else str(row["value"])

    def measurements(self) -> Iterator[tuple[str, str, str, str]]:
        """Every measurement as (key, kind, spec_json, value_json), in the order of recording."""
        for row in self._rows("measurements"):
            yield row["key"], row["kind"], row["spec"], row["value"]

    # What was asked for, and what answered

    def put_sweep(self, plan_json: str) -> None:
        """Record what a command asked for (studies, seeds, data, time, …), as strict JSON."""
        _check_json(plan_json=plan_json)
        self._insert(
            "sweeps", None, {"plan": plan_json, **machine.made_here()._asdict(), "finished": _now()}
        )

    def sweeps(self) -> list[str]:
        """The `plan_json` of every sweep, oldest first."""
        return [row["plan"] for row in self._rows("sweeps")]

    def provenance(self) -> list[dict[str, Any]]:
        """Which versions and machines made the runs: for each, also `runs`, `first` and `last`."""
        groups = self._fetch(
            "SELECT engine, versions, machine, count(*), min(started), max(finished) "
            "FROM runs GROUP BY engine, versions, machine ORDER BY min(started)"
        )
        return [
            {
                "engine": engine,
                "versions": json.loads(versions),
                "machine": json.loads(computer),
                "runs": runs,
                "first": first,
                "last": last,
            }
            for engine, versions, computer, runs, first, last in groups
        ]

    def origins(self, keys: Collection[str]) -> Counter[Origin]:
        """What made the runs with these keys, and how many of them each."""
        return origins_of(self._fetch("SELECT key, engine, versions, machine FROM runs"), keys)

    def forget(self, keys: Iterable[str]) -> int:
        """Delete the runs with these keys, all or none, so that they are trained again; how many there were."""
        with self._one_thread, in_sentences(self.path), transaction(self._connection):
            return sum(
                self._connection.execute("DELETE FROM runs WHERE key = ?", (key,)).rowcount
                for key in keys
            )

    def digest(self) -> str:
        """SHA-256 over every spec with its result and every measurement, whatever their order.

        Times, engines and machines stay out: who repeats the runs and gets the same results, bit
        for bit, gets the same digest.
        """
        lines = []
        for row in self._rows("runs"):
            result = json.loads(row["history"])
            result = {
                name: value for name, value in result.items() if name not in ("seconds", "engine")
            }
            lines.append(checksum(["run", row["spec"], json.dumps(result, sort_keys=True)]))
        lines += [checksum(["measurement", *measurement]) for measurement in self.measurements()]
        return checksum(sorted(lines))

    # Rows

    def _insert(self, table: str, key: str | None, values: Mapping[str, Any]) -> bool:
        """Add a row in a transaction of its own; False where its key is there already."""
        with self._one_thread, in_sentences(self.path), transaction(self._connection):
            return self._insert_row(table, key, values)

    def _insert_row(self, table: str, key: str | None, values: Mapping[str, Any]) -> bool:
        """Add a row with its checksum, within a transaction; None as key is the next number."""
        if key is None:
            (key,) = self._connection.execute(
                f"SELECT coalesce(max(key), 0) + 1 FROM {table}"
            ).fetchone()
        row = {"key": key, **values}
        row["checksum"] = checksum(list(row.values()))
        names = ", ".join(row)
        places = ", ".join("?" * len(row))
        cursor = self._connection.execute(
            f"INSERT INTO {table} ({names}) VALUES ({places}) ON CONFLICT (key) DO NOTHING",
            tuple(row.values()),
        )
        return cursor.rowcount == 1

    def _row(self, table: str, key: str | int) -> sqlite3.Row | None:
        """The verified row of a key, or None."""
        rows = self._fetch(f"SELECT {', '.join(TABLES[table])} FROM {table} WHERE key = ?", key)
        if not rows:
            return None
        *values, written = rows[0]
        if checksum(values) != written:
            raise RecordsError(
                damaged(self.path, f"a row of {table} has been altered since it was written: {key}")
            )
        return rows[0]

    def _rows(self, table: str) -> Iterator[sqlite3.Row]:
        for key in self._keys(table):  # a statement a row: a slow reader must not lock a writer out
            row = self._row(table, key)
            if row is None:
                raise RecordsError(
                    damaged(self.path, f"a row of {table} is listed but not found: {key}")
                )
            yield row

    def _keys(self, table: str) -> list[Any]:
        return [key for (key,) in self._fetch(f"SELECT key FROM {table} ORDER BY rowid")]

    def _fetch(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        with self._one_thread, in_sentences(self.path):
            return self._connection.execute(statement, values).fetchall()


def _history(row: sqlite3.Row) -> History:
    made = machine.Provenance(
        sys.intern(row["versions"]), sys.intern(row["machine"])
    )  # a few texts, many rows
    return History.from_json(row["history"], made)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _now() -> str:
    return _iso(datetime.now(UTC))


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _check_json(**texts: str) -> None:
    for name, text in texts.items():
        try:
            json.loads(text, parse_constant=_refuse_constant)
        except (TypeError, ValueError) as error:
            raise OptionError(f"{name}={text!r:.80} is not strict JSON text: {error}") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}; write it as text, or as null")
