"""The reader of pickles: the same dictionary as pickle's, and nothing that pickle would execute."""

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from normlab.data import pickles
from normlab.data.pickled_arrays import PickledArray
from normlab.errors import DataError
from proof.hostile import making
from proof.hostile.pickled import BROKEN, EXECUTING, a_value


@pytest.mark.parametrize("keys", ["str", "bytes"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_reads_what_python_3_writes(protocol, order, keys):
    images, labels = making.images_and_labels(300)

    def text(word: str) -> str | bytes:
        return word.encode() if keys == "bytes" else word

    batch = {
        text("batch_label"): text("training batch 1 of 5"),
        text("labels"): labels.tolist(),
        text("data"): np.asarray(images, order=order),
        text("filenames"): [text(f"image_{number}.png") for number in range(300)],
    }
    got = pickles.read(pickle.dumps(batch, protocol), "batch")
    assert list(got) == ["batch_label", "labels", "data", "filenames"]
    assert got["labels"] == labels.tolist()
    np.testing.assert_array_equal(got["data"].as_array((300, 3072), "batch"), images)


def test_reads_what_python_2_wrote_as_pickle_does():
    images, labels = making.images_and_labels(
        1100
    )  # more than a portion of 1,000, more than 256 memo entries
    content = making.python2_batch(images, labels)
    got, expected = pickles.read(content, "batch"), pickle.loads(content, encoding="bytes")
    assert got["labels"] == expected[b"labels"] == labels.tolist()
    assert got["filenames"] == expected[b"filenames"]
    np.testing.assert_array_equal(got["data"].as_array((1100, 3072), "batch"), expected[b"data"])


def test_reads_the_older_numpy_names_and_long_integers():
    shape = b"\x8a\x01\x02\x8a\x02\x00\x0c\x86"  # (2, 3072) as LONG1, which Python 2 uses on some machines
    content = making.python2_array((2, 3072), bytes(6144)).replace(b"K\x02M\x00\x0c\x86", shape)
    assert shape in content
    assert pickles.read(a_value(content), "batch")["data"].as_array((2, 3072), "batch").sum() == 0


@pytest.mark.parametrize("value", EXECUTING.values(), ids=EXECUTING.keys())
def test_executes_nothing(value):
    with pytest.raises(DataError, match=r"^batch is not a CIFAR-10 batch: at byte \d+, "):
        pickles.read(a_value(value), "batch")
    assert not Path("executed").exists()  # the working directory of a test is empty


def test_the_corpus_does_execute_under_pickle(monkeypatch, tmp_path):
    """Otherwise the test above would prove nothing."""
    monkeypatch.chdir(tmp_path)
    pickle.loads(a_value(EXECUTING["reduce"]))
    assert (tmp_path / "executed").exists()


def test_names_what_was_asked_for():
    with pytest.raises(DataError, match=r"asks for 'os\.system'.*not executed"):
        pickles.read(a_value(EXECUTING["reduce"]), "batch")
    with pytest.raises(DataError, match="INST, which calls a function"):
        pickles.read(a_value(EXECUTING["inst"]), "batch")


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_refuses_what_is_broken(content):
    with pytest.raises(DataError, match=r"^batch is not a CIFAR-10 batch"):
        pickles.read(content, "batch")


def test_every_truncation_is_noticed():
    images, labels = making.images_and_labels(2)
    content = making.python2_batch(images, labels)
    for end in [*range(0, 400), *range(400, len(content), 97), len(content) - 1]:
        with pytest.raises(DataError):
            pickles.read(content[:end], "batch")


def test_every_flipped_bit_is_refused_or_harmless():
    """What is accepted has the right shape and the right bytes, perhaps read by columns (one bit says so)."""
    images, labels = making.images_and_labels(2)
    content = making.python2_batch(images, labels)
    start, in_order = content.index(images.tobytes()), np.sort(images, None)
    structure = [*range(start), *range(start + images.nbytes, len(content))]
    refused = 0
    for position in structure:
        for bit in range(8):
            damaged = bytearray(content)
            damaged[position] ^= 1 << bit
            try:
                got = pickles.read(damaged, "batch")
                data = got.get("data")
                if isinstance(data, PickledArray):
                    np.testing.assert_array_equal(
                        np.sort(data.as_array((2, 3072), "batch"), None), in_order
                    )
            except DataError:
                refused += 1
    assert refused > 4 * len(
        structure
    )  # more than half of all; the rest are letters of keys and file names


@pytest.mark.parametrize(
    ("shape", "content", "said"),
    [
        ((2, 3072), bytes(6143), "comes with 6,143 bytes"),
        ((2, 3072), bytes(6145), "comes with 6,145 bytes"),
        ((2, 3071), bytes(6142), r"has the shape \(2, 3071\)"),
        ((6144,), bytes(6144), r"has the shape \(6144,\)"),
        ((-2, -3072), bytes(6144), r"has the shape \(-2, -3072\)"),
        ((2**16, 2**16), b"", r"has the shape \(65536, 65536\)"),
    ],
)
def test_shape_and_bytes_must_agree(shape, content, said):
    array = pickles.read(a_value(making.python2_array(shape, content)), "batch")["data"]
    with pytest.raises(DataError, match=f"^batch: its array .*{said}"):
        array.as_array((2, 3072), "batch")


def test_an_array_without_a_state_is_none():
    stateless = making.python2_array((1,), b"x").partition(b"(")[0]
    array = pickles.read(a_value(stateless), "batch")["data"]
    with pytest.raises(DataError, match="has no shape"):
        array.as_array((2, 3072), "batch")


def test_a_shape_that_is_no_tuple_of_numbers():
    strange = making.python2_array((2, 3072), bytes(6144)).replace(b"K\x02M\x00\x0c\x86", b"]]\x86")
    array = pickles.read(a_value(strange), "batch")["data"]
    with pytest.raises(DataError, match="has no shape"):
        array.as_array((2, 3072), "batch")


def test_an_empty_array_of_huge_dimensions():
    array = PickledArray((0, 2**62), "C", b"")
    with pytest.raises(DataError, match="has the shape"):
        array.as_array((2, 3072), "batch")


def test_frames_may_be_any_length():
    assert pickles.read(b"\x80\x04" + struct.pack("<BQ", 0x95, 2**60) + b"}.", "batch") == {}
