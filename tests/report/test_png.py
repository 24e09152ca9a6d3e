"""Pictures as PNG files, read back by an independent decoder."""

from __future__ import annotations

import struct
import zlib

import pytest

from normlab.findings import Picture
from normlab.report.png import data_url, png


def decoded(content: bytes) -> tuple[int, int, list[list[int]]]:
    """Width, height and rows of bytes of an unfiltered PNG, every checksum verified."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(content):
        (size,) = struct.unpack(">I", content[at : at + 4])
        name, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + size]
        assert struct.unpack(">I", content[at + 8 + size : at + 12 + size]) == (
            zlib.crc32(name + body),
        )
        chunks[name] = body
        at += 12 + size
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert depth == 8
    channels = {0: 1, 2: 3}[colour]
    raw = zlib.decompress(chunks[b"IDAT"])
    step = 1 + width * channels
    rows = [list(raw[start : start + step]) for start in range(0, len(raw), step)]
    assert all(row[0] == 0 for row in rows)
    assert list(chunks)[-1] == b"IEND"
    return width, height, [row[1:] for row in rows]


def test_grey_levels_come_back() -> None:
    assert decoded(png(Picture("", ((0, 1, 2), (253, 254, 255))))) == (
        3,
        2,
        [[0, 1, 2], [253, 254, 255]],
    )


def test_colours_come_back() -> None:
    pixels = (((1, 2, 3), (4, 5, 6)),)
    assert decoded(png(Picture("", pixels))) == (2, 1, [[1, 2, 3, 4, 5, 6]])


def test_a_level_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError):
        png(Picture("", ((256,),)))


def test_the_address_holds_the_file() -> None:
    assert data_url(Picture("", ((0,),))).startswith("data:image/png;base64,iVBORw0KGgo")
