"""Bytes within bounds: gzip streams that are damaged, endless or padded."""

import errno
import io
import os

import pytest

from normlab.data import compressed
from normlab.data.compressed import ByteStream, read_whole
from normlab.errors import DataError
from proof.hostile import making
from proof.hostile.gzips import GZIPS


def read_all(path):
    with ByteStream(path) as stream:
        while stream.read(1 << 20):
            pass


@pytest.mark.parametrize("step", [1, 7, 4096, 10**9])
@pytest.mark.parametrize("wrap", [bytes, making.gz])
def test_gives_the_bytes_in_any_portions(tmp_path, wrap, step):
    content = bytes(range(256)) * 30
    (tmp_path / "file").write_bytes(wrap(content))
    got = bytearray()
    with ByteStream(tmp_path / "file") as stream:
        while piece := stream.read(step):
            assert len(piece) == min(step, len(content) - len(got))
            got += piece
        assert stream.read(step) == b""
    assert got == content


def test_output_that_exceeds_the_input_by_far(tmp_path):
    (tmp_path / "file").write_bytes(making.gz(bytes(5 << 20)))
    with ByteStream(tmp_path / "file") as stream:
        assert stream.read(6 << 20) == bytes(5 << 20)


@pytest.mark.parametrize("content", GZIPS.values(), ids=GZIPS.keys())
def test_refuses_bad_gzip(tmp_path, content):
    (tmp_path / "file.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"file\.gz (is|has) "):
        read_all(tmp_path / "file.gz")


def test_says_what_is_wrong(tmp_path):
    for what, said in [
        ("half the data", "truncated"),
        ("wrong checksum", "damaged.*incorrect data check"),
        ("bytes after the end", "more bytes after the end"),
        ("empty stored blocks for ever", "nothing but padding"),
        ("empty Huffman blocks for ever", "nothing but padding"),
    ]:
        (tmp_path / "file.gz").write_bytes(GZIPS[what])
        with pytest.raises(DataError, match=said):
            read_all(tmp_path / "file.gz")


def test_whole_files_have_a_limit(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    assert read_whole(tmp_path / "file", 5) == b"12345"
    with pytest.raises(DataError, match="larger than 4 bytes"):
        read_whole(tmp_path / "file", 4)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs the devices of a Unix")
def test_devices_and_pipes_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, compressed.Path("/dev/zero")):
        with pytest.raises(DataError, match="not a regular file"):
            ByteStream(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="gone is missing"):
        ByteStream(tmp_path / "gone")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    (tmp_path / "secret").write_bytes(b"x")

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)  # file modes do not bind the superuser
    with pytest.raises(DataError, match="secret cannot be read: Permission denied"):
        read_whole(tmp_path / "secret", 10)


def test_a_disk_that_fails_while_it_is_read(tmp_path):
    class Failing(io.BytesIO):
        def read(self, _: int | None = -1) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    (tmp_path / "file").write_bytes(b"0123456789")
    with ByteStream(tmp_path / "file") as stream:
        stream._file.close()
        stream._file = Failing()
        with pytest.raises(DataError, match="file cannot be read: Input/output error"):
            stream.read(10)
