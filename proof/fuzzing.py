"""Every reader against mutated input: anything but a value or a documented error, a hang or a swelling is a crash.

The targets here are also those of `tests/fuzz/coverage_guided.py`, which lets atheris steer by the
code reached. This module mutates blindly, but knows what real files look like and which words mean
something to each reader.
"""

from __future__ import annotations

import functools
import json
import os
import random
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, NoReturn, TypedDict

import numpy as np

from normlab import checkpoints
from normlab.checker.child import framing
from normlab.data import archives, cifar10, mnist
from normlab.errors import UserError
from normlab.nets import FullyConnectedNet
from normlab.records import Records
from normlab.selftest import small_sweep
from normlab.selftest.lean_process import lean_process
from normlab.selftest.measured import Measured
from normlab.solver import Solver
from normlab.specs import History, NetSpec, RunSpec
from proof import kills
from proof.forking import CAN_FORK, NO_FORK, in_a_child
from proof.hostile import idx, making, official, pickled, tars
from proof.process_memory import TELLS_PEAKS, peak_bytes

MEGABYTES, SECONDS = 200, 5
DOCUMENTED = (UserError, framing.FrameError, EOFError)
NUMBERS = (
    0,
    1,
    2,
    127,
    128,
    255,
    256,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63 - 1,
    2**64 - 1,
)
JSON_WORDS = (
    *(
        b"null",
        b"true",
        b"-1",
        b"1e999",
        b"NaN",
        b'"inf"',
        b"[]",
        b"{}",
        b'{"a":',
        b"[[",
        b'""',
        b"0.5",
        b"1" * 400,
    ),
    *(b'"hidden_dims":', b'"net":', b'"loss":', b'"seed":', b'"\\ud800"', b"[" * 2_000),
)


class Target(NamedTuple):
    """A reader: what it does with some bytes, whole files to begin with, and words that mean something to it."""

    read: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...]


class Fuzzed(TypedDict):
    """What became of a reader: how many inputs it got and took as good, and the first crashes."""

    inputs: int
    accepted: int
    crashes: list[str]
    peak_mb: float


class TooLongError(Exception):
    """An input that keeps a reader busy for longer than SECONDS."""


def rows(full: bool) -> Iterator[Measured]:
    """A row for all readers: some tenths of a second each, or a minute and a half."""
    seconds = 90.0 if full else 0.4
    promise = "no input crashes a reader, keeps it busy or makes it swell"
    if not CAN_FORK:
        yield Measured("files", promise, "0 crashes", "", None, 0, note=NO_FORK)
        return
    inputs, crashes, counts = 0, list[str](), []
    for name, found in fuzzed(targets(), seconds):
        inputs += found["inputs"]
        counts.append(f"{name} {found['inputs']:,}")
        crashes += [f"{name}: {crash}" for crash in found["crashes"]]
    yield Measured(
        "files",
        promise,
        "0 crashes",
        f"{len(crashes)} crashes in {inputs:,} inputs",
        not crashes,
        inputs,
        note="; ".join(crashes[:2]) or f"{seconds:g} s a reader: {', '.join(counts)}",
    )


def targets() -> tuple[str, ...]:
    """The names of the readers that can be fuzzed here: notebooks only where Jupyter's library is."""
    return tuple(name for name in TARGETS if name != "notebook" or find_spec("nbformat"))


def fuzzed(
    names: Iterable[str], seconds: float, most: int = 10**9, seed: int = 0
) -> Iterator[tuple[str, Fuzzed]]:
    """Fuzz the readers one after another, each in a process of its own, for so long or for so many inputs."""
    with (
        tempfile.TemporaryDirectory() as folder,
        lean_process("proof.fuzzing:fuzz_in_a_child", folder, {"PYTHONWARNINGS": "ignore"}) as call,
    ):
        for name in names:
            yield name, call(name, seconds, most, seed)


def fuzz_in_a_child(name: str, seconds: float, most: int, seed: int) -> Fuzzed:
    """`fuzz`, in a child of this process, so that even the death of an interpreter is a crash that is counted."""
    ended = in_a_child(fuzz, name, seconds, most, seed)
    if ended.signal or ended.failed:
        how = f"ended by signal {ended.signal}" if ended.signal else str(ended.value)
        return Fuzzed(inputs=0, accepted=0, crashes=[how], peak_mb=0)
    found: Fuzzed = ended.value
    return found


