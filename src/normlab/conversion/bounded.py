"""Reading and writing files of nets: bounded, whole or not at all, in sentences."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import safetensors

from normlab.conversion.errors import ForeignNetError, UnwritableError
from normlab.errors import quoted
from normlab.files import unwritten, write_atomically
from normlab.typing import Array

MOST_BYTES = 2**30
MOST_TENSORS = 10_000
FLOATS = {"F32": "<f4", "F64": "<f8"}
WHOLE = {
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U8": "u1",
}
DTYPES: dict[str, np.dtype[Any]] = {name: np.dtype(each) for name, each in (FLOATS | WHOLE).items()}


def read_whole(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file of at most 1 GiB. Raises ForeignNetError for what is missing, larger, or no file."""
    path = Path(path)
    try:
        if not path.exists():
            raise ForeignNetError(f"there is no file {path}; check its name")
        if not path.is_file():
            raise ForeignNetError(f"{path} is not a file; expected the one file that holds the net")
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ForeignNetError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(content) > MOST_BYTES:
        raise ForeignNetError(
            f"{path} is larger than 1 GiB; no net of fully-connected layers that normlab trains is"
        )
    return content


def write_whole(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write a net's file in one step. Raises UnwritableError."""
    try:
        return write_atomically(path, content)
    except OSError as error:
        raise UnwritableError(unwritten(path, error)) from error


def read_safetensors(content: bytes, name: str) -> tuple[dict[str, Array], dict[str, str]]:
    """Tensors and metadata of a safetensors file's bytes; the arrays are the caller's to change.

    Raises ForeignNetError for what is no safetensors file, and for types that NumPy does not have.
    """
    try:
        entries: list[tuple[str, dict[str, Any]]] = safetensors.deserialize(content)  # type: ignore[no-untyped-call]
        length = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
    except (safetensors.SafetensorError, RecursionError, ValueError) as error:
        raise ForeignNetError(
            f"{name} is not a safetensors file, or a damaged one: {error}"
        ) from error
    if len(entries) > MOST_TENSORS:
        raise ForeignNetError(
            f"{name} holds {len(entries):,} tensors; expected at most {MOST_TENSORS:,}"
        )
    tensors = {}
    for tensor, entry in entries:
        if entry["dtype"] not in DTYPES:
            raise ForeignNetError(
                f"{tensor!r} in {name} has type {entry['dtype']}; expected F32 or F64. A narrower "
                "type converts to F32 without a change: save the net again after .float()"
            )
        flat: Array = np.frombuffer(entry["data"], dtype=DTYPES[str(entry["dtype"])])
        tensors[tensor] = flat.reshape(entry["shape"]).copy()
    return tensors, metadata


def check_floats(tensors: dict[str, Array], counts: tuple[str, ...] = ()) -> None:
    """Refuse tensors of mixed or whole-number types, but for names that end in one of `counts`."""
    floats = {
        name: value for name, value in tensors.items() if not name.endswith(counts or ("\0",))
    }
    types = {str(value.dtype) for value in floats.values()}
    for name, value in floats.items():
        if value.dtype.kind != "f":
            raise ForeignNetError(f"{name!r} has type {value.dtype}; expected float32 or float64")
    if len(types) > 1:
        raise ForeignNetError(
            f"the tensors have types {quoted(sorted(types))}; expected one type for all of them: "
            "convert the net to one before saving it"
        )
