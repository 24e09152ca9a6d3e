"""Frames on a pipe: values and raw arrays, with every length known before a byte is taken.

A frame is the mark `NLF1`, the length of a header (4 bytes, little endian), the header as JSON, and
the bytes of its arrays one after another. The header holds a tree of plain values and the exact
dtype and shape of each array. Nothing is ever unpickled, and a reader never allocates what a header
merely claims beyond `MAX_BYTES`.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

MARK = b"NLF1"
MAX_HEADER = 4 * 2**20
MAX_ARRAYS = 4096
MAX_BYTES = 256 * 2**20
MAX_DEPTH = 24
FLOATS = {"float32": np.float32, "float64": np.float64}
DTYPES = (
    "|b1",
    "|i1",
    "|u1",
    "<i2",
    "<u2",
    "<i4",
    "<u4",
    "<i8",
    "<u8",
    "<f2",
    "<f4",
    "<f8",
    "<c8",
    "<c16",
)


UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

# bytes of a header in which one of these could hide: all that is not plain ASCII, and its escapes
ODD = re.compile(rb"[^\x20-\x7e]|\\[ubfr]")


class FrameError(Exception):
    """Bytes that are not a frame, or a frame beyond the limits."""


class Kept(NamedTuple):
    """An object that stays in the child: a cache, a net.

    Only its number and the name of its type travel.
    """

    number: int
    kind: str


class Opaque(NamedTuple):
    """A value that cannot travel and was not kept: only the name of its type does."""

    kind: str


def encode(value: Any) -> bytes:
    """One frame for a tree of plain values, arrays, containers, `Kept` and `Opaque`."""
    arrays: list[np.ndarray] = []
    tree = _to_tree(value, arrays, 0)
    described = [[array.dtype.str, list(array.shape)] for array in arrays]
    header = json.dumps({"tree": tree, "arrays": described}).encode()
    if (
        len(header) > MAX_HEADER
        or len(arrays) > MAX_ARRAYS
        or sum(array.nbytes for array in arrays) > MAX_BYTES
    ):
        raise FrameError("the value is larger than a frame may be")
    body = b"".join(array.tobytes() for array in arrays)
    return MARK + struct.pack("<I", len(header)) + header + body


def read(take: Callable[[int], bytes], *, strip: bool = False) -> Any:
    """The value of the next frame; `take(n)` gives exactly n bytes.

    Raises FrameError for anything else.

    `strip` takes out of every text what would act on a terminal or cannot be written: the parent
    reads so.
    """
    start = take(8)
    if start[:4] != MARK:
        raise FrameError("these bytes are not a frame")
    (length,) = struct.unpack("<I", start[4:])
    if length > MAX_HEADER:
        raise FrameError(f"a header of {length} bytes is longer than {MAX_HEADER}")
    try:
        content = take(length)
        header = json.loads(content)
        described, tree = header["arrays"], header["tree"]
        sizes = [_size(dtype, shape) for dtype, shape in described]
    except FrameError:
        raise
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FrameError(f"the header of a frame cannot be read: {error}") from None
    if len(sizes) > MAX_ARRAYS or sum(sizes) > MAX_BYTES:
        raise FrameError("a frame claims more arrays or bytes than are allowed")
    arrays = [
        np.frombuffer(take(size), dtype).reshape(shape).copy()
        for (dtype, shape), size in zip(described, sizes, strict=True)
    ]
    try:
        odd = strip and ODD.search(content) is not None
        return _from_tree(_stripped(tree, 0) if odd else tree, arrays, 0)
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise FrameError(f"the tree of a frame cannot be read: {error}") from None


def _size(dtype: Any, shape: Any) -> int:
    if dtype not in DTYPES:
        raise FrameError(f"arrays of dtype {str(dtype)[:40]} do not travel")
    if not (
        isinstance(shape, list)
        and len(shape) <= 16
        and all(type(n) is int and 0 <= n <= MAX_BYTES for n in shape)
    ):
        raise FrameError("an array's shape is not a list of small whole numbers")
    return int(math.prod(shape) * np.dtype(dtype).itemsize)


def _to_tree(value: Any, arrays: list[np.ndarray], depth: int) -> Any:
    if depth > MAX_DEPTH:
        return {"o": "something nested too deeply"}
    if value is None or isinstance(value, (bool, float)):
        return bool(value) if isinstance(value, bool) else value if value is None else float(value)
    if isinstance(value, int):
        return int(value) if abs(value) < 2**63 else {"o": "a huge integer"}
    if isinstance(value, str):
        return str(value[:20_000])
    if isinstance(value, Kept):
        return {"h": [value.number, value.kind]}
    if isinstance(value, Opaque):
        return {"o": value.kind}
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.ascontiguousarray(value).reshape(np.shape(value))
        if array.dtype.str not in DTYPES:
            return {"o": f"an array of dtype {array.dtype}"}
        arrays.append(array)
        return {"a" if isinstance(value, np.ndarray) else "s": len(arrays) - 1}
    if isinstance(value, type) and value.__name__ in FLOATS:
        return {"n": value.__name__}
    if isinstance(value, tuple):
        return {"t": [_to_tree(item, arrays, depth + 1) for item in value]}
    if isinstance(value, list):
        return {"l": [_to_tree(item, arrays, depth + 1) for item in value]}
    if isinstance(value, dict):
        return {
            "d": [
                [str(key)[:200], _to_tree(item, arrays, depth + 1)] for key, item in value.items()
            ]
        }
    return {"o": type(value).__name__}


def _from_tree(tree: Any, arrays: list[np.ndarray], depth: int) -> Any:
    if depth > MAX_DEPTH + 2:
        raise ValueError("nested too deeply")
    if not isinstance(tree, dict):
        if isinstance(tree, list):
            raise ValueError("a bare list")
        return tree
    ((tag, content),) = tree.items()
    if tag == "a":
        return arrays[_index(content)]
    if tag == "s":
        return arrays[_index(content)][()]
    if tag == "h":
        number, kind = content
        return Kept(int(number), str(kind))
    if tag == "o":
        return Opaque(str(content))
    if tag == "n":
        return FLOATS[content]
    if tag in ("t", "l"):
        items = [_from_tree(item, arrays, depth + 1) for item in content]
        return tuple(items) if tag == "t" else items
    if tag == "d":
        return {str(key): _from_tree(item, arrays, depth + 1) for key, item in content}
    raise ValueError(f"unknown tag {tag!r}")


def plain(text: str) -> str:
    """The text without control characters, half surrogates, and marks that turn its direction."""
    return UNPRINTABLE.sub("\ufffd", text)


def _stripped(tree: Any, depth: int) -> Any:
    """The tree with every text plain."""
    if depth > 3 * MAX_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(tree, str):
        return plain(tree)
    if isinstance(tree, list):
        return [_stripped(item, depth + 1) for item in tree]
    if isinstance(tree, dict):
        return {plain(key): _stripped(item, depth + 1) for key, item in tree.items()}
    return tree


def _index(content: Any) -> int:
    if type(content) is not int or content < 0:
        raise ValueError("an array's number is not a whole number")
    return content
