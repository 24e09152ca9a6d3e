"""Broken and hostile files, by what is wrong with them: for each reader, and all together for the bounds."""

import gzip
import pickle
import zlib

import numpy as np

from tests.data import makers


def entries(keys_and_values: bytes) -> bytes:
    """A protocol 2 pickle of a dictionary with these entries."""
    return b"\x80\x02}(" + keys_and_values + b"u."


def a_value(value: bytes) -> bytes:
    """... with one entry, of this value."""
    return entries(makers.short("data") + value)


SYSTEM = b"cos\nsystem\n"
RUN = makers.short("touch executed")
EXECUTING = {
    "reduce": SYSTEM + RUN + b"\x85R",
    "reduce posix": b"cposix\nsystem\n" + RUN + b"\x85R",
    "reduce builtins eval": b"cbuiltins\neval\n" + RUN + b"\x85R",
    "reduce numpy's own exec": b"cnumpy.testing._private.utils\nrunstring\n" + RUN + b"}\x86R",
    "reduce numpy load": b"cnumpy\nload\n" + RUN + b"\x85R",
    "attribute of an allowed name": b"cnumpy\nndarray.__class__\n" + RUN + b"\x85R",
    "stack global": makers.short("os") + makers.short("system") + b"\x93" + RUN + b"\x85R",
    "stack global of a list": b"]" + makers.short("system") + b"\x93" + RUN + b"\x85R",
    "codecs decode": b"c_codecs\ndecode\n" + RUN + makers.short("hex") + b"\x86R",
    "inst": b"(" + RUN + b"ios\nsystem\n",
    "obj": b"(" + SYSTEM + RUN + b"o",
    "newobj": b"csubprocess\nPopen\n" + RUN + b"\x85\x81",
    "newobj of nothing bad": b")\x81",
    "newobj_ex": b")}\x92",
    "build sets attributes": makers.NUMPY2_DTYPE + b"}(" + makers.short("__class__") + b"Nub",
    "build on a dictionary": b"}}b",
    "build on a list": b"](b",
    "ext1": b"\x82\x01",
    "ext2": b"\x83\x01\x00",
    "ext4": b"\x84\x01\x00\x00\x00",
    "persid": b"Pos.system\n",
    "binpersid": RUN + b"Q",
    "next buffer": b"\x97",
    "readonly buffer": b"\x98",
    "call of a text": RUN + b")R",
    "call of ndarray": b"cnumpy\nndarray\nK\x01\x85R",
    "ndarray with a shape": b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\xff\xff\xff\x7f\x85U\x01b\x87R",
    "a subclass of ndarray": b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nmatrix\nK\x00\x85U\x01b\x87R",
    "dtype of objects": makers.NUMPY2_DTYPE.replace(b"u1", b"O8"),
    "dtype of floats": makers.NUMPY2_DTYPE.replace(b"u1", b"f8"),
    "dtype with fields": makers.NUMPY2_DTYPE.replace(b"NNN", b"N}}"),
    "encode by another codec": b"c_codecs\nencode\n" + b"X\x01\x00\x00\x00a" + b"X\x04\x00\x00\x00zlib" + b"\x86R",
    "encode of wide characters": b"c_codecs\nencode\nX\x02\x00\x00\x00\xc4\x80X\x06\x00\x00\x00latin1\x86R",
    "encode of broken UTF-8": b"c_codecs\nencode\nX\x00\x02\x00\x00" + b"\xc3" * 512 + b"X\x06\x00\x00\x00latin1\x86R",
}


def length(code: bytes, announced: int, width: int) -> bytes:
    return code + announced.to_bytes(width, "little")


BROKEN = {
    "empty": b"",
    "one byte": b"\x80",
    "nothing": b"\x80\x02",
    "only a stop": b"\x80\x02.",
    "protocol 0": pickle.dumps({"labels": [1]}, 0),
    "protocol 1": pickle.dumps({"labels": [1]}, 1),
    "protocol 6": b"\x80\x06}.",
    "a list": pickle.dumps([1], 2),
    "an integer": b"\x80\x02K\x01.",
    "text, not a pickle": b"This is a web page that says: not found.",
    "two values at the end": b"\x80\x02}}.",
    "open mark": b"\x80\x02}(.",
    "bytes after the end": entries(b"") + b"\x80\x02}.",
    "no stop": entries(b"")[:-1],
    "key without a value": entries(makers.short("data")),
    "key that is an integer": entries(b"K\x01K\x02"),
    "key that is a list": entries(b"]K\x02"),
    "key that is a long text": entries(length(b"X", 300, 4) + b"k" * 300 + b"N"),
    "key that is not ASCII": entries(makers.short(b"\xff") + b"N"),
    "key that comes twice": entries(makers.short("data") + b"N" + makers.short("data") + b"N"),
    "items of a list": b"\x80\x02](" + makers.short("data") + b"Nu.",
    "append to a dictionary": b"\x80\x02}(K\x01e.",
    "append to nothing": b"\x80\x02(K\x01e.",
    "pop below a mark": b"\x80\x02}" + makers.short("data") + b"]K\x01(\x86t\x86s.",
    "empty stack": b"\x80\x02\x86.",
    "mark that is missing": b"\x80\x02}u.",
    "recall of the unknown": a_value(b"h\x07"),
    "remember nothing": b"\x80\x02q\x01}.",
    "line without an end": a_value(b"c" + b"a" * 1000),
    "line that is not ASCII": a_value(b"c\xff\n\xff\n"),
    "text that is not UTF-8": a_value(length(b"X", 1, 4) + b"\xff"),
    "integer of nine bytes": a_value(b"\x8a\x09" + bytes(9)),
    "LONG4": a_value(length(b"\x8b", 2**31 - 1, 4)),
    "opcode 0": a_value(b"\x00"),
    "opcode 255": a_value(b"\xff"),
    "float": a_value(b"G" + bytes(8)),
}


