"""Records and checkpoints cut short or with a bit flipped, at random places: never taken for good ones.

A damaged file must be refused in a sentence, or give the very content of the whole one: some bits
of an SQLite file, of free pages and counters, mean nothing to what is stored.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from normlab.errors import RecordsError
from normlab.nets import FullyConnectedNet
from normlab.selftest import small_sweep
from normlab.selftest.lean_process import lean_process
from normlab.selftest.measured import Measured
from normlab.solver import Solver
from proof import kills
from proof.commands import REFERENCE
from proof.forking import CAN_FORK, NO_FORK

PROMISE = (
    "a {} cut short or with a flipped bit is refused in a sentence, or gives the very same content"
)


def rows(full: bool) -> Iterator[Measured]:
    """Checkpoints, records, and records by way of the command."""
    yield checkpoint_row(4_000 if full else 400)
    yield records_row(4_000 if full else 100)
    yield command_row(600 if full else 20) if CAN_FORK else _not_here()


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The content with one random bit flipped, or, every fourth time, cut short at a random place."""
    place = rng.randrange(len(content))
    if rng.random() < 0.25:
        return content[:place]
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def checkpoint_row(times: int) -> Measured:
    """A Solver's own checkpoint."""
    data = small_sweep.data()

    def net() -> FullyConnectedNet:
        return FullyConnectedNet(
            [4], 64, 10, normalization="batchnorm", rng=np.random.RandomState(0)
        )

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.safetensors")
        solver = Solver(
            net(), data.as_dict(), rng=np.random.RandomState(0), num_epochs=1, verbose=False
        )
        solver.train()
        solver.save(path)

        def read() -> object:
            return Solver.resume(
                path, net(), data.as_dict(), rng=np.random.RandomState(0), verbose=False
            )

        return _row("checkpoint", path, read, lambda _: False, times)


def records_row(times: int) -> Measured:
    """The results of the small sweep: everything that can be read from them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "records.sqlite")
        kills.sweep(str(path), 1)
        whole = small_sweep.table(path)
        return _row(
            "records file",
            path,
            lambda: small_sweep.table(path),
            lambda found: found == whole,
            times,
        )


def command_row(times: int) -> Measured:
    """`normlab results`, and now and then `normlab report`: exit code 2, a sentence, no traceback."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "results", "records.sqlite")
        with lean_process("proof.commands:command", folder, {"PYTHONWARNINGS": "ignore"}) as call:
            call(["reproduce", "--seeds", "1", "--quiet", "--out", "results", *REFERENCE], {})
            words = [["results", "results"]] * 9 + [["report", "results"]]
            whole = [call(each, {}) for each in words]
            turns = iter(range(10 * times))

            def read() -> object:
                turn = next(turns) % len(words)
                said = call(words[turn], {})
                if (
                    said["code"] == 2
                    and said["err"].startswith("normlab: ")
                    and said["err"].count("\n") == 1
                ):
                    raise RecordsError(said["err"])
                return said == whole[turn] or said

            return _row(
                "records file given to a command", path, read, lambda found: found is True, times
            )


def _row(
    what: str,
    path: Path,
    read: Callable[[], object],
    same: Callable[[Any], bool],
    times: int,
    seed: int = 9,
) -> Measured:
    """Damage the file at `path` again and again, read it, and count refusals and harmless changes."""
    rng, content = random.Random(seed), path.read_bytes()
    refused, harmless, wrong = 0, 0, []
    for _ in range(times):
        altered = damaged(content, rng)
        path.write_bytes(altered)
        try:
            found = read()
        except RecordsError:
            refused += 1
        except Exception as error:
            wrong.append(f"{type(error).__name__}: {error}"[:200])
        else:
            if same(found):
                harmless += 1
            else:
                wrong.append(f"taken for a good one: {found}"[:200])
        if path.read_bytes() != altered:
            wrong.append("reading changed the file")
    return Measured(
        "files",
        PROMISE.format(what),
        f"0 of {times} taken for good",
        f"{len(wrong)} of {times}",
        not wrong and refused > 0,
        times,
        note="; ".join(wrong[:2]) or f"{refused} refused, {harmless} without effect on the content",
    )


def _not_here() -> Measured:
    return Measured(
        "files", PROMISE.format("records file given to a command"), "", "", None, 0, note=NO_FORK
    )
