"""Submissions as they are handed in.

Every entry of a folder, and the Python files and notebooks in each.

Whatever an entry is called and whatever it holds, it becomes a `Submission` or a sentence that says
why not. Folders and archives are read under the same bounds, and nothing is followed out of a
submission.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from normlab.checker.grading import archives
from normlab.checker.grading.archives import MAX_ENTRIES, Collected
from normlab.errors import DataError

MAX_DEPTH = 24
MAX_ARCHIVE = 256 * 2**20  # the bytes of a packed file that tell it from another
MAX_NAME = 120  # bytes of a submission's name: a file's name may have 255, and records add to it
SYSTEM = {".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX", "__pycache__", ".git",
          ".gitignore", ".gitattributes",
          ".ipynb_checkpoints", ".directory", ".localized", ".Spotlight-V100",
          ".Trashes"}  # fmt: skip


class Submission(NamedTuple):
    """One submission: a name that is safe as a file's name, and where it lies."""

    name: str
    path: Path


def find(folder: Path, leave_out: Collection[Path] = ()) -> list[Submission]:
    """Every entry of a folder, by name.

    Each is a submission, whatever it is, except what systems leave behind.

    `leave_out` are entries that are known to be none: the results' own folder, the rubric.
    """
    if not folder.is_dir():
        raise DataError(f"{str(folder)!r} is no folder; give the folder that holds the submissions")
    apart = {path.resolve() for path in leave_out}
    found, used = [], set()
    for path in sorted(folder.iterdir()):
        if path.name in SYSTEM or path.name.startswith("._"):
            continue
        if not path.is_symlink() and path.resolve() in apart:
            continue
        base = safe_name(path.name if _kind(path) == "folder" else archives.stem(path.name))
        name, count = base, 2
        while name.casefold() in used:  # some file systems take Anna and anna for one
            name, count = f"{base}_{count}", count + 1
        used.add(name.casefold())
        found.append(Submission(name, path))
    if not found:
        raise DataError(f"{str(folder)!r} holds no submissions: it is empty")
    return found


def safe_name(name: str) -> str:
    """A name that every file system takes: letters, digits, dots and dashes, of bounded length."""
    plain = (
        re.sub(r"[^\w.-]", "_", name)
        .encode("utf-8", "replace")[:MAX_NAME]
        .decode("utf-8", "ignore")
    )
    return re.sub(r"^\.+", "_", plain) or "submission"


def collect(path: Path) -> Collected:
    """The Python files and notebooks of a submission, within bounds; what is left out is said.

    Raises DataError, with the reason, for an entry of which nothing can be read.
    """
    kind = _kind(path)
    name = _told(path.name)
    if kind == "link":
        raise DataError(
            f"{name} is a link, and links are not followed: put the submission itself there"
        )
    if kind == "other":
        raise DataError(f"{name} is neither a file nor a folder")
    if kind == "folder":
        found = Collected({}, [])
        _walk(path, found)
        if not found.files:
            _unpack_inner(path, found)
        return found
    if archives.is_archive(path.name):
        return archives.unpack(path)
    if not archives.is_read(path.name):
        raise DataError(f"{name} is not read: {archives.why_not(path.name)}")
    found = Collected({}, [])
    found.add((_part(path.name),), name, partial(_content, path))
    if not found.files:
        raise DataError(found.left_out[0])
    return found


def digest(path: Path) -> str:
    """SHA-256 of what `collect` would read.

    Archives count by their bytes: nothing is unpacked here.
    """
    hasher = hashlib.sha256()
    try:
        kind = _kind(path)
        if kind == "folder":
            found = Collected({}, [])
            _walk(path, found)
            for parts, content in sorted(found.files.items()):
                hasher.update(repr((parts, len(content))).encode() + content)
            hasher.update(repr(found.left_out).encode())
            archived = (
                []
                if found.files
                else [p for p in sorted(path.iterdir()) if archives.is_archive(p.name)]
            )
        else:
            archived = [path] if kind == "file" else []
        for file in archived:
            if _kind(file) == "file":
                hasher.update(
                    repr((file.name, file.stat().st_size)).encode() + _content(file, MAX_ARCHIVE)
                )
    except (
        Exception
    ) as error:  # whatever it is, it is a finding of this submission, made when it is judged
        hasher.update(repr(error).encode())
    return hasher.hexdigest()


