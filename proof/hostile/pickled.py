"""Pickles that would execute something, that are broken, and that ask for more than they are: each must be refused."""

from __future__ import annotations

import pickle

from proof.hostile import making


def entries(keys_and_values: bytes) -> bytes:
    """A protocol 2 pickle of a dictionary with these entries."""
    return b"\x80\x02}(" + keys_and_values + b"u."


def a_value(value: bytes) -> bytes:
    """... with one entry, of this value."""
    return entries(making.short("data") + value)


SYSTEM = b"cos\nsystem\n"
RUN = making.short("touch executed")
EXECUTING = {
    "reduce": SYSTEM + RUN + b"\x85R",
    "reduce posix": b"cposix\nsystem\n" + RUN + b"\x85R",
    "reduce builtins eval": b"cbuiltins\neval\n" + RUN + b"\x85R",
    "reduce numpy's own exec": b"cnumpy.testing._private.utils\nrunstring\n" + RUN + b"}\x86R",
    "reduce numpy load": b"cnumpy\nload\n" + RUN + b"\x85R",
    "attribute of an allowed name": b"cnumpy\nndarray.__class__\n" + RUN + b"\x85R",
    "stack global": making.short("os") + making.short("system") + b"\x93" + RUN + b"\x85R",
    "stack global of a list": b"]" + making.short("system") + b"\x93" + RUN + b"\x85R",
    "codecs decode": b"c_codecs\ndecode\n" + RUN + making.short("hex") + b"\x86R",
    "inst": b"(" + RUN + b"ios\nsystem\n",
    "obj": b"(" + SYSTEM + RUN + b"o",
    "newobj": b"csubprocess\nPopen\n" + RUN + b"\x85\x81",
    "newobj of nothing bad": b")\x81",
    "newobj_ex": b")}\x92",
    "build sets attributes": making.NUMPY2_DTYPE + b"}(" + making.short("__class__") + b"Nub",
    "build on a dictionary": b"}}b",
    "build on a list": b"](b",
    "ext1": b"\x82\x01",
    "ext2": b"\x83\x01\x00",
    "ext4": b"\x84\x01\x00\x00\x00",
    "persid": b"Pos.system\n",
    "binpersid": RUN + b"Q",
    "next buffer": b"\x97",
    "readonly buffer": b"\x98",
    "import of a module": b"cthis\ns\n",
    "append to the search path": b"csys\npath\n" + RUN + b"a",
    "appends to the search path": b"csys\npath\n(" + RUN + b"e",
    "set an environment variable": b"cos\nenviron\n" + RUN + RUN + b"s",
    "set environment variables": b"cos\nenviron\n(" + RUN + RUN + b"u",
    "add to a set": b"cos\nsupports_fd\n(" + RUN + b"\x90",
    "call of a text": RUN + b")R",
    "call of ndarray": b"cnumpy\nndarray\nK\x01\x85R",
    "ndarray with a shape": b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\xff\xff\xff\x7f\x85U\x01b\x87R",
    "a subclass of ndarray": b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nmatrix\nK\x00\x85U\x01b\x87R",
    "dtype of objects": making.NUMPY2_DTYPE.replace(b"u1", b"O8"),
    "dtype of floats": making.NUMPY2_DTYPE.replace(b"u1", b"f8"),
    "dtype with fields": making.NUMPY2_DTYPE.replace(b"NNN", b"N}}"),
    "encode by another codec": b"c_codecs\nencode\n"
    + b"X\x01\x00\x00\x00a"
    + b"X\x04\x00\x00\x00zlib"
    + b"\x86R",
    "encode of wide characters": b"c_codecs\nencode\nX\x02\x00\x00\x00\xc4\x80X\x06\x00\x00\x00latin1\x86R",
    "encode of broken UTF-8": b"c_codecs\nencode\nX\x00\x02\x00\x00"
    + b"\xc3" * 512
    + b"X\x06\x00\x00\x00latin1\x86R",
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
    "key without a value": entries(making.short("data")),
    "key that is an integer": entries(b"K\x01K\x02"),
    "key that is a list": entries(b"]K\x02"),
    "key that is a long text": entries(length(b"X", 300, 4) + b"k" * 300 + b"N"),
    "key that is not ASCII": entries(making.short(b"\xff") + b"N"),
    "key that comes twice": entries(making.short("data") + b"N" + making.short("data") + b"N"),
    "items of a list": b"\x80\x02](" + making.short("data") + b"Nu.",
    "append to a dictionary": b"\x80\x02}(K\x01e.",
    "append to nothing": b"\x80\x02(K\x01e.",
    "pop below a mark": b"\x80\x02}" + making.short("data") + b"]K\x01(\x86t\x86s.",
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
    "announces 2**63 bytes of frame": b"\x80\x04"
    + length(b"\x95", 2**63, 8)
    + length(b"\x8e", 2**62, 8),
    "memo index of 4 GB": a_value(b"N" + length(b"r", 2**32 - 1, 4) + length(b"j", 2**32 - 2, 4)),
    "memo of a million": a_value(
        b"N" + b"".join(length(b"r", index, 4) for index in range(300_000))
    ),
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
