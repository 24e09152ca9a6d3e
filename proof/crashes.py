"""Crashes: SIGKILL while saving and while training, full disks, closed folders, flipped bits, a wrong clock."""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from normlab.selftest import small_sweep
from normlab.selftest.lean_process import lean_process
from normlab.selftest.measured import Measured
from proof import adversities
from proof.forking import CAN_FORK, NO_FORK
from proof.kills import BEFORE_RENAME, OUTSIDE, RENAMED, RENAMING

QUIET = {
    "PYTHONWARNINGS": "ignore"
}  # of joblib, whose helper tells what a killed process left for it to clear away


def rows(full: bool) -> Iterator[Measured]:
    """Kills while saving, kills of a sweep, and what else may happen to the main job."""
    if CAN_FORK:
        yield killed_saves(full)
        yield killed_sweeps(full)
        yield from adversities.rows(full)
    else:
        for part in (killed_saves, killed_sweeps, adversities.rows):
            yield Measured("crashes", str(part.__doc__).rstrip("."), "", "", None, 0, note=NO_FORK)


def killed_saves(full: bool) -> Measured:
    """A checkpoint whose saving is killed loads, as the old or the new one, bit for bit."""
    kills = 1000 if full else 50
    rng = random.Random(6)
    stages: Counter[int] = Counter()
    temporary, wrong = 0, []
    with (
        tempfile.TemporaryDirectory() as folder,
        lean_process("proof.kills:save_killed", folder) as killed,
    ):
        for _ in range(kills):
            found = killed(folder, rng.uniform(0, 0.02))
            stages[found["stage"]] += 1
            temporary += found["temporary"]
            wrong += [found["wrong"]] if found["wrong"] else []
    inside = kills - stages[OUTSIDE]
    return Measured(
        "crashes",
        str(killed_saves.__doc__).rstrip("."),
        f"0 of {kills} bad",
        f"{len(wrong)} of {kills} bad",
        not wrong and inside > kills // 2 and temporary > 0,
        kills,
        note=wrong[0]
        if wrong
        else f"{inside} kills struck inside a save: {stages[BEFORE_RENAME]} before the rename, {temporary} of them "
        f"with the new file half written beside the old, {stages[RENAMING]} in it, "
        f"{stages[RENAMED]} after it",
    )


def killed_sweeps(full: bool) -> Measured:
    """A sweep that is killed ends, when it is run again, with the undisturbed run's table, bit for bit."""
    alone, parents, workers = (120, 20, 60) if full else (12, 1, 2)
    rng = random.Random(7)
    with (
        tempfile.TemporaryDirectory() as folder,
        lean_process("proof.kills:sweep", folder, QUIET) as sweep,
        lean_process("proof.kills:sweep_killed", folder, QUIET) as killed,
        lean_process("proof.kills:sweep_losing_workers", folder, QUIET) as losing,
    ):
        undisturbed = Path(folder, "undisturbed.sqlite")
        sweep(str(undisturbed), 1)  # the first of a process takes longer
        undisturbed.unlink()
        began = time.perf_counter()
        sweep(str(undisturbed), 1)
        lasts = time.perf_counter() - began
        expected, wrong, struck = small_sweep.table(undisturbed), [], Counter[str]()
        number = 0
        while struck["alone"] < alone or struck["parents"] < parents:
            number += 1
            path = Path(folder, f"{number}.sqlite")
            two = struck["alone"] >= alone
            found = killed(
                str(path), 1 + two, rng.uniform(0.3, 1.8) if two else rng.uniform(0, 1.1 * lasts)
            )
            struck["parents" if two else "alone"] += found["alive"]
            struck["half done"] += 0 < found["recorded"] < len(expected) - 1
            again = sweep(str(path), 1)
            wrong += [what for what in (found["wrong"], again) if what]
            wrong += (
                [] if small_sweep.table(path) == expected else [f"kill {number}: another table"]
            )
        seeds = 10 if full else 2
        sweep(str(undisturbed), 1, seeds)
        expected = small_sweep.table(undisturbed)
        while struck["workers"] < workers:
            number += 1
            path = Path(folder, f"{number}.sqlite")
            lost, failure = losing(str(path), seeds, workers - struck["workers"], number)
            struck["workers"] += lost
            again = sweep(str(path), 1, seeds)
            wrong += [what for what in (failure, again) if what]
            wrong += (
                [] if small_sweep.table(path) == expected else [f"kill {number}: another table"]
            )
    kills = struck["alone"] + struck["parents"] + struck["workers"]
    return Measured(
        "crashes",
        str(killed_sweeps.__doc__).rstrip("."),
        f"0 of {number} sweeps differ",
        f"{len(wrong)} of {number} sweeps differ, after {kills} kills",
        not wrong and struck["half done"] > 0,
        kills,
        note=wrong[0]
        if wrong
        else f"{struck['alone']} kills of a sweep in one process, {struck['parents']} of one with two workers, "
        f"{struck['workers']} of a worker; {struck['half done']} found the table half filled",
    )
