"""Submissions as they are handed in: folders, zips, single files."""

from __future__ import annotations

import re
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from normlab.errors import DataError

MAX_ENTRIES = 5000
MAX_BYTES = 64 * 2**20
MAX_FILE = 4 * 2**20


class Submission(NamedTuple):
    """One submission: a name that is safe as a file's name, and where it lies."""

    name: str
    path: Path


def find(folder: Path) -> list[Submission]:
    """Every submission in a folder: its sub-folders, zips and Python files, by name."""
    if not folder.is_dir():
        raise DataError(f"{str(folder)!r} is no folder; give the folder that holds the submissions")
    found: dict[str, Submission] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__")) or path.is_symlink():
            continue
        if path.is_dir() or path.suffix in (".zip", ".py"):
            base = re.sub(r"[^\w.-]", "_", path.stem if path.is_file() else path.name)[:100] or "submission"
            name, count = base, 2
            while name in found:
                name, count = f"{base}_{count}", count + 1
            found[name] = Submission(name, path)
    if not found:
        raise DataError(f"{str(folder)!r} holds no submissions: no folders, zips or Python files")
    return list(found.values())


def unpack(archive: Path, target: Path) -> None:
    """The Python files of a zip, written below a fresh folder: no links, no paths that climb, bounded in all.

    Raises DataError where the archive is damaged or beyond the bounds.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            left = MAX_BYTES
            for entry, parts in _entries(opened):
                with opened.open(entry) as stream:
                    content = stream.read(min(left, MAX_FILE) + 1)
                left -= len(content)
                if left < 0 or len(content) > MAX_FILE:
                    raise DataError(f"{archive.name} unpacks to more than a submission may hold")
                place = target.joinpath(*parts)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{archive.name} cannot be unpacked: {error}") from error


def _entries(opened: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, tuple[str, ...]]]:
    entries = opened.infolist()
    if len(entries) > MAX_ENTRIES:
        raise DataError(f"the archive has {len(entries)} entries; at most {MAX_ENTRIES} are read")
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        is_link = stat.S_ISLNK(entry.external_attr >> 16)
        if path.suffix != ".py" or is_link or "__MACOSX" in path.parts:
            continue
        if path.is_absolute() or any(part == ".." or ":" in part for part in path.parts):
            continue
        yield entry, path.parts
