"""gzip streams that are damaged, endless or padded."""

from __future__ import annotations

import gzip
import zlib

import numpy as np

from proof.hostile import making


def raw_gz(deflate: bytes) -> bytes:
    """A gzip file around a hand-made deflate stream, without a trailer."""
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + deflate


def endless_gz(start: bytes, mebibytes: int) -> bytes:
    """`start` and then zeros, which unfold 1,000 times: a portion compressed once can stand there often."""
    compressor = zlib.compressobj(1, zlib.DEFLATED, -15)
    head = compressor.compress(start) + compressor.flush(zlib.Z_FULL_FLUSH)
    zeros = compressor.compress(bytes(1 << 20)) + compressor.flush(zlib.Z_FULL_FLUSH)
    return raw_gz(head + zeros * mebibytes)


def empty_huffman_blocks(count: int) -> bytes:
    """Deflate blocks that hold nothing but code tables, which the decompressor must build for each.

    Block type 2 with 257 literal codes and 1 distance code, whose lengths are written with two
    symbols of one bit:
    "1" (a length of 1) and "18" (a run of zeros). The one literal is the end of the block. RFC
    1951, 3.2.7.
    """
    order = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1)
    fields = [(0, 1), (2, 2), (0, 5), (0, 5), (len(order) - 4, 4)]
    fields += [(int(symbol in (1, 18)), 3) for symbol in order]
    fields += [
        (1, 1),
        (138 - 11, 7),
        (1, 1),
        (118 - 11, 7),
        (0, 1),
        (0, 1),
        (0, 1),
    ]  # 256 zeros, 1, 1; the end
    bits = [
        value >> bit & 1 for value, width in fields for bit in range(width)
    ] * 4  # 4 blocks fill 45 bytes
    return np.packbits(bits, bitorder="little").tobytes() * (count // 4)


WHOLE = making.gz(b"content" * 1000)
GZIPS = {
    "only the magic": b"\x1f\x8b",
    "half a header": WHOLE[:7],
    "no data": WHOLE[:10],
    "half the data": WHOLE[: len(WHOLE) // 2],
    "no checksum": WHOLE[:-8],
    "half a checksum": WHOLE[:-5],
    "wrong checksum": WHOLE[:-8] + b"\x00\x00\x00\x00" + WHOLE[-4:],
    "wrong length": WHOLE[:-4] + b"\x00\x00\x00\x00",
    "unknown method": WHOLE[:2] + b"\x09" + WHOLE[3:],
    "bytes after the end": WHOLE + b"more",
    "two members": WHOLE + WHOLE,
    "a hundred thousand empty members": gzip.compress(b"") * 100_000,
    "a file name of 20 MB": b"\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x03" + b"n" * 20_000_000,
    "an invalid block": raw_gz(b"\xff" * 100),
    "empty stored blocks for ever": raw_gz(b"\x00\x00\x00\xff\xff" * 2_000_000),
    "empty Huffman blocks for ever": raw_gz(empty_huffman_blocks(1_000_000)),
}