def write(found: Collected, target: Path) -> None:
    """A copy of its own for a submission, below a fresh folder."""
    for parts, content in found.files.items():
        place = target.joinpath(*parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def _walk(root: Path, found: Collected) -> None:
    """Add a folder's files. A stack of its own, so that no depth of folders ends this program."""
    whole = os.path.realpath(root)
    waiting: list[tuple[str, tuple[str, ...]]] = [(os.fspath(root), ())]
    seen = 0
    while waiting:
        folder, parts = waiting.pop()
        for entry in _entries(folder, found):
            seen += 1
            if seen > 10 * MAX_ENTRIES:
                found.leave_out(f"more than {10 * MAX_ENTRIES} entries: the rest is not read")
                return
            here = (*parts, _part(entry.name))
            shown = "/".join(here)
            where = entry.path
            if entry.is_symlink():
                where = os.path.realpath(entry.path)
                if not archives.is_read(entry.name) and not os.path.isdir(where):
                    continue
                if os.path.commonpath([whole, where]) != whole:
                    found.leave_out(f"{shown} is a link that leads out of the submission")
                    continue
                if not os.path.isfile(where):
                    found.leave_out(f"{shown} is a link to no file")
                    continue
            elif entry.is_dir(follow_symlinks=False):
                if entry.name in SYSTEM:
                    continue
                if len(here) > MAX_DEPTH:
                    found.leave_out(f"{shown[:80]}… lies more than {MAX_DEPTH} folders deep")
                else:
                    waiting.append((entry.path, here))
                continue
            if archives.is_read(entry.name) and not entry.name.startswith("._"):
                found.add(here, shown, partial(_content, Path(where)))
            elif archives.is_archive(entry.name) and parts:
                found.leave_out(f"{shown} is an archive inside the submission")


def _unpack_inner(root: Path, found: Collected) -> None:
    """A folder that holds nothing but archives, as learning platforms hand them over.

    Those are read.
    """
    for entry in _entries(os.fspath(root), found):
        if archives.is_archive(entry.name) and not entry.is_symlink():
            try:
                inner = archives.unpack(Path(entry.path))
            except DataError as error:
                found.leave_out(str(error))
                continue
            for parts, content in inner.files.items():
                found.add((_part(entry.name), *parts), "/".join(parts), partial(_head, content))
            for reason in inner.left_out:
                found.leave_out(reason)
        elif entry.is_file(follow_symlinks=False) and not archives.is_read(entry.name):
            found.leave_out(f"{_told(entry.name)} is not read: {archives.why_not(entry.name)}")


def _entries(folder: str, found: Collected) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        found.leave_out(
            f"the folder {_told(os.path.basename(folder))} cannot be read: {error.strerror}"
        )


def _content(path: Path, limit: int) -> bytes:
    """At most `limit` bytes of a plain file.

    A pipe or device that has taken its place is never waited for.
    """
    flags = (
        os.O_RDONLY
        | getattr(os, "O_NONBLOCK", 0)
        | getattr(os, "O_NOFOLLOW", 0)
        | getattr(os, "O_BINARY", 0)
    )
    with open(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "it is no plain file")
        return file.read(limit)


def _head(content: bytes, limit: int) -> bytes:
    return content[:limit]


def _kind(path: Path) -> str:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return "link"
    return "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "other"


def _part(name: str) -> str:
    """A part of a path as the copy has it: bytes that are no text become underscores."""
    return re.sub("[\x00-\x1f\x7f\ud800-\udfff]", "_", name)


def _told(name: str) -> str:
    return repr(_part(name)[:120])
