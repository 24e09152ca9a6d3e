"""How NumPy writes an array of bytes into a pickle, in the forms that exist, as data.

To unpickle such an array one imports a function and calls it. Here a name is looked up in a table
and stands for nothing but its meaning, and a call or a state is compared with the forms known:

    ndarray, protocols 2 to 4   _reconstruct(ndarray, (0,), b"b"), then the state (1, shape, dtype, order, bytes)
    ndarray, protocol 5         _frombuffer(bytes, dtype, shape, order)
    dtype                       dtype("u1", 0, 1), then its state
    bytes, protocol 2           _codecs.encode(text, "latin1"), as Python 3 writes them
"""

from __future__ import annotations

import codecs
import math
from typing import Any

import numpy as np

from normlab.errors import DataError
from normlab.typing import Array

SHORT = 255  # up to this length bytes and texts are copied out of the file, beyond it they are views of it
_PIECE = 1 << 20
_MEANINGS = {
    "numpy.core.multiarray._reconstruct": "an empty array",
    "numpy._core.multiarray._reconstruct": "an empty array",  # since NumPy 2
    "numpy.core.numeric._frombuffer": "an array of bytes",
    "numpy._core.numeric._frombuffer": "an array of bytes",
    "numpy.ndarray": "ndarray",
    "numpy.dtype": "dtype",
    "_codecs.encode": "bytes written as text",
}


class Name:
    """A name of the table, standing for what a pickle would import."""

    def __init__(self, meaning: str) -> None:
        self.meaning = meaning


class LongText:
    """A text too long to decode unasked: its UTF-8 bytes, in the file."""

    def __init__(self, utf8: memoryview) -> None:
        self.utf8 = utf8
        self.encoded: bytearray | None = None  # kept, as a pickle may recall one text 50,000 times


class ByteType:
    """The type of an array's elements: unsigned bytes. Another one is not recognized."""


class PickledArray:
    """An array as the pickle describes it. Nothing of it is believed before `as_array` has checked it."""

    def __init__(self, shape: Any = None, order: str = "C", content: Any = None) -> None:
        self.shape, self.order, self.content = shape, order, content

    def as_array(self, expected: tuple[int, ...], where: str) -> Array:
        """The array, uint8 of the expected shape, a view of the file's bytes. Raises DataError if it is not."""
        if self.shape != expected:
            raise DataError(
                f"{where}: its array has {_described(self.shape)}, expected is {expected}"
            )
        length = len(self.content) if isinstance(self.content, bytes | memoryview) else 0
        if length != math.prod(expected):
            raise DataError(f"{where}: its array of shape {expected} comes with {length:,} bytes")
        return np.frombuffer(self.content, np.uint8).reshape(
            expected, order="F" if self.order == "F" else "C"
        )


def named(module: str, attribute: str) -> Name | None:
    """What the name means, None where a batch has no need of it."""
    meaning = _MEANINGS.get(f"{module}.{attribute}")
    return None if meaning is None else Name(meaning)


def described_by_call(callee: Any, arguments: Any) -> Any:
    """What a call would return: a PickledArray, a ByteType, or bytes; None where the call is another."""
    match callee, arguments:
        case Name(meaning="an empty array"), (Name(meaning="ndarray"), (0,), b"b" | "b"):
            return PickledArray()
        case Name(meaning="an array of bytes"), (content, ByteType(), shape, "C" | "F" as order):
            return PickledArray(shape, order, content)
        case Name(meaning="dtype"), ("u1" | b"u1", 0, 1):
            return ByteType()
        case Name(meaning="bytes written as text"), (str() | LongText() as text, "latin1"):
            return _encoded(text)
    return None


def described_by_state(target: Any, state: Any) -> Any:
    """The target with its state taken over; None where that is not the state of an array of bytes."""
    match target, state:
        case PickledArray(), (1, shape, ByteType(), bool() as by_columns, content):
            target.shape, target.order, target.content = shape, "F" if by_columns else "C", content
            return target
        case ByteType(), (3, "|" | b"|", None, None, None, -1, -1, 0):
            return target
    return None


def _encoded(text: str | LongText) -> bytes | memoryview | None:
    """The bytes that were written as a text of the characters 0 to 255; None where it has others."""
    if isinstance(text, str):
        content = _latin1(memoryview(text.encode()))
        return None if content is None else bytes(content)
    if text.encoded is None:
        text.encoded = _latin1(text.utf8)
    return None if text.encoded is None else memoryview(text.encoded)


def _latin1(utf8: memoryview) -> bytearray | None:
    """In pieces, as a single wide character would make Python store a whole text in four bytes each."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    content = bytearray()
    try:
        for start in range(0, len(utf8), _PIECE):
            piece = decoder.decode(
                bytes(utf8[start : start + _PIECE]), final=start + _PIECE >= len(utf8)
            )
            content += piece.encode("latin-1")
    except UnicodeError:
        return None
    return content


def _described(shape: Any) -> str:
    if (
        isinstance(shape, tuple)
        and len(shape) <= 4
        and all(type(length) is int for length in shape)
    ):
        return f"the shape {shape}"
    return "no shape"
