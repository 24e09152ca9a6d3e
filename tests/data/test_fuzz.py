"""Any bytes at all: arrays, or a DataError, and never anything else."""

import contextlib
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
from hypothesis import HealthCheck, example, given, settings

from normlab.data import archives, cifar10, mnist, pickles
from normlab.errors import DataError
from proof.hostile import making
from proof.hostile.gzips import WHOLE
from proof.hostile.idx import LABELS
from proof.hostile.tars import FIRST

SETTINGS = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# Bytes that mean something to the reader, so that the machine gets beyond its first instruction.
WORDS = st.sampled_from(
    [bytes([code]) for code in pickles._INSTRUCTIONS]
    + [
        b"K\x01",
        b"U\x01b",
        b"U\x04data",
        b"U\x06labels",
        b"]",
        b"}",
        b"(",
        b"q\x01",
        b"h\x01",
        b"\x85",
        b"\x86",
        b"t",
    ]
    + [
        b"cnumpy.core.multiarray\n_reconstruct\n",
        b"cnumpy\nndarray\n",
        b"cnumpy\ndtype\n",
        b"c_codecs\nencode\n",
    ]
    + [
        making.NUMPY2_DTYPE,
        making.python2_array((2,), b"ab"),
        b"X\x06\x00\x00\x00latin1",
        b"N",
        b"R",
        b"b",
        b".",
    ]
)


@SETTINGS
@given(st.lists(WORDS | st.binary(max_size=3), max_size=60))
@example([b"c_codecs\nencode\n", b"X\x00\x00\x00\x00", b"X\x06\x00\x00\x00latin1", b"\x86", b"R"])
def test_pickles_of_meaningful_words(words):
    for ending in (b".", b"u.", b"s."):
        content = b"\x80\x02}(" + b"".join(words) + ending
        with contextlib.suppress(DataError):
            assert isinstance(pickles.read(content, "fuzz"), dict)


def mutate(draw_from: bytes):
    """The content with a few of its bytes overwritten, cut out or put in twice."""
    position = st.integers(0, len(draw_from))
    edit = st.tuples(position, position, st.binary(max_size=8))
    return st.lists(edit, min_size=1, max_size=4).map(lambda edits: apply(draw_from, edits))


def apply(content: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for start, stop, new in edits:
        content = content[:start] + new + content[min(stop, start + 8) :]
    return content


IMAGES, IMAGE_LABELS = making.images_and_labels(2)
PICKLED, RECORDS = (
    making.python2_batch(IMAGES, IMAGE_LABELS),
    making.binary_batch(IMAGES, IMAGE_LABELS),
)


@SETTINGS
@given(
    mutate(PICKLED[:120]).map(lambda start: start + PICKLED[120:])
    | mutate(PICKLED)
    | mutate(RECORDS)
    | st.binary()
)
def test_batches(content):
    try:
        images, labels = cifar10.parse(content, "fuzz", "data_batch_1", 2)
    except DataError:
        return
    assert images.shape == (2, 3072)
    assert images.dtype == np.uint8
    assert labels.shape == (2,)
    assert 0 <= labels.min() <= labels.max() <= 9


ARCHIVE = making.tar_header(FIRST, 5) + b"hello" + bytes(507 + 1024)


@SETTINGS
@given(
    mutate(ARCHIVE[:520]).map(lambda start: start + ARCHIVE[520:]) | mutate(ARCHIVE) | st.binary(),
    st.booleans(),
)
def test_archives(tmp_path: Path, content, compressed):
    path = tmp_path / "fuzz.tar.gz"
    path.write_bytes(making.gz(content) if compressed else content)
    with contextlib.suppress(DataError):
        for name, member in archives.members(path, {FIRST}, 1000):
            assert name == FIRST
            assert len(member) <= 1000


@SETTINGS
@given(
    mutate(WHOLE) | mutate(making.idx(LABELS)) | mutate(making.gz(making.idx(LABELS))) | st.binary()
)
def test_idx_files(tmp_path: Path, content):
    path = tmp_path / "fuzz"
    path.write_bytes(content)
    try:
        labels = mnist.read_idx(path, (20,))
    except DataError:
        return
    assert labels.shape == (20,)
