"""CIFAR-10: 60,000 colour images of 32×32 pixels in ten classes, in its two official editions.

The binary edition is six files of records, a label byte and 3,072 pixel bytes; the python edition
six pickles, which are read without executing anything (`pickles`). Either lies in its folder,
`cifar-10-batches-bin` or `cifar-10-batches-py`, or still inside the publisher's archive (.tar.gz,
or .tar as browsers unpack it), which is read as a stream and not extracted. Both hold the same
images in the same order: `data_batch_1` to `data_batch_5` with 10,000 training images each,
`test_batch` with 10,000 test images.

Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009;
https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from normlab.data import archives, pickles
from normlab.data.compressed import GZIP_MAGIC, first_bytes, read_whole
from normlab.data.data_set import DataSet, Remote
from normlab.data.labels import check_class_counts, checked_labels
from normlab.data.parts import Chunk, Layout
from normlab.data.pickled_arrays import PickledArray
from normlab.data.searching import folders, has_content, named_files
from normlab.errors import DataError, quoted
from normlab.typing import Array

SHAPE = (3, 32, 32)
BATCH_SIZE = 10_000
BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
FOLDERS = {"cifar-10-batches-bin": ".bin", "cifar-10-batches-py": ""}
_ARCHIVE = re.compile(
    r"cifar-10-(binary|python|batches-bin|batches-py)( ?\(\d+\))?(\.tar)?(\.gz|\.tgz)?( ?\(\d+\))?"
)
_PIXELS = 3072
# The official pickles have 31 MB; Python 3 needs 45 MB for the same in protocol 2.
_LARGEST_BATCH = 48 << 20


def chunks(place: Path) -> Iterator[Chunk]:
    """The six batches in the folder or archive at `place`, in the order in which they lie there.

    Raises DataError, with the file's name, where one is missing, damaged, mislabelled or hostile,
    and at the end where the labels are not 5,000 of each class for training and 1,000 for test:
    then some batch is there twice under two names, or the data are others.
    """
    counts = {"train": np.zeros(10, np.int64), "test": np.zeros(10, np.int64)}
    missing = list(BATCHES)
    for name, where, content in _contents(place):
        if name not in missing:
            raise DataError(f"{place} holds the batch {name} in both editions; keep one")
        missing.remove(name)
        images, labels = parse(content, where, name)
        split = "test" if name == "test_batch" else "train"
        counts[split] += np.bincount(labels, minlength=10)
        first = 0 if split == "test" else BATCHES.index(name) * BATCH_SIZE
        yield Chunk(split, first, images.reshape(-1, *SHAPE), labels)
    if missing:
        raise DataError(f"{place} lacks {', '.join(missing)}")
    check_class_counts(place, "training", counts["train"], [5000] * 10)
    check_class_counts(place, "test", counts["test"], [1000] * 10)


def read_batch(path: Path) -> tuple[Array, Array]:
    """Images (10000, 3072) uint8 and labels (10000,) int64 of one batch file of either edition."""
    if first_bytes(path, 2) == GZIP_MAGIC:
        raise DataError(
            f"{path} is an archive where one batch was expected; load_CIFAR10 reads archives"
        )
    return parse(read_whole(path, _LARGEST_BATCH), str(path), path.name.removesuffix(".bin"))


def parse(
    content: bytes | bytearray, where: str, name: str, count: int = BATCH_SIZE
) -> tuple[Array, Array]:
    """Images (count, 3072) uint8 and labels (count,) int64 from the bytes of one batch file.

    `where` names the file in errors, `name` is the batch that it should be. Raises DataError.
    """
    if content[:1] == b"\x80":
        return _parse_pickle(content, where, name, count)
    return _parse_records(content, where, count)


def _contents(place: Path) -> Iterator[tuple[str, str, bytes | bytearray]]:
    """Name, whereabouts and bytes of each batch file."""
    if place.is_dir():
        suffix = ".bin" if _has_batches(place, ".bin") else ""
        for name in BATCHES:
            path = place / (name + suffix)
            yield name, str(path), read_whole(path, _LARGEST_BATCH)
    else:
        inside = {
            f"{folder}/{name}{end}": name for folder, end in FOLDERS.items() for name in BATCHES
        }
        for member, content in archives.members(place, inside, _LARGEST_BATCH):
            yield inside[member], f"{place}: {member}", content


def _parse_records(content: bytes | bytearray, where: str, count: int) -> tuple[Array, Array]:
    record = 1 + _PIXELS
    if len(content) != count * record:
        raise DataError(
            f"{where} has {len(content):,} bytes; a binary batch has {count * record:,}, {count:,} "
            f"records of a label and {_PIXELS:,} pixels, and a pickled one begins with the byte "
            "0x80"
        )
    records = np.frombuffer(content, np.uint8).reshape(count, record)
    return records[:, 1:], checked_labels(records[:, 0], where)


def _parse_pickle(
    content: bytes | bytearray, where: str, name: str, count: int
) -> tuple[Array, Array]:
    entries = pickles.read(content, where)
    for key in ("data", "labels"):
        if key not in entries:
            has = quoted(list(entries)[:10]) or "nothing"
            raise DataError(
                f"{where} is not a CIFAR-10 batch: it has no entry {key!r}; it has {has}"
            )
    data, labels = entries["data"], entries["labels"]
    if not isinstance(data, PickledArray):
        raise DataError(f"{where} is not a CIFAR-10 batch: its data are not an array of bytes")
    if not (isinstance(labels, list) and all(type(label) is int for label in labels)):
        raise DataError(
            f"{where} is not a CIFAR-10 batch: its labels are not a list of whole numbers"
        )
    images = data.as_array((count, _PIXELS), where)
    if len(labels) != count:
        raise DataError(f"{where} has {len(labels):,} labels for {count:,} images")
    _check_batch_label(entries.get("batch_label"), where, name)
    return images, checked_labels(labels, where)


def _check_batch_label(text: object, where: str, name: str) -> None:
    """Refuse a batch that says of itself that it is another."""
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    said = (
        re.fullmatch(r"(training|testing) batch (\d) of \d", text)
        if isinstance(text, str)
        else None
    )
    if said and name in BATCHES:
        really = "test_batch" if said[1] == "testing" else f"data_batch_{said[2]}"
        if really != name:
            raise DataError(
                f"{where} is mislabelled: by its own batch_label, {text!r}, it is {really}"
            )


def places(root: Path, nested: bool) -> Iterator[Path]:
    """What in `root` looks like CIFAR-10, best first: folders open faster than archives."""
    if root.is_file():
        yield root
        return
    around = [*folders(root, nested)] if nested else [root, *(root / name for name in FOLDERS)]
    yield from (
        folder
        for folder in around
        if any(_has_batches(folder, suffix) for suffix in FOLDERS.values())
    )
    for folder in around:
        yield from named_files(folder, _ARCHIVE)
    # there and without batches: to be named in the error
    yield from (folder for folder in around if folder.name in FOLDERS and folder.is_dir())


def _has_batches(folder: Path, suffix: str) -> bool:
    return any(has_content(folder / f"{name}{suffix}") for name in BATCHES)


CIFAR10 = DataSet(
    name="cifar10",
    title="CIFAR-10 (colour images, 32 × 32 pixels)",
    licence="none stated by its publisher, who asks to be cited",
    classes=(
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
    layout=Layout(SHAPE, 1.0, (49_000, 1_000, 10_000), (1_000, 1_000, 1_000)),
    chunks=chunks,
    places=places,
    looked_for=(
        "cifar-10-batches-bin, cifar-10-batches-py, cifar-10-binary.tar.gz, "
        "cifar-10-python.tar.gz (or .tar)"
    ),
    # The binary edition rather than the pickles: a format that cannot hold a program.
    remotes=(
        Remote(
            "cifar-10-binary.tar.gz",
            "c32a1d4ab5d03f1284b67883e8d87530",
            ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
        ),
    ),
    other_means=(
        "; cifar-10-python.tar.gz (MD5 c58f30108f718f92721af3b95e74349a) from "
        "https://www.cs.toronto.edu/~kriz/cifar.html will do as well"
    ),
)
