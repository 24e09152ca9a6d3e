"""The wanted files of a tar archive, plain or gzip-compressed, read as a stream: nothing is extracted.

Python's tarfile reads the format, from a stream with a bound, so that no archive unfolds into all
of the memory. What carries a wanted name must be a plain file, there once, of a size that it may
have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from normlab.data.compressed import ByteStream
from normlab.errors import DataError

if TYPE_CHECKING:
    from tarfile import TarInfo

_LARGEST_ARCHIVE = 320 << 20  # unfolded; CIFAR-10 has 186 MB
_MOST_MEMBERS = 64  # CIFAR-10 has nine
_LARGEST_EXTENDED_HEADER = 1 << 16
_EXTENSIONS = (
    b"x",
    b"g",
    b"X",
    b"L",
    b"K",
    b"S",
)  # pax, Solaris and GNU: what changes the next header


def members(path: Path, wanted: Collection[str], largest: int) -> Iterator[tuple[str, bytes]]:
    """The name and content of each wanted file in the archive at `path`, in the archive's order.

    Names are a folder and a file, as "cifar-10-batches-bin/data_batch_1.bin"; folders around them
    do not matter. Raises DataError for a damaged or truncated archive, and for a wanted file that
    is no plain file, comes twice or is above `largest` bytes. The whole archive is read, so that
    its checksum is verified.
    """
    import tarfile

    class Header(tarfile.TarInfo):
        """A header whose extension, which tarfile reads into memory, is of a reasonable size."""

        @classmethod
        def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
            header = super().frombuf(buf, encoding, errors)
            if header.type in _EXTENSIONS and header.size > _LARGEST_EXTENDED_HEADER:
                raise DataError(f"{path}: an extended header claims {header.size:,} bytes")
            return header

    seen: set[str] = set()
    with ByteStream(path) as unbounded:
        stream = _Bounded(unbounded, path)
        try:
            with tarfile.open(fileobj=cast(Any, stream), mode="r|", tarinfo=Header) as archive:
                for count, member in enumerate(archive):
                    if count >= _MOST_MEMBERS:
                        raise DataError(
                            f"{path} holds more than {_MOST_MEMBERS} members; CIFAR-10 has nine"
                        )
                    name = "/".join(member.name.split("/")[-2:])
                    if name not in wanted or member.isdir():
                        continue
                    _check(path, member, name in seen, largest)
                    seen.add(name)
                    file = archive.extractfile(member)
                    content = b"" if file is None else file.read()
                    if len(content) != member.size:
                        raise DataError(
                            f"{path} is truncated: the archive ends inside {member.name}"
                        )
                    yield name, content
        except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{path} is truncated, damaged, or no tar archive: {error}") from error
        while stream.read(1 << 16):  # to the end, where the checksum is
            pass


def _check(path: Path, member: TarInfo, again: bool, largest: int) -> None:
    if again:
        raise DataError(f"{path} holds {member.name} twice")
    if not member.isreg() or member.issparse():
        raise DataError(
            f"{path}: the member {member.name!r} is a link, a device or sparse; only plain files "
            "are read"
        )
    if member.size > largest:
        raise DataError(
            f"{path}: {member.name} claims {member.size:,} bytes, and such a file has at most "
            f"{largest:,}"
        )


class _Bounded:
    """The file object that tarfile reads from. Raises DataError where the archive unfolds to too much."""

    def __init__(self, stream: ByteStream, path: Path) -> None:
        self._stream, self._path = stream, path
        self._left = _LARGEST_ARCHIVE

    def read(self, size: int) -> bytes:
        content = bytes(self._stream.read(min(size, self._left + 1)))
        self._left -= len(content)
        if self._left < 0:
            raise DataError(
                f"{self._path} unfolds to more than {_LARGEST_ARCHIVE:,} bytes; CIFAR-10 does not"
            )
        return content
