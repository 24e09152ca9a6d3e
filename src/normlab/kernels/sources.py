"""What compiled code was compiled from, as one number: the key that keeps Numba's cache from serving what is old.

Numba recompiles a cached function when its own file changes, and is blind to changes of the
functions it calls from other files. So every cached function here has a last parameter that nobody
passes, whose default is the digest of all sources it may have been compiled from: the default is
part of the key under which the cache finds it.
"""

from __future__ import annotations

import contextlib
import pickle
import zlib
from pathlib import Path
from typing import Any

from normlab import lanes


def digest(folder: Path, start: int = 0) -> int:
    """A number that changes with any source file in the folder (and with `start`)."""
    for path in sorted(folder.glob("*.py")):
        start = zlib.crc32(path.read_bytes(), start)
    return start


KERNELS = digest(Path(__file__).parent, zlib.crc32(Path(lanes.__file__).read_bytes()))


def kept(function: Any) -> Any:
    """`numba.njit` with a cache that never stops anybody: what it cannot read is compiled anew, and
    where it cannot write, nothing is kept."""
    from numba import njit

    options = {"error_model": "numpy", "nogil": True}
    try:
        compiled = njit(cache=True, **options)(function)
    except RuntimeError:  # no folder takes a cache: a read-only installation and home
        return njit(**options)(function)
    compiled._cache = _Forgiving(compiled._cache)
    return compiled


class _Forgiving:
    """Numba's cache of one function, whose broken files count as absent."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def load_overload(self, signature: Any, context: Any) -> Any:
        try:
            return self._cache.load_overload(signature, context)
        except Exception:  # whatever pickle makes of a file that is empty, cut or another's
            with contextlib.suppress(Exception):
                self._cache.flush()
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        with contextlib.suppress(OSError, EOFError, pickle.UnpicklingError):
            self._cache.save_overload(signature, result)
