"""The arrays of a file of ours, taken by the names that it must have: none missing, none over, each of its shape."""

from __future__ import annotations

from normlab.conversion.errors import ForeignNetError
from normlab.errors import quoted
from normlab.typing import Array


class HeldArrays:
    """Arrays by name. `take` removes one, and `finish` refuses what is left."""

    def __init__(self, arrays: dict[str, Array], file: str) -> None:
        self._arrays = dict(arrays)
        self._file = file

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def matrix(self, name: str) -> Array:
        """A matrix with at least one number."""
        array = self._take(name)
        if array.ndim != 2 or array.size == 0:
            raise self._wrong(name, array, "a matrix")
        return array

    def vector(self, name: str, width: int) -> Array:
        """One number for each of `width` units."""
        array = self._take(name)
        if array.shape != (width,):
            raise self._wrong(name, array, f"({width},)")
        return array

    def count(self, name: str) -> int:
        """One whole number, of whatever integer type."""
        array = self._take(name)
        if array.size != 1 or array.dtype.kind not in "iu":
            raise self._wrong(name, array, "one whole number")
        return int(array.reshape(()))

    def finish(self) -> None:
        """Refuse arrays that no net with this label has."""
        if self._arrays:
            raise ForeignNetError(
                f"{self._file} holds {quoted(sorted(self._arrays)[:10])}, which the net of its "
                f"label does not have; export the net again"
            )

    def _take(self, name: str) -> Array:
        if name not in self._arrays:
            raise ForeignNetError(
                f"{self._file} lacks {name!r}, which the net of its label has; it holds "
                f"{quoted(sorted(self._arrays)[:10]) or 'nothing more'}. Export the net again"
            )
        return self._arrays.pop(name)

    def _wrong(self, name: str, array: Array, expected: str) -> ForeignNetError:
        return ForeignNetError(
            f"{name!r} in {self._file} has shape {array.shape} and type {array.dtype}; expected "
            f"{expected}"
        )
