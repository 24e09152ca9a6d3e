"""The archive reader: only plain files of the wanted names, nothing extracted, within bounds."""

import gzip
import os
import tarfile

import pytest

from normlab.data import archives
from normlab.errors import DataError
from proof.hostile import making
from proof.hostile.tars import ARCHIVES, FIRST, FOLDER

WANTED = {FIRST, f"{FOLDER}/test_batch.bin"}
# Nothing is extracted, so a name that climbs or a link beside the data can do no harm.
NOTHING_WANTED_INSIDE = {
    "no members",
    "the batch is a folder",
    "absolute path",
    "climbing path",
    "climbing prefix",
    "climbing by backslashes",
    "long name",
}
HARMLESS = {
    "link beside the data",
    "long link",
    "renaming header",
    "resizing header",
    "relinking header",
    "sparse header",
    "ends without the end",
}


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_yields_the_wanted_files_in_their_order(tmp_path, format):
    contents = {
        f"{FOLDER}/test_batch.bin": b"t" * 700,
        f"{FOLDER}/readme.html": b"r" * 3000,
        FIRST: b"d" * 512,
    }
    (tmp_path / "a.tar.gz").write_bytes(making.tar_gz(contents.items(), format))
    del contents[f"{FOLDER}/readme.html"]
    assert list(archives.members(tmp_path / "a.tar.gz", WANTED, 1000)) == list(contents.items())


def test_archives_that_tar_made_from_files(tmp_path):
    """Folders, owners and modification times with fractions, which come in extended headers."""
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FIRST).write_bytes(b"hello")
    os.utime(tmp_path / FIRST, (1.5, 1.5))
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", compresslevel=1) as tar:
        tar.add(tmp_path / FOLDER, arcname=FOLDER)
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        assert "mtime" in tar.getmember(FIRST).pax_headers
    assert list(archives.members(tmp_path / "a.tar.gz", WANTED, 1000)) == [(FIRST, b"hello")]


def test_names_may_begin_with_the_present_folder(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(making.gz(making.tar_header(f"./{FIRST}") + bytes(1024)))
    assert list(archives.members(tmp_path / "a.tar.gz", WANTED, 1000)) == [(FIRST, b"")]


def test_folders_around_the_data_do_not_matter(tmp_path):
    (tmp_path / "a.tar").write_bytes(
        gzip.decompress(making.tar_gz([(f"my/copy/{FIRST}", b"hello")]))
    )
    assert list(archives.members(tmp_path / "a.tar", WANTED, 1000)) == [(FIRST, b"hello")]


@pytest.mark.parametrize("what", ARCHIVES)
def test_refuses_or_finds_nothing(tmp_path, what):
    (tmp_path / "a.tar.gz").write_bytes(ARCHIVES[what])
    if what in NOTHING_WANTED_INSIDE:
        assert list(archives.members(tmp_path / "a.tar.gz", WANTED, 1000)) == []
    elif what in HARMLESS:
        ((name, content),) = archives.members(tmp_path / "a.tar.gz", WANTED, 1000)
        assert name == FIRST
        assert len(content) <= 1000
    else:
        with pytest.raises(DataError, match=r"a\.tar\.gz"):
            list(archives.members(tmp_path / "a.tar.gz", WANTED, 1000))
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (
            "symbolic link",
            "data_batch_1.bin' is a link, a device or sparse; only plain files are read",
        ),
        ("member of 8 GB", "claims 8,589,934,591 bytes, and such a file has at most 1,000"),
        ("other member of 8 GB", "unfolds to more than"),
        ("400 MB behind the end", "unfolds to more than"),
        ("wrong checksum", "bad checksum"),
        ("ends inside a member", "truncated"),
        ("the same batch twice", "twice"),
        ("a hundred thousand members", "more than 64 members"),
        ("no archive", "no tar archive"),
    ],
)
def test_says_what_is_wrong(tmp_path, what, said):
    (tmp_path / "a.tar.gz").write_bytes(ARCHIVES[what])
    with pytest.raises(DataError, match=said):
        list(archives.members(tmp_path / "a.tar.gz", WANTED, 1000))


def test_the_checksum_at_the_very_end_counts(tmp_path):
    """The last wanted file has been read long before; the archive is refused all the same."""
    content = bytearray(making.tar_gz([(FIRST, b"hello")]))
    content[-8] ^= 1
    (tmp_path / "a.tar.gz").write_bytes(content)
    with pytest.raises(DataError, match="incorrect data check"):
        list(archives.members(tmp_path / "a.tar.gz", WANTED, 1000))


def test_the_official_member_names_are_relative_and_plain():
    """The fixture's archive is one that Python's own tarfile agrees with."""
    assert tarfile.TarInfo.frombuf(making.tar_header(FIRST, 5), "utf-8", "strict").size == 5
