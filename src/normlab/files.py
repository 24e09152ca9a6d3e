"""Writing files so that a crash never leaves a broken one."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import uuid
from pathlib import Path

# What a file system answers that cannot force a file or a folder to the disk: CIFS, FUSE, some
# network folders.
_CANNOT_SYNC = {
    errno.EINVAL,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EBADF,
    errno.EACCES,
    errno.EPERM,
    errno.EISDIR,
}


class NotForcedError(OSError):
    """The new content is in its place, but the disk failed to confirm it."""


def write_atomically(path: str | os.PathLike[str], content: bytes) -> Path:
    """Replace the file at `path` by `content`, all or nothing, and return its path.

    The bytes go to a temporary file in the same folder, are forced to the disk, and take the old
    file's place in one step; then the folder is forced to the disk too, where the file system can
    do that. Killed at any instant, the path holds the old content or the new, never a part.

    A link is followed: the file that it names is replaced. The old file's permissions stay. What is
    no regular file (a device, a pipe) is written into and never replaced. Raises OSError (disk
    full, folder missing or read-only), and the old file stays; NotForcedError where the new one is
    already there.

    >>> import tempfile; folder = tempfile.mkdtemp()
    >>> write_atomically(folder + "/note.txt", b"kept").read_bytes()
    b'kept'
    """
    path = Path(path)
    target = Path(os.path.realpath(path))
    old = _status(target)
    if old is not None and not stat.S_ISREG(old.st_mode):
        with open(target, "wb", buffering=0) as special:
            _write_whole(special.fileno(), content)
        return path
    if old is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    temporary = target.with_name(
        f".{uuid.uuid4().hex}.part"
    )  # short: the name itself may have all 255 bytes
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            _force(file.fileno())
            if old is not None:
                _keep_owner_and_mode(file.fileno(), old)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    try:
        _force_folder(target.parent)
    except OSError as error:
        raise NotForcedError(error.errno, error.strerror, str(path)) from error
    return path


def unwritten(path: str | os.PathLike[str], error: OSError) -> str:
    """The sentence for an OSError of `write_atomically`, true of what the path now holds."""
    if isinstance(error, NotForcedError):
        return (
            f"{path} is written, but the disk did not confirm it: {error.strerror or error}. Look "
            "at the disk, and write it again before relying on it"
        )
    return (
        f"{path} cannot be written: {error.strerror or error}. What was there before is untouched; "
        "free space, or name a file in a folder that can be written to"
    )


def _status(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _write_whole(handle: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]


def _keep_owner_and_mode(handle: int, old: os.stat_result) -> None:
    if os.name == "nt":
        return
    if (os.getuid(), os.getgid()) != (old.st_uid, old.st_gid):
        with contextlib.suppress(
            OSError
        ):  # only root may give a file away; it is the writer's then
            os.fchown(handle, old.st_uid, old.st_gid)
    try:
        os.fchmod(handle, stat.S_IMODE(old.st_mode))
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:  # a file system without permissions
            raise


def _force(handle: int) -> None:
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise


def _force_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows has no handle on a folder
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:  # a folder that may be written to and not read, or is gone again
        if error.errno in (*_CANNOT_SYNC, errno.ENOENT):
            return
        raise
    try:
        _force(handle)
    finally:
        os.close(handle)
