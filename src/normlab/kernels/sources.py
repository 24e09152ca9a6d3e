"""What compiled code was compiled from, as one number: the key that keeps Numba's cache from serving what is old.

Numba recompiles a cached function when its own file changes, and is blind to changes of the functions it calls from
other files. So every cached function here has a last parameter that nobody passes, whose default is the digest
of all sources it may have been compiled from: the default is part of the key under which the cache finds it.
"""

from __future__ import annotations

import zlib
from pathlib import Path


def digest(folder: Path, start: int = 0) -> int:
    """A number that changes with any source file in the folder (and with `start`)."""
    for path in sorted(folder.glob("*.py")):
        start = zlib.crc32(path.read_bytes(), start)
    return start


KERNELS = digest(Path(__file__).parent)