def fuzz(name: str, seconds: float, most: int, seed: int) -> Fuzzed:
    """Feed the reader mutated files until time or inputs are used up; each crash's kind is kept once."""
    target = TARGETS[name]
    seeds = target.seeds()
    rng, crashes, inputs, accepted = random.Random(seed), dict[str, str](), 0, 0
    until = time.monotonic() + seconds
    signal.signal(signal.SIGALRM, _too_long)
    for content in seeds:
        target.read(content)  # a whole file is read
    before = _peak()
    while inputs < most and time.monotonic() < until and len(crashes) < 20:
        content = mutated(rng, seeds, target.words)
        inputs += 1
        signal.alarm(SECONDS)
        try:
            target.read(content)
            accepted += 1
        except DOCUMENTED:
            pass
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} in {where.filename.rpartition('/')[2]}:{where.lineno}"
            crashes.setdefault(kind, f"{kind}: {error!s:.100} from {content[:200]!r}")
        finally:
            signal.alarm(0)
        if inputs % 64 == 0 and _peak() > before + MEGABYTES:
            crashes["memory"] = (
                f"memory grew from {before:.0f} to {_peak():.0f} MB, lately by {content[:200]!r}"
            )
            break
    return Fuzzed(inputs=inputs, accepted=accepted, crashes=list(crashes.values()), peak_mb=_peak())


def _too_long(*_: object) -> NoReturn:
    raise TooLongError(f"busy for more than {SECONDS} s")


def _peak() -> float:
    return peak_bytes() / 1e6 if TELLS_PEAKS else 0.0


def mutated(rng: random.Random, seeds: list[bytes], words: tuple[bytes, ...]) -> bytes:
    """A seed with one to six changes: bits, numbers, words, pieces doubled, cut out, or taken from another seed."""
    content = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        # half of the changes near the start, where headers are
        reach = min(len(content), 400) if rng.random() < 0.5 else len(content)
        place = rng.randrange(reach + 1)
        length = rng.choice((1, 2, 4, 8, rng.randrange(1, 200)))
        match rng.randrange(8):
            case 0 if place < len(content):
                content[place] ^= 1 << rng.randrange(8)
            case 1 if place < len(content):
                content[place] = rng.randrange(256)
            case 2:
                width = rng.choice((1, 2, 4, 8))
                order = rng.choice(("little", "big"))
                number = (rng.choice(NUMBERS) % (1 << 8 * width)).to_bytes(width, order)  # type: ignore[arg-type]
                content[place : place + width] = number
            case 3:
                content[place : place + rng.choice((0, 1, length))] = rng.choice(words)
            case 4:
                del content[place : place + length]
            case 5:
                content[place:place] = content[place : place + length] * rng.choice((1, 2, 50))
            case 6:
                other = rng.choice(seeds)
                start = rng.randrange(len(other) + 1)
                content[place : place + length] = other[start : start + length]
            case 7 if rng.random() < 0.3:
                del content[place:]
    return bytes(content)


# The readers


@functools.cache
def _scratch() -> Path:
    return Path(tempfile.mkdtemp(dir=os.getcwd()))


def _in_a_file(read: Callable[[Path], object]) -> Callable[[bytes], object]:
    def write_and_read(content: bytes) -> object:
        path = _scratch() / "fuzz"
        path.write_bytes(content)
        return read(path)

    return write_and_read


def _whole_records() -> list[bytes]:
    path = _scratch() / "seed.sqlite"
    kills.sweep(str(path), 1, 1)
    with Records(path) as records:
        records.put_measurement("key", "kind", "{}", "[1]")
        records.put_sweep("{}")
    return [path.read_bytes()]


def _read_records(path: Path) -> object:
    path.with_name("fuzz-journal").unlink(missing_ok=True)
    with Records(path, mode="r", timeout=0.1) as records:
        return (
            list(records),
            list(records.measurements()),
            records.sweeps(),
            records.export_rows(),
            records.digest(),
        )


def _net() -> FullyConnectedNet:
    return FullyConnectedNet([4], 64, 10, normalization="batchnorm", rng=np.random.RandomState(0))


def _whole_checkpoints() -> list[bytes]:
    path = _scratch() / "seed.safetensors"
    solver = Solver(
        _net(),
        small_sweep.data().as_dict(),
        rng=np.random.RandomState(0),
        num_epochs=1,
        verbose=False,
    )
    solver.train()
    return [solver.save(path).read_bytes()]


