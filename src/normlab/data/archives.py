"""The wanted files of a .tar.gz, read as a stream: nothing is ever extracted.

Of the tar format only what the CIFAR-10 archives use is understood: regular files, folders, and extended
headers that carry times and the like. Whatever could make one name mean two things is refused: links,
devices, names that climb or start at the root, extended headers that rename or resize a member, a member
that comes twice. Python's tarfile is not used, because it reads an extended header of any size into memory.

The format is POSIX.1-2017's `ustar` and `pax`: blocks of 512 bytes, a header before each member.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from normlab.data.compressed import ByteStream
from normlab.errors import DataError

_BLOCK = 512
_LARGEST_ARCHIVE = 320 << 20  # unfolded; CIFAR-10 has 186 MB
_MOST_MEMBERS = 64  # CIFAR-10 has nine
_LARGEST_EXTENDED_HEADER = 1 << 16
_REGULAR, _FOLDER, _EXTENDED = b"0\0", b"5", b"xg"
_REFUSED_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a pipe",
    b"L": "a name of more than 100 characters",
    b"K": "a link of more than 100 characters",
    b"S": "a sparse file",
}


class _Header(NamedTuple):
    name: str
    kind: bytes
    size: int


def members(path: Path, wanted: Collection[str], largest: int) -> Iterator[tuple[str, bytearray]]:
    """The name and content of each wanted file in the archive at `path`, in the archive's order.

    Names are those inside the archive, as "cifar-10-batches-bin/data_batch_1.bin". Raises DataError for a
    damaged or truncated archive, for a wanted file above `largest` bytes, and for every construct that has
    no business in a data archive. The whole archive is read, so that its checksum is verified.
    """
    seen: set[str] = set()
    with ByteStream(path) as stream:
        tar = _Tar(stream)
        for header in tar.headers():
            if header.kind in _EXTENDED:
                tar.check_extended_header(header)
            elif header.name not in wanted or header.kind == _FOLDER:
                tar.skip(header.size)
            else:
                _check_wanted(path, header, seen, largest)
                yield header.name, tar.content(header.size)


def _check_wanted(path: Path, header: _Header, seen: set[str], largest: int) -> None:
    if header.name in seen:
        raise DataError(f"{path} holds {header.name} twice")
    if header.size > largest:
        raise DataError(f"{path}: {header.name} claims {header.size:,} bytes, and such a file has at most {largest:,}")
    seen.add(header.name)


class _Tar:
    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self.path = stream.path
        self.remaining = _LARGEST_ARCHIVE

    def headers(self) -> Iterator[_Header]:
        """Each member's header; the caller reads or skips its content before asking for the next."""
        for _ in range(_MOST_MEMBERS):
            block = self._read(_BLOCK)
            if not any(block):  # the end is a block of zeros; what follows fills up the tape's record
                return self._read_to_end()
            yield self._header(block)
        raise DataError(f"{self.path} holds more than {_MOST_MEMBERS} members; CIFAR-10 has nine")

    def content(self, size: int) -> bytearray:
        """The member's `size` bytes, without the padding to whole blocks."""
        content = self._read(size)
        self._read(-size % _BLOCK)
        return content

    def skip(self, size: int) -> None:
        """Read over a member, a little at a time."""
        left = size + -size % _BLOCK
        while left:
            left -= len(self._read(min(left, 1 << 16)))

    def check_extended_header(self, header: _Header) -> None:
        """Refuse an extended header that changes what the next member is."""
        if header.size > _LARGEST_EXTENDED_HEADER:
            raise DataError(f"{self.path}: an extended header claims {header.size:,} bytes")
        keys = re.findall(rb"(?:^|\n)\d+ ([^=\n]*)=", self.content(header.size))
        for key in keys:
            if key in (b"path", b"linkpath", b"size") or key.startswith(b"GNU.sparse"):
                raise DataError(f"{self.path}: an extended header changes a member's {key.decode()}; refused")

    def _header(self, block: bytearray) -> _Header:
        name = _text(block[0:100])
        if block[257:262] == b"ustar" and block[262:263] == b"\0":  # POSIX: a long name's first part is apart
            name = "/".join(filter(None, (_text(block[345:500]), name)))
        name = name.removeprefix("./")
        kind = bytes(block[156:157])
        # the checksum counts its own eight bytes as spaces
        if self._octal(block[148:156]) != sum(block) - sum(block[148:156]) + 8 * ord(" "):
            raise DataError(f"{self.path} is damaged, or no tar archive: a header's checksum is wrong")
        if kind not in _REGULAR and kind != _FOLDER and kind not in _EXTENDED:
            what = _REFUSED_KINDS.get(kind, f"of unknown kind {kind!r}")
            raise DataError(f"{self.path}: the member {name!r} is {what}; only plain files are read")
        if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name):
            raise DataError(f"{self.path}: the member {name!r} points outside the archive; refused")
        return _Header(name, kind, self._octal(block[124:136]))

    def _octal(self, digits: bytearray) -> int:
        text = digits.strip(b" \0") or b"0"
        if not re.fullmatch(rb"[0-7]+", text):
            raise DataError(f"{self.path} is damaged, or no tar archive: {bytes(digits)!r} is not an octal number")
        return int(text, 8)

    def _read(self, size: int) -> bytearray:
        if size > self.remaining:
            raise DataError(f"{self.path} unfolds to more than {_LARGEST_ARCHIVE:,} bytes; CIFAR-10 does not")
        content = self.stream.read(size)
        self.remaining -= size
        if len(content) < size:
            raise DataError(f"{self.path} is truncated: the archive ends too early")
        return content

    def _read_to_end(self) -> None:
        while rest := self.stream.read(min(1 << 16, self.remaining + 1)):
            self.remaining -= len(rest)
            if self.remaining < 0:
                raise DataError(f"{self.path} unfolds to more than {_LARGEST_ARCHIVE:,} bytes")


def _text(field: bytearray) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "backslashreplace")
