"""Writing files so that a crash never leaves a broken one."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], content: bytes) -> Path:
    """Replace the file at `path` by `content`, all or nothing, and return its path.

    The bytes go to a temporary file in the same folder, are forced to the disk, and take the old file's
    place in one step; then the folder is forced to the disk too. Killed at any instant, the path holds the
    old content or the new, never a part. Raises OSError (disk full, folder missing or read-only), and the
    old file stays.

    >>> import tempfile; folder = tempfile.mkdtemp()
    >>> write_atomically(folder + "/note.txt", b"kept").read_bytes()
    b'kept'
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return path


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows has no handle on a folder
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
