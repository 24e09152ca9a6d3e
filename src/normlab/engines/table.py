"""Records of arrays and numbers as one table of whole numbers, for code that was compiled before.

See `interface`, the other side. A field is annotated by one of the names below, or `int` or
`float`.
"""

from __future__ import annotations

import functools
import struct
from typing import Any, TypeAlias

import numpy as np

from normlab.typing import Array

Floats: TypeAlias = Array
"""A flat array of float32."""
Doubles: TypeAlias = Array
"""A flat array of float64."""
Wholes: TypeAlias = Array
"""A flat array of int64."""
Flags: TypeAlias = Array
"""A flat array of Booleans."""

DTYPES = {"Floats": np.float32, "Doubles": np.float64, "Wholes": np.int64, "Flags": np.bool_}


def fields(record: Any) -> dict[str, str]:
    """The fields of a record, and what each is, by its annotation's name."""
    return _fields(record if isinstance(record, type) else type(record))


@functools.cache
def _fields(kind: type) -> dict[str, str]:
    annotations: dict[str, Any] = kind.__annotations__
    return {name: getattr(kind, "__forward_arg__", kind) for name, kind in annotations.items()}


def slots(*records: Any) -> int:
    """How many numbers of a table these records take: types, or values of them."""
    return sum(2 if kind in DTYPES else 1 for record in records for kind in fields(record).values())


def table_of(*records: Any) -> Array:
    """The table of these values of NamedTuples. Their arrays must outlive its use.

    Raises TypeError for an array that is not what its annotation says: compiled code would not
    notice.
    """
    numbers: list[int] = []
    for record in records:
        for (name, kind), value in zip(fields(record).items(), record, strict=True):
            if kind in DTYPES:
                right = value.dtype == DTYPES[kind] and value.ndim == 1
                if not (right and value.flags.c_contiguous and value.flags.writeable):
                    raise TypeError(
                        f"{type(record).__name__}.{name} is {value.dtype} of shape {value.shape}; "
                        f"expected {kind}: flat, contiguous, writeable"
                    )
                numbers += [value.__array_interface__["data"][0], value.size]
            elif kind == "float":
                numbers += struct.unpack("q", struct.pack("d", value))
            else:
                numbers.append(int(value))
    return np.array(numbers, dtype=np.int64)