BOMBS = {
    "announces 4 GB of bytes": a_value(length(b"T", 2**32 - 1, 4)),
    "announces 2**63 bytes": a_value(length(b"\x8e", 2**63, 8)),
    "announces 2**63 bytes of bytearray": b"\x80\x05" + length(b"\x96", 2**63, 8),
    "announces 2**63 bytes of text": a_value(length(b"\x8d", 2**63, 8)),
    "announces 2**63 bytes of frame": b"\x80\x04" + length(b"\x95", 2**63, 8) + length(b"\x8e", 2**62, 8),
    "memo index of 4 GB": a_value(b"N" + length(b"r", 2**32 - 1, 4) + length(b"j", 2**32 - 2, 4)),
    "memo of a million": a_value(b"N" + b"".join(length(b"r", index, 4) for index in range(300_000))),
    "a million empty lists": b"\x80\x02" + b"]" * 1_000_000 + b".",
    "a million dictionaries": b"\x80\x02" + b"}" * 1_000_000 + b".",
    "a million marks": b"\x80\x02" + b"(" * 1_000_000 + b".",
    "a million memoized tuples": b"\x80\x02)" + b"\x85\x94" * 1_000_000 + b".",
    "nested lists": b"\x80\x02" + b"](" * 90_000 + b"e" * 90_000 + b".",
    "nested tuples": b"\x80\x02}" + b")" + b"\x85" * 190_000 + b"s.",
    "doubling lists": a_value(b"]q\x00" + b"](h\x00h\x00eq\x00" * 40_000),
    "a list in itself": b"\x80\x02]q\x00(" + b"h\x00" * 150_000 + b"e.",
    "one long text as bytes, 40,000 times": b"\x80\x02c_codecs\nencode\nq\x00"
    + (length(b"X", 5_000_000, 4) + b"a" * 5_000_000 + b"X\x06\x00\x00\x00latin1\x86q\x01")
    + b"h\x00h\x01R" * 60_000
    + b".",
    "wide characters": a_value(length(b"X", 20_000_000, 4) + "😀".encode() * 5_000_000 + b"\x93"),
    "wide characters, encoded": a_value(
        b"c_codecs\nencode\n"
        + length(b"X", 20_000_000, 4)
        + b"a" * 19_999_996
        + "😀".encode()
        + b"X\x06\x00\x00\x00latin1\x86R"
    ),
}


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

    Block type 2 with 257 literal codes and 1 distance code, whose lengths are written with two symbols of one bit:
    "1" (a length of 1) and "18" (a run of zeros). The one literal is the end of the block. RFC 1951, 3.2.7.
    """
    order = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1)
    fields = [(0, 1), (2, 2), (0, 5), (0, 5), (len(order) - 4, 4)]
    fields += [(int(symbol in (1, 18)), 3) for symbol in order]
    fields += [(1, 1), (138 - 11, 7), (1, 1), (118 - 11, 7), (0, 1), (0, 1), (0, 1)]  # 256 zeros, 1, 1; the end
    bits = [value >> bit & 1 for value, width in fields for bit in range(width)] * 4  # 4 blocks fill 45 bytes
    return np.packbits(bits, bitorder="little").tobytes() * (count // 4)


WHOLE = makers.gz(b"content" * 1000)
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

FOLDER = "cifar-10-batches-bin"
FIRST = f"{FOLDER}/data_batch_1.bin"
END = bytes(1024)


def tar(*parts: bytes) -> bytes:
    """Header and content blocks, compressed; contents are filled up to whole blocks."""
    return makers.gz(b"".join(part + bytes(-len(part) % 512) for part in parts))


def pax(**records: str) -> bytes:
    """The content of an extended header."""
    out = b""
    for key, value in records.items():
        line = f" {key.replace('__', '.')}={value}\n".encode()
        length_ = len(line) + len(str(len(line)))
        out += str(length_ + (len(str(length_)) > len(str(len(line))))).encode() + line
    return out


HEADER = makers.tar_header(FIRST, 5)
ARCHIVES = {
    "no archive": makers.gz(b"This is a web page that says: not found." * 100),
    "empty": makers.gz(b""),
    "less than a block": makers.gz(b"x" * 100),
    "not compressed, not an archive": b"<html>not found</html>" * 100,
    "empty file": b"",
    "no members": tar(END),
    "absolute path": tar(makers.tar_header("/etc/passwd", 5), b"hello", END),
    "climbing path": tar(makers.tar_header(f"{FOLDER}/../../data_batch_1.bin", 5), b"hello", END),
    "climbing prefix": tar(makers.tar_header("data_batch_1.bin", 5, prefix="../.."), b"hello", END),
    "climbing by backslashes": tar(makers.tar_header("..\\..\\data_batch_1.bin", 5), b"hello", END),
    "symbolic link": tar(makers.tar_header(FIRST, kind=b"2", link="/etc/passwd"), END),
    "hard link": tar(makers.tar_header(FIRST, kind=b"1", link="/etc/passwd"), END),
    "link beside the data": tar(makers.tar_header("other", kind=b"2", link="/etc"), HEADER, b"hello", END),
    "character device": tar(makers.tar_header(FIRST, kind=b"3"), END),
    "block device": tar(makers.tar_header(FIRST, kind=b"4"), END),
    "pipe": tar(makers.tar_header(FIRST, kind=b"6"), END),
    "sparse file": tar(makers.tar_header(FIRST, 5, kind=b"S"), b"hello", END),
    "long name": tar(makers.tar_header("././@LongLink", 200, kind=b"L"), b"n" * 200, HEADER, b"hello", END),
    "long link": tar(makers.tar_header("././@LongLink", 200, kind=b"K"), b"n" * 200, HEADER, b"hello", END),
    "unknown kind": tar(makers.tar_header(FIRST, kind=b"Z"), END),
    "the batch is a folder": tar(makers.tar_header(FIRST, kind=b"5"), END),
    "renaming header": tar(
        makers.tar_header("x", len(pax(path=FIRST)), kind=b"x"), pax(path=FIRST), HEADER, b"hello", END
    ),
    "resizing header": tar(makers.tar_header("x", len(pax(size="9")), kind=b"x"), pax(size="9"), HEADER, b"hello", END),
    "relinking header": tar(
        makers.tar_header("x", len(pax(linkpath="y")), kind=b"x"), pax(linkpath="y"), HEADER, b"hello", END
    ),
    "sparse header": tar(makers.tar_header("x", 40, kind=b"x"), pax(GNU__sparse__major="1"), HEADER, b"hello", END),
    "global renaming header": tar(makers.tar_header("x", len(pax(path=FIRST)), kind=b"g"), pax(path=FIRST), END),
    "extended header of 8 GB": endless_gz(makers.tar_header("x", 8**11 - 1, kind=b"x"), 400),
    "member of 8 GB": endless_gz(makers.tar_header(FIRST, 8**11 - 1), 400),
    "other member of 8 GB": endless_gz(makers.tar_header("other", 8**11 - 1), 400),
    "size in base 256": tar(makers.tar_header(FIRST, size_field=b"\x80" + b"\xff" * 11), END),
    "negative size": tar(makers.tar_header(FIRST, size_field=b"-0000000005\0"), END),
    "size in decimals": tar(makers.tar_header(FIRST, size_field=b"00000000009\0"), END),
    "wrong checksum": tar(HEADER.replace(b"0000644", b"0000645"), b"hello", END),
    "checksum is no number": tar(HEADER[:148] + b"zzzzzz\0 " + HEADER[156:], b"hello", END),
    "ends inside a header": tar(HEADER[:300] + HEADER[300:])[:-20],
    "ends inside a member": makers.gz(HEADER + b"hel"),
    "ends without the end": makers.gz(HEADER + b"hello" + bytes(507)),
    "the same batch twice": tar(HEADER, b"hello", HEADER, b"hello", END),
    "a hundred thousand members": makers.gz(makers.tar_header("other") * 100_000 + END),
    "400 MB of zeros": endless_gz(HEADER, 400),
    "400 MB behind the end": endless_gz(HEADER + b"hello" + bytes(507) + END, 400),
}

LABELS = np.arange(20) % 10
IDX_LABELS = makers.idx(LABELS)
IDX_FILES = {
    "empty": b"",
    "half a header": IDX_LABELS[:6],
    "no content": IDX_LABELS[:8],
    "one label short": IDX_LABELS[:-1],
    "one label more": IDX_LABELS + b"\x00",
    "images, not labels": makers.idx(np.zeros((20, 28, 28))),
    "magic of integers": makers.idx(LABELS, magic=b"\0\0\x0c\x01"),
    "magic of floats": makers.idx(LABELS, magic=b"\0\0\x0d\x01"),
    "little end first": b"\x01\x08\0\0" + IDX_LABELS[4:],
    "announces 21": makers.idx(LABELS, announced=[21]),
    "announces 4 billion": makers.idx(LABELS, announced=[2**32 - 1]),
    "a web page": b"<html>not found</html>",
    "a pickle": pickle.dumps(LABELS),
    "400 MB of zeros, compressed": endless_gz(IDX_LABELS, 400),
    "truncated, compressed": makers.gz(IDX_LABELS)[:-9],
    "wrong checksum, compressed": makers.gz(IDX_LABELS)[:-8] + bytes(8),
    **{f"gzip: {what}": content for what, content in GZIPS.items()},
}
