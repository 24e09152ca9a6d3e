"""Batches and archives of CIFAR-10's official size that lie: wrong counts, wrong labels, flipped bits, doubled batches.

The images are grey, each with its number in it, so that a whole archive compresses to little.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np

from normlab.typing import Array
from proof.hostile import making
from proof.hostile.tars import FOLDER

COUNT = 10_000
NAMES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")


def images(count: int = COUNT) -> Array:
    """(count, 3072) uint8."""
    array = np.full((count, 3072), 128, np.uint8)
    array[:, 0], array[:, 1] = np.arange(count) // 256, np.arange(count) % 256
    return array


def labels(count: int = COUNT) -> Array:
    """As many of each class."""
    return (np.arange(count) % 10).astype(np.uint8)


def pickled(**changes: object) -> bytes:
    """A batch as a Python 3 program would pickle it, with some entries changed, or None to leave one out."""
    batch: dict[str, object] = {
        "batch_label": "training batch 1 of 5",
        "labels": labels().tolist(),
        "data": images(),
    }
    return pickle.dumps(
        {name: value for name, value in (batch | changes).items() if value is not None}, 2
    )


def flipped(content: bytes, where: bytes, bit: int, offset: int = 0) -> bytes:
    """The content with one bit flipped, `offset` bytes after the first occurrence of `where`."""
    place = content.index(where) + offset
    return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def official() -> bytes:
    """A batch as the official python edition has it."""
    return making.python2_batch(images(), labels())


def one_label_of_ten() -> list[int]:
    """All labels right but the last."""
    return [*labels().tolist()[:-1], 10]


GOOD_BATCHES: dict[str, Callable[[], bytes]] = {
    "a pickled batch": official,
    "a binary batch": lambda: making.binary_batch(images(), labels()),
}
LYING_BATCHES: dict[str, Callable[[], bytes]] = {
    "one record short": lambda: making.binary_batch(images(), labels())[:-3073],
    "one record more": lambda: making.binary_batch(images(COUNT + 1), labels(COUNT + 1)),
    "one byte short": lambda: making.binary_batch(images(), labels())[:-1],
    "one byte more": lambda: making.binary_batch(images(), labels()) + b"\x00",
    "a record's label is 10": lambda: making.binary_batch(images(), np.array(one_label_of_ten())),
    "a label's highest bit flipped": lambda: flipped(
        making.binary_batch(images(), labels()), b"", 7
    ),
    "it is batch 2": lambda: making.python2_batch(images(), labels(), "training batch 2 of 5"),
    "it is the test batch": lambda: making.python2_batch(
        images(), labels(), "testing batch 1 of 1"
    ),
    "one label short": lambda: pickled(labels=labels(COUNT - 1).tolist()),
    "one label more": lambda: pickled(labels=labels(COUNT + 1).tolist()),
    "a label is 10": lambda: pickled(labels=one_label_of_ten()),
    "a label is -1": lambda: pickled(labels=[*labels().tolist()[:-1], -1]),
    "a label is true": lambda: pickled(labels=[*labels().tolist()[:-1], True]),
    "labels are a text": lambda: pickled(labels="0" * COUNT),
    "labels are an array": lambda: pickled(labels=labels()),
    "no labels": lambda: pickled(labels=None),
    "no data": lambda: pickled(data=None),
    "data are a text": lambda: pickled(data="x" * 1000),
    "one image short": lambda: pickled(data=images(COUNT - 1)),
    "one pixel short": lambda: pickled(data=images()[:, :-1]),
    "images of floats": lambda: pickled(data=images(100).astype(np.float32)),
    "flipped bit in the protocol": lambda: flipped(official(), b"\x80\x02", 3, 1),
    "flipped bit in a key": lambda: flipped(official(), b"U\x06labels", 0, 2),
    "flipped bit in a key's length": lambda: flipped(official(), b"U\x06labels", 1, 1),
    "flipped bit in the shape": lambda: flipped(official(), b"M\x10\x27M\x00\x0c\x86", 2, 1),
    "flipped bit in the type": lambda: flipped(official(), b"U\x02u1", 0, 3),
    "flipped bit in the length of the data": lambda: flipped(
        official(), b"T\x00\xc0\xd4\x01", 0, 1
    ),
    "flipped bit in a label": lambda: flipped(official(), b"](K\x00K\x01", 5, 3),
    "flipped bit in the last opcode": lambda: flipped(official(), b"eu.", 0, 2),
}


def archive(
    batches: dict[str, tuple[Array, Array]] | None = None, more: tuple[tuple[str, bytes], ...] = ()
) -> bytes:
    """A whole binary archive: 180 MB, compressed to less than one."""
    batches = batches or dict.fromkeys(NAMES, (images(), labels()))
    members = [
        (f"{FOLDER}/{name}.bin", making.binary_batch(*batch)) for name, batch in batches.items()
    ]
    return making.tar_gz([*members, *more])


def uneven() -> dict[str, tuple[Array, Array]]:
    """The second batch is the first once more, where the labels are sorted: classes 0 and 1 double, 2 and 3 missing."""
    batches = {
        name: (images(), np.full(COUNT, number) * 2 % 10) for number, name in enumerate(NAMES)
    }
    for _, ys in batches.values():
        ys[COUNT // 2 :] += 1
    batches["test_batch"] = images(), labels()
    return batches | {"data_batch_2": batches["data_batch_1"]}


def flipped_in_noise() -> bytes:
    """In the grey images a flipped bit may mean the same pixels, taken from elsewhere; so it strikes among noise."""
    whole = bytearray(archive(more=(("noise", np.random.RandomState(0).bytes(20_000)),)))
    whole[-10_000] ^= 8
    return bytes(whole)


GOOD_ARCHIVES: dict[str, Callable[[], bytes]] = {"a whole archive": archive}
LYING_ARCHIVES: dict[str, Callable[[], bytes]] = {
    "a flipped bit in the compressed data": flipped_in_noise,
    "a flipped bit in the checksum": lambda: (
        (whole := archive())[:-6] + bytes([whole[-6] ^ 1]) + whole[-5:]
    ),
    "the last byte is missing": lambda: archive()[:-1],
    "half of it": lambda: (whole := archive())[: len(whole) // 2],
    "a batch is there twice under two names": lambda: archive(uneven()),
    "the test batch is missing": lambda: archive(dict.fromkeys(NAMES[:-1], (images(), labels()))),
    "both editions": lambda: archive(more=(("cifar-10-batches-py/data_batch_1", b"\x80\x02}."),)),
}
