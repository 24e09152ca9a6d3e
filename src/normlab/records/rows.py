"""What the records hold, a value a row: the curves of runs, for tables and other programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from normlab.records.store import Records

CURVES = ("loss", "train_acc", "val_acc", "test_acc", "val_loss")


def curve_rows(records: Records, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row a value of these runs' curves: study, key, measure, index and value.

    `index` counts steps of the loss from 1, and looks of an accuracy from 0: after the first step,
    and then at each epoch's end. A value that is not finite is None.
    """
    found = []
    for row in rows:
        history = records.get(row["key"])
        if history is None:
            continue
        for measure in CURVES:
            first = 1 if measure == "loss" else 0
            for index, value in enumerate(getattr(history, measure), start=first):
                found.append(
                    {
                        "study": row.get("study", ""),
                        "key": row["key"],
                        "measure": measure,
                        "index": index,
                        "value": value if abs(value) < float("inf") else None,
                    }
                )
    return found
