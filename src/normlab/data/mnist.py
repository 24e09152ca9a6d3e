"""MNIST: 70,000 handwritten digits of 28×28 grey pixels, in its four IDX files, plain or gzip-compressed.

An IDX file is a magic number (0x0803 for images, 0x0801 for labels: unsigned bytes in three dimensions or
one), the length of each dimension as four bytes, big end first, and the bytes themselves.

Other data sets use the same four file names (Fashion-MNIST, KMNIST). The number of images of each digit tells
them apart, and a data set is never taken for another.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from normlab.data.compressed import ByteStream
from normlab.data.labels import check_class_counts, checked_labels
from normlab.data.parts import Chunk, Layout
from normlab.errors import DataError
from normlab.typing import Array

SHAPE = (1, 28, 28)
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
# How many of each digit the official files hold, as anyone can count.
_TRAINING_COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
_TEST_COUNTS = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)


def chunks(place: Path) -> Iterator[Chunk]:
    """The training and the test images from the folder at `place`. Raises DataError with the file's name."""
    for split, start, official in (("train", 0, _TRAINING_COUNTS), ("test", 2, _TEST_COUNTS)):
        count = sum(official)
        images = read_idx(file_of(place, FILES[start]), (count, 28, 28))
        path = file_of(place, FILES[start + 1])
        labels = checked_labels(read_idx(path, (count,)), str(path))
        check_class_counts(path, "training" if split == "train" else split, np.bincount(labels, minlength=10), official)
        yield Chunk(split, 0, images.reshape(count, *SHAPE), labels)


# The last 10,000 training images validate, as is usual; the mean image is that of the first 50,000.
LAYOUT = Layout(SHAPE, 1.0, (50_000, 10_000, 10_000), (1_000, 1_000, 1_000), chunks)


def file_of(folder: Path, name: str) -> Path:
    """The file of that name, with or without .gz; the plain path where there is neither."""
    compressed = folder / f"{name}.gz"
    return compressed if compressed.exists() and not (folder / name).exists() else folder / name


def read_idx(path: Path, shape: tuple[int, ...]) -> Array:
    """The IDX file of unsigned bytes at `path`, an array uint8 of exactly this shape.

    Raises DataError for another kind of file, another shape, and fewer or more bytes than the shape needs.
    """
    with ByteStream(path) as stream:
        head = bytes(stream.read(4 + 4 * len(shape)))
        magic = bytes((0, 0, 8, len(shape)))
        if head[:4] != magic:
            what = {3: "IDX images", 1: "IDX labels"}[len(shape)]
            raise DataError(
                f"{path} is not a file of {what}: it begins with {head[:4].hex() or 'nothing'}, not {magic.hex()}"
            )
        if len(head) < 4 + 4 * len(shape):
            raise DataError(f"{path} is truncated: it ends inside its header")
        announced = struct.unpack(f">{len(shape)}I", head[4:])
        if announced != shape:
            raise DataError(f"{path} announces an array of shape {announced}; this file of MNIST has {shape}")
        length = math.prod(shape)
        content = stream.read(length + 1)  # one more than needed: reaches the end, or shows that there is more
    if len(content) != length:
        how = "more than" if len(content) > length else f"{len(content):,} of"
        raise DataError(f"{path} has {how} the {length:,} bytes that its header announces")
    return np.frombuffer(content, np.uint8).reshape(shape)
