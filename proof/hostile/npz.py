"""The embedded digits, damaged: a part of the package that a failing disk or a careless hand has changed."""

from __future__ import annotations

import functools
import io
import zipfile
from collections.abc import Callable

import numpy as np

from normlab.data.digits import PLACE


def digits() -> bytes:
    """The file as it is shipped."""
    return PLACE.read_bytes()


def flipped(place: float) -> bytes:
    """One bit flipped, that far into the file."""
    content = bytearray(digits())
    content[int(place * len(content))] ^= 4
    return bytes(content)


def objects() -> bytes:
    """Arrays of objects, which NumPy keeps as pickles."""
    out = io.BytesIO()
    np.savez(out, images=np.array([len, print], object), labels=np.zeros(2), order=np.zeros(2))
    return out.getvalue()


def bomb() -> bytes:
    """400 MB of zeros in 400 kB, as an array's content."""
    out = io.BytesIO()
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "|u1", "fortran_order": False, "shape": (400 << 20,)}
    )
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("images.npy", "w") as member,
    ):
        member.write(head.getvalue())
        for _ in range(400):
            member.write(bytes(1 << 20))
    return out.getvalue()


def announced() -> bytes:
    """An array that announces 4 GB and has eight bytes."""
    out, head = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "|u1", "fortran_order": False, "shape": (4 << 30,)}
    )
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("images.npy", head.getvalue() + bytes(8))
    return out.getvalue()


GOOD: dict[str, Callable[[], bytes]] = {"the digits": digits}
LYING: dict[str, Callable[[], bytes]] = {
    "empty": bytes,
    "half of it": lambda: digits()[: len(digits()) // 2],
    "the last byte is missing": lambda: digits()[:-1],
    **{
        f"a flipped bit at {place:.0%}": functools.partial(flipped, place)
        for place in (0.0, 0.001, 0.3, 0.9, 0.9999)
    },
    "arrays of objects": objects,
    "announces 4 GB": announced,
    "a pickle": lambda: b"\x80\x02cos\nsystem\nU\x0etouch executed\x85R.",
}
BOMBS: dict[str, Callable[[], bytes]] = {"400 MB of zeros": bomb}
