"""Archives that climb, link, rename, lie about sizes or never end."""

from __future__ import annotations

from proof.hostile import making
from proof.hostile.gzips import endless_gz

FOLDER = "cifar-10-batches-bin"
FIRST = f"{FOLDER}/data_batch_1.bin"
END = bytes(1024)


def tar(*parts: bytes) -> bytes:
    """Header and content blocks, compressed; contents are filled up to whole blocks."""
    return making.gz(b"".join(part + bytes(-len(part) % 512) for part in parts))


def pax(**records: str) -> bytes:
    """The content of an extended header."""
    out = b""
    for key, value in records.items():
        line = f" {key.replace('__', '.')}={value}\n".encode()
        length_ = len(line) + len(str(len(line)))
        out += str(length_ + (len(str(length_)) > len(str(len(line))))).encode() + line
    return out


HEADER = making.tar_header(FIRST, 5)
ARCHIVES = {
    "no archive": making.gz(b"This is a web page that says: not found." * 100),
    "empty": making.gz(b""),
    "less than a block": making.gz(b"x" * 100),
    "not compressed, not an archive": b"<html>not found</html>" * 100,
    "empty file": b"",
    "no members": tar(END),
    "absolute path": tar(making.tar_header("/etc/passwd", 5), b"hello", END),
    "climbing path": tar(making.tar_header(f"{FOLDER}/../../data_batch_1.bin", 5), b"hello", END),
    "climbing prefix": tar(making.tar_header("data_batch_1.bin", 5, prefix="../.."), b"hello", END),
    "climbing by backslashes": tar(making.tar_header("..\\..\\data_batch_1.bin", 5), b"hello", END),
    "symbolic link": tar(making.tar_header(FIRST, kind=b"2", link="/etc/passwd"), END),
    "hard link": tar(making.tar_header(FIRST, kind=b"1", link="/etc/passwd"), END),
    "link beside the data": tar(
        making.tar_header("other", kind=b"2", link="/etc"), HEADER, b"hello", END
    ),
    "character device": tar(making.tar_header(FIRST, kind=b"3"), END),
    "block device": tar(making.tar_header(FIRST, kind=b"4"), END),
    "pipe": tar(making.tar_header(FIRST, kind=b"6"), END),
    "sparse file": tar(making.tar_header(FIRST, 5, kind=b"S"), b"hello", END),
    "long name": tar(
        making.tar_header("././@LongLink", 200, kind=b"L"), b"n" * 200, HEADER, b"hello", END
    ),
    "long link": tar(
        making.tar_header("././@LongLink", 200, kind=b"K"), b"n" * 200, HEADER, b"hello", END
    ),
    "unknown kind": tar(making.tar_header(FIRST, kind=b"Z"), END),
    "the batch is a folder": tar(making.tar_header(FIRST, kind=b"5"), END),
    "renaming header": tar(
        making.tar_header("x", len(pax(path=FIRST)), kind=b"x"),
        pax(path=FIRST),
        HEADER,
        b"hello",
        END,
    ),
    "resizing header": tar(
        making.tar_header("x", len(pax(size="9")), kind=b"x"), pax(size="9"), HEADER, b"hello", END
    ),
    "relinking header": tar(
        making.tar_header("x", len(pax(linkpath="y")), kind=b"x"),
        pax(linkpath="y"),
        HEADER,
        b"hello",
        END,
    ),
    "sparse header": tar(
        making.tar_header("x", 40, kind=b"x"), pax(GNU__sparse__major="1"), HEADER, b"hello", END
    ),
    "global renaming header": tar(
        making.tar_header("x", len(pax(path=FIRST)), kind=b"g"), pax(path=FIRST), END
    ),
    "extended header of 8 GB": endless_gz(making.tar_header("x", 8**11 - 1, kind=b"x"), 400),
    "member of 8 GB": endless_gz(making.tar_header(FIRST, 8**11 - 1), 400),
    "other member of 8 GB": endless_gz(making.tar_header("other", 8**11 - 1), 400),
    "size in base 256": tar(making.tar_header(FIRST, size_field=b"\x80" + b"\xff" * 11), END),
    "negative size": tar(making.tar_header(FIRST, size_field=b"-0000000005\0"), END),
    "size in decimals": tar(making.tar_header(FIRST, size_field=b"00000000009\0"), END),
    "wrong checksum": tar(HEADER.replace(b"0000644", b"0000645"), b"hello", END),
    "checksum is no number": tar(HEADER[:148] + b"zzzzzz\0 " + HEADER[156:], b"hello", END),
    "ends inside a header": tar(HEADER[:300] + HEADER[300:])[:-20],
    "ends inside a member": making.gz(HEADER + b"hel"),
    "ends without the end": making.gz(HEADER + b"hello" + bytes(507)),
    "the same batch twice": tar(HEADER, b"hello", HEADER, b"hello", END),
    "a hundred thousand members": making.gz(making.tar_header("other") * 100_000 + END),
    "400 MB of zeros": endless_gz(HEADER, 400),
    "400 MB behind the end": endless_gz(HEADER + b"hello" + bytes(507) + END, 400),
}
