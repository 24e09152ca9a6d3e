"""What a records file looks like inside, for `Records` and for anyone with plain SQL.

    runs          a row a training run: its spec and history as JSON, its measures as columns
    measurements  a row a result that is no training run, such as the spread of activations
    sweeps        a row a command that asked for results: what a report needs to redraw itself
    results       a view of runs with every setting as a column: the one to query

Each row of the tables says which versions and machine made it and ends with a checksum of itself,
since SQLite itself notices damage to its own structure but not a flipped bit inside a number.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import Field, fields
from typing import Any

from normlab.specs import DataSpec, NetSpec, TrainingSpec

APPLICATION_ID = (
    0x6E6C6162  # "nlab": how `file` and we tell a records file from another program's SQLite file
)
VERSION = 2  # user_version; raise it with any change of the tables, and add the step to updates.py

TABLES = {
    "runs": {
        "key": "TEXT NOT NULL PRIMARY KEY",  # SHA-256 of spec
        "spec": "TEXT NOT NULL",  # RunSpec, canonical JSON
        "best_val_acc": "REAL",
        "best_train_acc": "REAL",
        "final_loss": "REAL",  # mean of the last 100 steps; NULL where that is not finite
        "diverged": "INTEGER NOT NULL",  # 1: a loss was NaN or infinite
        "seconds": "REAL NOT NULL",
        "history": "TEXT NOT NULL",  # History, JSON
        "engine": "TEXT NOT NULL",
        "versions": "TEXT NOT NULL",  # JSON
        "machine": "TEXT NOT NULL",  # JSON
        "started": "TEXT NOT NULL",  # ISO 8601, UTC
        "finished": "TEXT NOT NULL",
        "checksum": "TEXT NOT NULL",  # SHA-256 of the row's other columns as a JSON list
    },
    "measurements": {
        "key": "TEXT NOT NULL PRIMARY KEY",
        "kind": "TEXT NOT NULL",
        "spec": "TEXT NOT NULL",
        "value": "TEXT NOT NULL",
        "versions": "TEXT NOT NULL",
        "machine": "TEXT NOT NULL",
        "finished": "TEXT NOT NULL",
        "checksum": "TEXT NOT NULL",
    },
    "sweeps": {
        "key": "INTEGER NOT NULL PRIMARY KEY",
        "plan": "TEXT NOT NULL",
        "versions": "TEXT NOT NULL",
        "machine": "TEXT NOT NULL",
        "finished": "TEXT NOT NULL",
        "checksum": "TEXT NOT NULL",
    },
}

_PARTS = {"data": DataSpec, "net": NetSpec, "training": TrainingSpec}


def _settings() -> list[str]:
    """A column of `results` for each field of a spec, named like it but for the data's name."""
    return [
        f"{_value(item, f'{part}.{item.name}')} AS {part if item.name == 'name' else item.name}"
        for part, spec in _PARTS.items()
        for item in fields(spec)
    ]


def _value(item: Field[Any], path: str) -> str:
    """SQL for a field; one added later is absent from specs that leave it at its default."""
    found = f"json_extract(spec, '$.{path}')"
    if not item.metadata.get("added") or item.default is None:
        return found
    if isinstance(item.default, str | tuple):  # a sequence is JSON here, as hidden_dims is
        text = item.default if isinstance(item.default, str) else json.dumps(item.default)
        return f"coalesce({found}, '{text}')"
    default = int(item.default) if isinstance(item.default, bool) else item.default
    return f"coalesce({found}, {default})"


RESULTS = f"""SELECT {", ".join(_settings())}, json_extract(spec, '$.seed') AS seed,
    best_val_acc, best_train_acc, final_loss, diverged, seconds, engine, started, finished, key
    FROM runs ORDER BY rowid"""

TABLE_STATEMENTS = {
    table: f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())})"
    for table, columns in TABLES.items()
}
VIEW_STATEMENT = f"CREATE VIEW results AS {RESULTS}"
CREATION = (
    *TABLE_STATEMENTS.values(),
    VIEW_STATEMENT,
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)


def usual_settings() -> dict[str, Any]:
    """The settings' own defaults, as the columns of `results` have them."""
    return {
        item.name: json.dumps(item.default) if isinstance(item.default, tuple) else item.default
        for spec in _PARTS.values()
        for item in fields(spec)
    }


def checksum(values: list[Any]) -> str:
    """SHA-256 of a row's other columns, in their order, as a JSON list."""
    # repr for what no row of ours holds: bytes, where damage turned a text into them
    return hashlib.sha256(json.dumps(values, default=repr).encode()).hexdigest()
