"""The whole corpus: every case with the reader it is for, and the good files that show that the readers do read."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from proof.hostile import idx, making, npz, official, pickled, tars


class Case(NamedTuple):
    """A file by the reader it is for (a name in `reading.READERS`), what is wrong with it, and how it is made."""

    reader: str
    what: str
    make: Callable[[], bytes]
    good: bool = False


def cases(full: bool) -> Iterator[Case]:
    """The corpus; what takes a second to make, such as archives of the official size, only in full."""
    yield from _given(
        "batch", {what: pickled.a_value(value) for what, value in pickled.EXECUTING.items()}
    )
    yield from _given("batch", pickled.BROKEN)
    yield from _given("batch", pickled.BOMBS)
    yield from _given("archive", tars.ARCHIVES)
    yield from _given("idx", idx.IDX_FILES)
    yield from _made("digits", npz.LYING)
    few = (
        "one record short",
        "a record's label is 10",
        "it is batch 2",
        "one label short",
        "flipped bit in the shape",
    )
    lying = official.LYING_BATCHES
    yield from _made("batch", lying if full else {what: lying[what] for what in few})
    yield from _made("batch", official.GOOD_BATCHES, good=True)
    yield from _made("digits", npz.GOOD, good=True)
    yield Case("idx", "20 labels", lambda: making.gz(idx.IDX_LABELS), good=True)
    if full:
        yield from _made("digits", npz.BOMBS)
        yield from _made("archive", official.LYING_ARCHIVES)
        yield from _made("archive", official.GOOD_ARCHIVES, good=True)


def _given(reader: str, contents: Mapping[str, bytes]) -> Iterator[Case]:
    for what, content in contents.items():
        yield Case(reader, what, functools.partial(bytes, content))


def _made(
    reader: str, makers: Mapping[str, Callable[[], bytes]], good: bool = False
) -> Iterator[Case]:
    for what, make in makers.items():
        yield Case(reader, what, make, good)
