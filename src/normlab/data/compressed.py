"""Bytes of a file that nobody vouches for, plain or gzip-compressed, within bounds.

A kilobyte of gzip can unfold to gigabytes, and a well-formed stream of empty blocks can keep a
decompressor busy for minutes. So a reader states how much it wants before it gets any, and a stream
that takes much more input than it gives output is refused. Python's own gzip module bounds neither.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import BinaryIO, Self

from normlab.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
_KINDS = {
    b"<": "a web page",
    b"pk\x03\x04": "a zip archive",
    b"\x89png": "a picture",
    b"\x80": "a pickle",
    b"version https://git-lfs": "a pointer of Git LFS",
}
_CHUNK = 1 << 16  # of input
_PIECE = 1 << 20  # of output: what 64 KiB unfold to, up to 64 MiB, is taken in pieces
# Compressed input may run ahead of the output it yields by this much. Real data never does: deflate
# adds at most 5 bytes to a block of 64 KiB.
_HEAD_START = 1 << 20


def open_file(path: Path) -> BinaryIO:
    """The regular file at `path`, opened for reading. Raises DataError, with the reason, where that fails."""
    try:
        if not path.exists():
            raise DataError(f"{path} is missing")
        if not path.is_file():  # a folder, or a pipe or device that might never end
            raise DataError(f"{path} is not a regular file")
        return open(path, "rb")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def first_bytes(path: Path, count: int) -> bytes:
    """The first bytes of the file, by which its kind is known."""
    with open_file(path) as file:
        return _read(file, count, path)


def beginning(head: bytes) -> str:
    """What a file's first bytes say, in words where they are those of another kind of file.

    >>> beginning(b"<!DOCTYPE html>"), beginning(b""), beginning(b"abcd")
    ('begins as a web page does', 'is empty (0 bytes)', 'begins with 61626364')
    """
    if not head:
        return "is empty (0 bytes)"
    for start, what in _KINDS.items():
        if head.lower().lstrip().startswith(start):
            return f"begins as {what} does"
    return f"begins with {head[:4].hex()}"


def read_whole(path: Path, limit: int) -> bytes:
    """The content of a plain file of at most `limit` bytes. Raises DataError for a larger one."""
    with open_file(path) as file:
        content = _read(file, limit + 1, path)
    if len(content) > limit:
        raise DataError(f"{path} is larger than {limit:,} bytes, more than such a file ever has")
    return content


class ByteStream:
    """The bytes of a file from front to back; of a gzip file, those it unfolds to.

    `read(size)` returns `size` bytes, fewer only at the end. Raises DataError for a damaged,
    truncated or padded gzip stream; its checksum is verified when the end is reached.

    >>> import gzip, tempfile
    >>> path = Path(tempfile.mkdtemp(), "greeting.gz")
    >>> _ = path.write_bytes(gzip.compress(b"good morning"))
    >>> with ByteStream(path) as stream:
    ...     print(stream.read(4), stream.read(100))
    bytearray(b'good') bytearray(b' morning')
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open_file(path)
        first = _read(self._file, len(GZIP_MAGIC), path)
        # 16 + MAX_WBITS: a gzip header and trailer around the deflate stream
        self._inflate = zlib.decompressobj(16 + zlib.MAX_WBITS) if first == GZIP_MAGIC else None
        self._waiting = first
        self._taken = self._given = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int) -> bytearray:
        """The next `size` bytes, fewer only at the end."""
        got = bytearray()
        while len(got) < size:
            piece = self._next_piece(min(size - len(got), _PIECE))
            if not piece:
                break
            got += piece
        return got

    def _next_piece(self, most: int) -> bytes:
        """Between 1 and `most` bytes, none at the end."""
        if self._inflate is None:
            return self._next_input(most)
        while not self._inflate.eof:
            given = self._next_input(_CHUNK)
            try:
                piece = self._inflate.decompress(given, most)
            except zlib.error as error:
                raise DataError(
                    f"{self.path} is damaged: its gzip stream does not unfold ({error})"
                ) from error
            self._waiting = self._inflate.unconsumed_tail
            self._account(len(given) - len(self._waiting), len(piece))
            if piece:
                return piece
            if not given and not self._inflate.eof:
                raise DataError(f"{self.path} is truncated: its gzip stream ends too early")
        if self._inflate.unused_data or self._next_input(1):
            raise DataError(f"{self.path} has more bytes after the end of its gzip stream")
        return b""

    def _next_input(self, most: int) -> bytes:
        waiting, self._waiting = self._waiting[:most], self._waiting[most:]
        return waiting or _read(self._file, most, self.path)

    def _account(self, taken: int, given: int) -> None:
        self._taken += taken
        self._given += given
        if self._taken > self._given + _HEAD_START:
            raise DataError(f"{self.path} is a gzip stream of almost nothing but padding")


def _read(file: BinaryIO, size: int, path: Path) -> bytes:
    try:
        return file.read(size)
    except OSError as error:  # a failing disk, a network folder that went away
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
