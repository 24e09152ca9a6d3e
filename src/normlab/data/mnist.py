"""MNIST: 70,000 handwritten digits of 28×28 grey pixels, in its four IDX files, plain or gzip-compressed, or in
Keras's `mnist.npz`.

An IDX file is a magic number (0x0803 for images, 0x0801 for labels: unsigned bytes in three
dimensions or one), the length of each dimension as four bytes, big end first, and the bytes
themselves.

Other data sets use the same four file names (Fashion-MNIST, KMNIST). The number of images of each
digit tells them apart, and a data set is never taken for another.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from normlab.data.compressed import ByteStream, beginning, open_file
from normlab.data.data_set import DataSet, Remote
from normlab.data.labels import check_class_counts, checked_labels
from normlab.data.parts import Chunk, Layout
from normlab.data.searching import folders, has_content, named_files
from normlab.errors import DataError
from normlab.typing import Array

SHAPE = (1, 28, 28)
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_NPZ = re.compile(r"mnist( ?\(\d+\))?\.npz( ?\(\d+\))?")
_MOST_HEADER = 10_000
# How many of each digit the official files hold, as anyone can count.
_TRAINING_COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
_TEST_COUNTS = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)


def chunks(place: Path) -> Iterator[Chunk]:
    """The training and the test images at `place`, a folder or Keras's file. Raises DataError with the file's name."""
    for split, official in (("train", _TRAINING_COUNTS), ("test", _TEST_COUNTS)):
        count = sum(official)
        if place.is_file():
            images = read_npz(place, f"x_{split}", (count, 28, 28))
            where, stored = place, read_npz(place, f"y_{split}", (count,))
        else:
            start = 0 if split == "train" else 2
            images = read_idx(file_of(place, FILES[start]), (count, 28, 28))
            where = file_of(place, FILES[start + 1])
            stored = read_idx(where, (count,))
        labels = checked_labels(stored, str(where))
        what = "training" if split == "train" else split
        check_class_counts(where, what, np.bincount(labels, minlength=10), official)
        yield Chunk(split, 0, images.reshape(count, *SHAPE), labels)


def file_of(folder: Path, name: str) -> Path:
    """The file of that name that has content: also with .gz, a dot for the last hyphen but one, or " (1)".

    The plain path where there is none, so that the error names it.
    """
    dotted = name.replace("-idx", ".idx")
    for each in (name, f"{name}.gz", dotted, f"{dotted}.gz"):
        if has_content(folder / each):
            return folder / each
    copies = re.compile(rf"({name}|{re.escape(dotted)})( ?\(\d+\))?(\.gz)?( ?\(\d+\))?")
    return next(named_files(folder, copies), folder / name)


def places(root: Path, nested: bool) -> Iterator[Path]:
    """What in `root` looks like MNIST: folders of the four files, then Keras's archive."""
    if root.is_file():
        yield root if root.suffix == ".npz" else root.parent
        return
    usual = [root, root / "mnist", root / "MNIST" / "raw"]
    around = [*usual, *folders(root, nested)] if nested else usual
    yield from (folder for folder in around if has_content(file_of(folder, FILES[0])))
    for folder in around:
        yield from named_files(folder, _NPZ)


def read_npz(path: Path, name: str, shape: tuple[int, ...]) -> Array:
    """The array `name` of unsigned bytes in a NumPy archive, of exactly this shape; nothing in it is unpickled.

    Raises DataError for another kind of file, another type or shape, and for an archive that
    unfolds to more.
    """
    length = math.prod(shape)
    try:
        with (
            open_file(path) as file,
            zipfile.ZipFile(file) as archive,
            archive.open(f"{name}.npy") as member,
        ):
            content = member.read(
                length + _MOST_HEADER + 1
            )  # what it says of its size is not believed
        stream = io.BytesIO(content)
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        found, fortran, dtype = read_header(stream, max_header_size=_MOST_HEADER)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        KeyError,
        NotImplementedError,
        OSError,
        RuntimeError,
        ValueError,
    ) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path} is not Keras's mnist.npz, or a damaged one: {name}: {error}"
        ) from error
    if (found, fortran, dtype) != (shape, False, np.dtype(np.uint8)):
        raise DataError(
            f"{path} has {name} of shape {found} and type {dtype}; MNIST's has {shape} and type "
            "uint8"
        )
    values = content[stream.tell() :]
    if len(values) != length:
        raise DataError(
            f"{path} has {len(values):,} bytes of {name}; its header announces {length:,}"
        )
    return np.frombuffer(values, np.uint8).reshape(shape)


def read_idx(path: Path, shape: tuple[int, ...]) -> Array:
    """The IDX file of unsigned bytes at `path`, an array uint8 of exactly this shape.

    Raises DataError for another kind of file, another shape, and fewer or more bytes than the shape
    needs.
    """
    with ByteStream(path) as stream:
        head = bytes(stream.read(4 + 4 * len(shape)))
        magic = bytes((0, 0, 8, len(shape)))
        if head[:4] != magic:
            what = {3: "IDX images", 1: "IDX labels"}[len(shape)]
            raise DataError(
                f"{path} is not a file of {what}: it {beginning(head)}, not with {magic.hex()}"
            )
        if len(head) < 4 + 4 * len(shape):
            raise DataError(f"{path} is truncated: it ends inside its header")
        announced = struct.unpack(f">{len(shape)}I", head[4:])
        if announced != shape:
            raise DataError(
                f"{path} announces an array of shape {announced}; this file of MNIST has {shape}"
            )
        length = math.prod(shape)
        content = stream.read(
            length + 1
        )  # one more than needed: reaches the end, or shows that there is more
    if len(content) != length:
        how = "more than" if len(content) > length else f"{len(content):,} of"
        raise DataError(f"{path} has {how} the {length:,} bytes that its header announces")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _remote(name: str, md5: str) -> Remote:
    hosts = (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    )
    return Remote(f"{name}.gz", md5, tuple(f"{host}{name}.gz" for host in hosts))


MNIST = DataSet(
    name="mnist",
    title="MNIST (handwritten digits, 28 × 28 pixels)",
    licence="CC BY-SA 3.0, as Keras's documentation says",
    classes=tuple("0123456789"),
    # The last 10,000 training images validate, as is usual; the mean image is that of the first
    # 50,000.
    layout=Layout(SHAPE, 1.0, (50_000, 10_000, 10_000), (1_000, 1_000, 1_000)),
    chunks=chunks,
    places=places,
    looked_for=(
        f"{FILES[0]} (also .gz, or with a dot: {FILES[0].replace('-idx', '.idx')}) and its three "
        f"companions, there, in mnist or in MNIST/raw, or mnist.npz"
    ),
    remotes=(
        _remote(FILES[0], "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        _remote(FILES[1], "d53e105ee54ea40749a09fcbcd1e9432"),
        _remote(FILES[2], "9fb629c4189551a2d022fa330f9573f3"),
        _remote(FILES[3], "ec29112dd5afa0611ce80d1b7f02629c"),
    ),
    folder="mnist",
)
