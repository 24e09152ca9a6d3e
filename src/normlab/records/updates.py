"""How a file of an older schema version becomes one of today's: a step a version, in order.

A step changes the tables and rows of the version before it, within one transaction, and knows
nothing of later versions: it is never edited again. Raise `schema.VERSION` with each new step.

| version | what it changed |
|---|---|
| 1 | – |
| 2 | the engines 'book' and 'fast' are called 'reference' and 'compiled' |
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable

from normlab.records.schema import checksum

ENGINES_OF_VERSION_1 = {"book": "reference", "fast": "compiled"}


def update_to_2(connection: sqlite3.Connection) -> None:
    """Rename the engines, in the column and in the history."""
    columns = (
        "key", "spec", "best_val_acc", "best_train_acc", "final_loss", "diverged", "seconds",
        "history", "engine", "versions", "machine", "started", "finished",
    )  # fmt: skip
    selection = f"SELECT rowid, checksum, {', '.join(columns)} FROM runs"
    for rowid, written, *values in connection.execute(selection).fetchall():
        row = dict(zip(columns, values, strict=True))
        if checksum(values) != written or row["engine"] not in ENGINES_OF_VERSION_1:
            continue  # a damaged row stays as it is, for whoever reads it to notice
        row["engine"] = ENGINES_OF_VERSION_1[row["engine"]]
        row["history"] = json.dumps(json.loads(row["history"]) | {"engine": row["engine"]})
        connection.execute(
            "UPDATE runs SET engine = ?, history = ?, checksum = ? WHERE rowid = ?",
            (row["engine"], row["history"], checksum(list(row.values())), rowid),
        )


UPDATES: dict[int, Callable[[sqlite3.Connection], None]] = {2: update_to_2}
