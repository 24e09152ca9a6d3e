"""What lies in folders: the search for a data set, which opens nothing."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path

DEPTH = 4
MOST_FOLDERS = 2_000
# Other data sets with files of the same names.
_OTHERS = re.compile(r"fashion|[ekq]-?mnist|cifar-?100", re.IGNORECASE)
_LIKE_DATA = re.compile(r"cifar|data_batch|mnist|ubyte|idx[13]", re.IGNORECASE)
_MOST_SHOWN = 6


def has_content(path: Path) -> bool:
    """Whether there is a regular file with at least one byte: a broken download often leaves none."""
    try:
        return path.is_file() and path.stat().st_size > 0
    except OSError:
        return False


def folders(root: Path, nested: bool) -> Iterator[Path]:
    """`root` and, where `nested`, the folders below it, the nearest first. Links are not followed."""
    waiting, seen = deque([(root, 0)]), 0
    while waiting:
        folder, depth = waiting.popleft()
        yield folder
        seen += 1
        if nested and depth < DEPTH and seen < MOST_FOLDERS:
            waiting.extend((below, depth + 1) for below in _below(folder, required=depth == 0))


def named_files(folder: Path, pattern: re.Pattern[str]) -> Iterator[Path]:
    """The files in `folder` with content whose whole name matches, in the order of their names."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if pattern.fullmatch(entry.name))
    except OSError:
        return
    for name in names:
        if has_content(folder / name):
            yield folder / name


def seen_instead(root: Path) -> str:
    """What a person sees in the folder: names like those of data first, and which files are empty."""
    if not root.is_dir():
        return ""
    try:
        entries = sorted(
            os.scandir(root), key=lambda each: (not _LIKE_DATA.search(each.name), each.name)
        )
        words = [_described(entry) for entry in entries[:_MOST_SHOWN]]
    except OSError:
        return ""
    if not words:
        return f"{root} is empty"
    more = f" and {len(entries) - len(words)} more" if len(entries) > len(words) else ""
    return f"{root} holds {', '.join(words)}{more}"


def _below(folder: Path, required: bool) -> list[Path]:
    """The folders in a folder. Raises OSError only where `required`: one closed folder hides no other."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        if required:
            raise
        return []
    return [folder / name for name in sorted(names) if name[0] != "." and not _OTHERS.search(name)]


def _described(entry: os.DirEntry[str]) -> str:
    name = entry.name.encode(errors="backslashreplace").decode()
    if entry.is_dir():
        return f"the folder {name!r}"
    return f"{name!r} (0 bytes)" if entry.is_file() and not entry.stat().st_size else f"{name!r}"
