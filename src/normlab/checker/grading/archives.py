"""Archives of a submission, read entry by entry under bounds.

Zip, and tar in its usual compressions.

Nothing is unpacked to the place its name asks for: names are taken apart, and those that climb are
left out.
"""

from __future__ import annotations

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from normlab.checker.child.framing import plain
from normlab.errors import DataError

MAX_ENTRIES = 5000
MAX_REASONS = 50
MAX_BYTES = 64 * 2**20
MAX_FILE = 4 * 2**20
MAX_TAR = 512 * 2**20
READ = (".py", ".ipynb")
TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
UNREAD = {
    ".7z": "7z archives are not read; hand in a zip, a folder or a .py file",
    ".rar": "RAR archives are not read; hand in a zip, a folder or a .py file",
    ".gz": "it is one compressed file; hand in a zip, a folder or a .py file",
    ".pyc": "it is compiled code; hand in the .py file",
}
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, NotImplementedError,
          RuntimeError,
          OSError, EOFError, ValueError, MemoryError, OverflowError)  # fmt: skip


class Collected(NamedTuple):
    """A submission's files by the parts of their path, and a sentence for whatever was left out."""

    files: dict[tuple[str, ...], bytes]
    left_out: list[str]

    def leave_out(self, reason: str) -> None:
        """Say why something was not read.

        Names are the submission's own: nothing in them reaches a terminal.
        """
        if len(self.left_out) < MAX_REASONS:
            self.left_out.append(plain(reason.replace("\n", " ")))

    def add(self, parts: tuple[str, ...], shown: str, content: Callable[[int], bytes]) -> None:
        """Add one file; `content(n)` gives at most n of its bytes.

        Raises DataError beyond the bounds in all.
        """
        if len(self.files) >= MAX_ENTRIES:
            raise DataError(
                f"it has more than {MAX_ENTRIES} Python files, which is more than a submission may "
                "hold"
            )
        if any(len(part.encode("utf-8", "replace")) > 200 for part in parts) or len(shown) > 1000:
            self.leave_out(f"{shown[:80]}… has too long a name")
            return
        try:
            whole = content(MAX_FILE + 1)
        except DAMAGE as error:
            self.leave_out(f"{shown} cannot be read: {getattr(error, 'strerror', None) or error}")
            return
        if len(whole) > MAX_FILE:
            self.leave_out(
                f"{shown} has more than {MAX_FILE >> 20} MiB: more than a submission may hold"
            )
            return
        if len(whole) + sum(map(len, self.files.values())) > MAX_BYTES:
            raise DataError(
                f"it has more than {MAX_BYTES >> 20} MiB of code: more than a submission may hold"
            )
        last = PurePosixPath(parts[-1])
        self.files[(*parts[:-1], last.stem + last.suffix.lower())] = whole


def is_read(name: str) -> bool:
    """Whether a file of this name holds code that is read."""
    return name.lower().endswith(READ)


def is_archive(name: str) -> bool:
    """Whether a file of this name is an archive that can be unpacked."""
    return name.lower().endswith((".zip", *TARS))


def stem(name: str) -> str:
    """The name without what says how it is packed."""
    lower = name.lower()
    for ending in (*TARS, ".zip", *READ, *UNREAD):
        if lower.endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)]
    return name


def why_not(name: str) -> str:
    """Why a file is not read, and what to hand in."""
    ending = PurePosixPath(name).suffix.lower()
    return UNREAD.get(ending, "it is no Python file, notebook, zip or tar")


def unpack(archive: Path) -> Collected:
    """The Python files and notebooks of an archive.

    Raises DataError where it is damaged or beyond the bounds.
    """
    found = Collected({}, [])
    try:
        if archive.name.lower().endswith(".zip"):
            _unzip(archive, found)
        else:
            _untar(archive, found)
    except DataError as error:
        raise DataError(f"{archive.name} is not read: {error}") from error
    except DAMAGE as error:
        raise DataError(
            f"{archive.name} cannot be unpacked: {error or type(error).__name__}"
        ) from error
    return found


def _unzip(archive: Path, found: Collected) -> None:
    with zipfile.ZipFile(archive) as opened:
        entries = opened.infolist()
        if len(entries) > MAX_ENTRIES:
            raise DataError(
                f"the archive has {len(entries)} entries; at most {MAX_ENTRIES} are read"
            )
        for entry in entries:
            if stat.S_ISLNK(entry.external_attr >> 16):
                _leave_link(entry.filename, found)
                continue

            def content(limit: int, entry: zipfile.ZipInfo = entry) -> bytes:
                with opened.open(entry) as stream:
                    return stream.read(limit)

            _add(entry.filename, content, found)


def _untar(archive: Path, found: Collected) -> None:
    with tarfile.open(archive, "r|*") as opened:
        for count, entry in enumerate(opened):
            if count > MAX_ENTRIES or entry.offset_data + entry.size > MAX_TAR:
                raise DataError("the archive unpacks to more than a submission may hold")
            if entry.issym() or entry.islnk():
                _leave_link(entry.name, found)
            elif entry.isfile():

                def content(limit: int, entry: tarfile.TarInfo = entry) -> bytes:
                    stream = opened.extractfile(entry)
                    return b"" if stream is None else stream.read(limit)

                _add(entry.name, content, found)


def _add(name: str, content: Callable[[int], bytes], found: Collected) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if not is_read(path.name) or "__MACOSX" in path.parts or path.name.startswith("._"):
        return
    if path.is_absolute() or any(part == ".." or ":" in part for part in path.parts):
        found.leave_out(f"{name[:80]!r} leads out of the submission")
        return
    if len(path.parts) > 24:
        found.leave_out(f"{name[:80]}… lies too deep")
        return
    parts = tuple("".join(c if c.isprintable() else "_" for c in part) for part in path.parts)
    found.add(parts, "/".join(parts), content)


def _leave_link(name: str, found: Collected) -> None:
    if is_read(name):
        found.leave_out(f"{name[:80]} is a link, and links in archives are not followed")
