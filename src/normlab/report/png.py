"""A picture as a PNG file: eight bits a channel, no filter (PNG specification, third edition, W3C 2025)."""

from __future__ import annotations

import base64
import struct
import zlib

from normlab.findings import Picture

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, COLOUR = 0, 2


def png(picture: Picture) -> bytes:
    """The picture's pixels as a PNG file.

    >>> png(Picture("two dots", ((0, 255),)))[:8] == SIGNATURE
    True
    """
    first = picture.pixels[0][0]
    kind = GREY if isinstance(first, int) else COLOUR
    header = struct.pack(">IIBBBBB", len(picture.pixels[0]), len(picture.pixels), 8, kind, 0, 0, 0)
    rows = b"".join(
        b"\0" + bytes(_flat(row)) for row in picture.pixels
    )  # 0: this row is not filtered
    return (
        SIGNATURE
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(rows, level=9))
        + _chunk(b"IEND", b"")
    )


def data_url(picture: Picture) -> str:
    """The PNG file as an address that holds its own content."""
    return "data:image/png;base64," + base64.b64encode(png(picture)).decode("ascii")


def _flat(row: tuple[int | tuple[int, int, int], ...]) -> list[int]:
    return [level for pixel in row for level in (pixel if isinstance(pixel, tuple) else (pixel,))]


def _chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )
