"""What a records file looks like inside, for `Records` and for anyone with plain SQL.

    runs          a row a training run: its spec and history as JSON, its measures as columns
    measurements  a row a result that is no training run, such as the spread of activations at the first step
    sweeps        a row a command that asked for results: what a report needs to redraw itself
    results       a view of runs with every setting as a column: the one to query

Each row of the tables says which versions and machine made it and ends with a checksum of itself, since
SQLite itself notices damage to its own structure but not a flipped bit inside a number.
"""

from __future__ import annotations

from dataclasses import fields

from normlab.specs import DataSpec, NetSpec, TrainingSpec

APPLICATION_ID = 0x6E6C6162  # "nlab": how `file` and we tell a records file from another program's SQLite file
VERSION = 1  # user_version; raise it with any change below, and say in store.py how older files are read

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

_SETTINGS = [
    *(("data" if field.name == "name" else field.name, f"data.{field.name}") for field in fields(DataSpec)),
    *((field.name, f"net.{field.name}") for field in fields(NetSpec)),
    *((field.name, f"training.{field.name}") for field in fields(TrainingSpec)),
    ("seed", "seed"),
]

RESULTS = f"""SELECT {", ".join(f"json_extract(spec, '$.{path}') AS {name}" for name, path in _SETTINGS)},
    best_val_acc, best_train_acc, final_loss, diverged, seconds, engine, started, finished, key
    FROM runs ORDER BY rowid"""

TABLE_STATEMENTS = {
    table: f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())})"
    for table, columns in TABLES.items()
}
CREATION = (
    *TABLE_STATEMENTS.values(),
    f"CREATE VIEW results AS {RESULTS}",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)
