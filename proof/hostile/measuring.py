"""Files that nobody vouches for: hostile, broken, lying and damaged ones, refused within bounds and without an act."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path

from normlab.selftest.lean_process import lean_process
from normlab.selftest.measured import Measured
from proof import damage, fuzzing
from proof.hostile.corpus import Case, cases
from proof.hostile.pickled import EXECUTING, a_value
from proof.hostile.reading import Reading
from proof.process_memory import TELLS_PEAKS

MEGABYTES, SECONDS = 200, 2.0
NO_PEAKS = "needs Linux, which tells how large a process has been"
_READ = "proof.hostile.reading:read_watched"


def rows(full: bool) -> Iterator[Measured]:
    """The hostile corpus, damaged results and checkpoints, and mutated files for every reader."""
    yield from corpus_rows(full)
    yield from damage.rows(full)
    yield from fuzzing.rows(full)


def corpus_rows(full: bool) -> Iterator[Measured]:
    """Hostile files refused; what reading them executed, and how many acts the same watch can notice."""
    bound = f"all refused, each in {MEGABYTES} MB and {SECONDS:g} s"
    promise = "hostile, broken and lying data files are refused within bounds"
    if not TELLS_PEAKS:
        yield Measured(
            "files",
            promise,
            bound,
            "",
            None,
            0,
            note=NO_PEAKS,
        )
        return
    read = readings(full)
    bad = [(case, reading) for case, reading in read if not case.good]
    good = [(case, reading) for case, reading in read if case.good]
    refused = [reading for _, reading in bad if reading["refusal"] is not None]
    worst_case, worst = max(bad, key=lambda pair: pair[1]["peak_mb"])
    slow_case, slow = max(bad, key=lambda pair: pair[1]["seconds"])
    grown = max(reading["peak_mb"] - reading["before_mb"] for _, reading in bad)
    faults = [
        f"{case.what}: {reading['crash'] or reading['refusal'] or 'read as if it were good'}"
        for case, reading in read
        if reading["crash"] or case.good != (reading["refusal"] is None)
    ]
    yield Measured(
        "files",
        promise,
        bound,
        f"{len(refused)} of {len(bad)}, worst {worst['peak_mb']:.0f} MB for the whole process "
        f"({grown:.0f} MB above its start), worst {slow['seconds']:.2f} s",
        not faults and worst["peak_mb"] <= MEGABYTES and slow["seconds"] <= SECONDS,
        len(bad),
        note="; ".join(faults[:3])
        or f"most memory: {worst_case.what}; longest: {slow_case.what}; {len(good)} good files were read",
    )
    did = [(case, action) for case, reading in bad for action in reading["did"]]
    noticed = noticed_under_pickle()
    yield Measured(
        "files",
        "reading them executes, imports, opens and writes nothing",
        "0 actions",
        f"{len(did)} actions in {len(bad)} files",
        not did and noticed > 0,
        len(bad),
        note="; ".join(f"{case.what}: {action}" for case, action in did[:3])
        or f"the same watch noticed {noticed} of {len(EXECUTING)} pickles acting under pickle.load",
    )


def readings(full: bool) -> list[tuple[Case, Reading]]:
    """Every case of the corpus, read in a process of its own."""
    corpus = list(cases(full))
    out: list[tuple[Case, Reading]] = []
    with tempfile.TemporaryDirectory() as scratch, lean_process(_READ, scratch) as read:
        good = {
            case.reader: str(_written(scratch, f"good {case.reader}", case))
            for case in corpus
            if case.good
        }
        for case in corpus:
            # a batch is known by its file's name
            path = _written(scratch, "data_batch_1", case)
            out.append((case, read(case.reader, str(path), good.get(case.reader, ""))))
            path.unlink()
        strangers = sorted(
            path.name for path in Path(scratch).iterdir() if not path.name.startswith("good")
        )
        assert not strangers, f"reading left {strangers} behind"
    return out


def noticed_under_pickle() -> int:
    """How many of the executing pickles do something that the watch notices when Python's own pickle loads them."""
    noticed = 0
    with tempfile.TemporaryDirectory() as scratch, lean_process(_READ, scratch) as read:
        for what, value in EXECUTING.items():
            path = _written(
                scratch, "pickle", Case("pickle.load", what, functools.partial(a_value, value))
            )
            noticed += bool(read("pickle.load", str(path), "")["did"])
    return noticed


def _written(folder: str, name: str, case: Case) -> Path:
    path = Path(folder, name)
    path.write_bytes(case.make())
    return path