def _read_checkpoint(path: Path) -> object:
    """With the right hash: what a liar would write, who knows the format."""
    content = path.read_bytes()
    start = content.find(checkpoints._MARKER) + len(checkpoints._MARKER)
    if start >= len(checkpoints._MARKER) and len(content) >= start + 64:
        path.write_bytes(
            content[:start] + checkpoints._hash_of(content, start).encode() + content[start + 64 :]
        )
    checkpoints.load(path)
    return Solver.resume(path, _net(), small_sweep.data().as_dict(), rng=np.random.RandomState(0))


def _read_frame(content: bytes) -> object:
    position = 0

    def take(count: int) -> bytes:
        nonlocal position
        part = content[position : position + count]
        if len(part) < count:
            raise EOFError
        position += count
        return part

    return framing.read(take)


def _frames() -> list[bytes]:
    values = (
        {"a": np.eye(3), "b": (1, [2.5, None], framing.Kept(3, "x"))},
        [np.float32(2), np.float64],
        "text",
    )
    return [framing.encode(value) for value in values]


def _read_notebook(path: Path) -> object:
    from normlab import notebooks

    return notebooks.read_notebook(path)


def _whole_notebooks() -> list[bytes]:
    cells = [
        {
            "cell_type": "code",
            "source": ["x = 1\n"],
            "metadata": {},
            "outputs": [],
            "execution_count": 1,
            "id": "a",
        },
        {"cell_type": "markdown", "source": "# Title", "metadata": {}, "id": "b"},
    ]
    first = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    third = {
        "worksheets": [{"cells": []}],
        "metadata": {"name": ""},
        "nbformat": 3,
        "nbformat_minor": 0,
    }
    return [json.dumps(first).encode(), json.dumps(third).encode()]


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _json_specs() -> list[bytes]:
    return [RunSpec(NetSpec((20,), "groupnorm", num_groups=4)).to_json().encode()]


def _json_histories() -> list[bytes]:
    return [History((2.3, float("nan")), (0.1, 0.5), (0.1, 0.4), 0.4, True).to_json().encode()]


def _idx_files() -> list[bytes]:
    return [idx.IDX_LABELS, making.gz(idx.IDX_LABELS)]


def _small_batches() -> list[bytes]:
    images, labels = making.images_and_labels(2)
    images[:, 100:] = 0
    pickles = [official.pickled(data=images, labels=labels.tolist())]
    return [making.python2_batch(images, labels), making.binary_batch(images, labels), *pickles]


def _archives() -> list[bytes]:
    tar = making.tar_header(tars.FIRST, 5) + b"hello" + bytes(507 + 1024)
    return [tar, making.gz(tar), making.tar_gz([("other", b"x" * 700), (tars.FIRST, b"hello")])]


_OPCODES = (*(bytes([code]) for code in range(256)), *pickled.EXECUTING.values())

TARGETS: dict[str, Target] = {
    "batch": Target(
        lambda content: cifar10.parse(content, "fuzz", "data_batch_1", 2), _small_batches, _OPCODES
    ),
    "archive": Target(
        _in_a_file(lambda path: list(archives.members(path, {tars.FIRST}, 1000))),
        _archives,
        (
            making.tar_header("../x", 5),
            making.tar_header("x", 40, b"x"),
            tars.pax(path="y"),
            bytes(512),
            b"\x80",
        ),
    ),
    "idx": Target(
        _in_a_file(lambda path: mnist.read_idx(path, (20,))), _idx_files, (b"\x00\x00\x08\x01",)
    ),
    "records": Target(_in_a_file(_read_records), _whole_records, (b"CREATE TABLE", *JSON_WORDS)),
    "checkpoint": Target(
        _in_a_file(_read_checkpoint), _whole_checkpoints, (b'"F64"', b"params/W1", *JSON_WORDS)
    ),
    "run spec": Target(
        lambda content: RunSpec.from_json(_text(content)).key, _json_specs, JSON_WORDS
    ),
    "history": Target(
        lambda content: History.from_json(_text(content)).to_json(), _json_histories, JSON_WORDS
    ),
    "frame": Target(_read_frame, _frames, (framing.MARK, b'"<f8"', b'{"t":[', *JSON_WORDS)),
    "notebook": Target(
        _in_a_file(_read_notebook), _whole_notebooks, (b'"nbformat":3', b'"cells":', *JSON_WORDS)
    ),
}
