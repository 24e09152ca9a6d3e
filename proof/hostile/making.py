"""Writes the files that the readers read, byte by byte, and leaves it to each test what is wrong with them."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
from collections.abc import Iterable, Sequence

import numpy as np

Array = np.ndarray


def images_and_labels(count: int = 20, seed: int = 0) -> tuple[Array, Array]:
    """Random images (count, 3072) uint8 and labels (count,) uint8."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 3072), np.uint8), rng.integers(0, 10, count, np.uint8)


def short(text: str | bytes) -> bytes:
    """SHORT_BINSTRING: Python 2's str of at most 255 bytes."""
    text = text.encode() if isinstance(text, str) else text
    return b"U" + bytes([len(text)]) + text


def long_string(content: bytes) -> bytes:
    """BINSTRING: a longer one."""
    return b"T" + struct.pack("<I", len(content)) + content


def whole(number: int) -> bytes:
    """BININT1, BININT2 or BININT, the shortest that fits, as Python 2 wrote it."""
    if 0 <= number < 256:
        return b"K" + bytes([number])
    return (
        b"M" + struct.pack("<H", number)
        if 0 <= number < 65536
        else b"J" + struct.pack("<i", number)
    )


NUMPY2_DTYPE = (
    b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)


def python2_array(
    shape: Sequence[int], content: bytes, dtype: bytes = NUMPY2_DTYPE, fortran: bool = False
) -> bytes:
    """An array as NumPy under Python 2 pickled it."""
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01"
        + b"".join(whole(length) for length in shape)
        + {1: b"\x85", 2: b"\x86", 3: b"\x87"}[len(shape)]
        + dtype
        + (b"\x88" if fortran else b"\x89")
        + long_string(content)
        + b"tb"
    )


def python2_list(items: Iterable[bytes], first_memo: int) -> bytes:
    """A list in portions of 1,000, each item remembered in the memo, as cPickle wrote lists of texts."""
    items = list(items)
    out = b"]"
    for start in range(0, len(items), 1000):
        out += b"("
        for number, item in enumerate(items[start : start + 1000], first_memo + start):
            out += item + (
                b"q" + bytes([number]) if number < 256 else b"r" + struct.pack("<I", number)
            )
        out += b"e"
    return out


def python2_batch(
    images: Array, labels: Array, batch_label: str = "training batch 1 of 5"
) -> bytes:
    """A batch as the official python edition has it: a Python 2 pickle, protocol 2."""
    label_list = b"](" + b"".join(whole(int(label)) for label in labels) + b"e"
    names = (short(b"image_s_%06d.png" % number) for number in range(len(labels)))
    return (
        b"\x80\x02}q\x01("
        + (short("batch_label") + short(batch_label))
        + (short("labels") + label_list)
        + (short("data") + python2_array(images.shape, images.tobytes()))
        + (short("filenames") + python2_list(names, first_memo=2))
        + b"u."
    )


def binary_batch(images: Array, labels: Array) -> bytes:
    """A batch as the binary edition has it."""
    return np.column_stack([np.asarray(labels, np.uint8), images]).tobytes()


def tar_gz(members: Iterable[tuple[str, bytes]], format: int = tarfile.GNU_FORMAT) -> bytes:
    """A .tar.gz of plain files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1, format=format) as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def tar_header(
    name: str,
    size: int = 0,
    kind: bytes = b"0",
    link: str = "",
    prefix: str = "",
    size_field: bytes = b"",
) -> bytes:
    """One POSIX header block with a right checksum."""
    block = bytearray(512)
    block[0 : len(name)] = name.encode()
    block[100:108] = block[108:116] = block[116:124] = b"0000644\0"
    block[124:136] = size_field or b"%011o\0" % size
    block[136:148] = b"%011o\0" % 0
    block[156:157] = kind
    block[157 : 157 + len(link)] = link.encode()
    block[257:265] = b"ustar\x0000"
    block[345 : 345 + len(prefix)] = prefix.encode()
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def idx(array: Array, magic: bytes | None = None, announced: Sequence[int] | None = None) -> bytes:
    """An IDX file of unsigned bytes."""
    announced = array.shape if announced is None else announced
    head = bytes((0, 0, 8, len(announced))) if magic is None else magic
    return head + struct.pack(f">{len(announced)}I", *announced) + array.astype(np.uint8).tobytes()


def gz(content: bytes) -> bytes:
    """gzip, quickly."""
    return gzip.compress(content, compresslevel=1, mtime=0)
