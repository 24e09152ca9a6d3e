"""MNIST's IDX files: plain and compressed, truncated, mislabelled, and other data sets of the same names."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

from normlab.data import mnist
from normlab.errors import DataError
from proof.hostile import making
from proof.hostile.idx import IDX_FILES, LABELS


@pytest.mark.parametrize("wrap", [bytes, making.gz])
def test_reads_images_and_labels(tmp_path, wrap):
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    (tmp_path / "images").write_bytes(wrap(making.idx(images)))
    (tmp_path / "labels").write_bytes(wrap(making.idx(LABELS)))
    np.testing.assert_array_equal(mnist.read_idx(tmp_path / "images", (20, 28, 28)), images)
    np.testing.assert_array_equal(mnist.read_idx(tmp_path / "labels", (20,)), LABELS)


@pytest.mark.parametrize("what", IDX_FILES)
def test_refuses(tmp_path, what):
    (tmp_path / "labels").write_bytes(IDX_FILES[what])
    with pytest.raises(DataError, match=r"labels (is|has|announces)"):
        mnist.read_idx(tmp_path / "labels", (20,))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (
            "images, not labels",
            "not a file of IDX labels: it begins with 00000803, not with 00000801",
        ),
        ("announces 21", r"announces an array of shape \(21,\); this file of MNIST has \(20,\)"),
        ("one label short", "has 19 of the 20 bytes"),
        ("one label more", "has more than the 20 bytes"),
        ("half a header", "ends inside its header"),
        ("400 MB of zeros, compressed", "has more than the 20 bytes"),
        ("truncated, compressed", "truncated"),
    ],
)
def test_says_what_is_wrong(tmp_path, what, said):
    (tmp_path / "labels").write_bytes(IDX_FILES[what])
    with pytest.raises(DataError, match=said):
        mnist.read_idx(tmp_path / "labels", (20,))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html><html>", "begins as a web page does"),
        (b"", r"is empty \(0 bytes\)"),
        (b"PK\x03\x04", "begins as a zip archive does"),
    ],
)
def test_another_kind_of_file_is_called_by_its_name(tmp_path, content, said):
    (tmp_path / "labels").write_bytes(content)
    with pytest.raises(DataError, match=said):
        mnist.read_idx(tmp_path / "labels", (20,))


def keras_file(folder: Path, path: Path, **changes: object) -> Path:
    """Keras's `mnist.npz` of the synthetic data, its arrays changed or, where None, left out."""
    arrays = {}
    for split, chunk in zip(("train", "test"), mnist.chunks(folder), strict=True):
        arrays |= {f"x_{split}": chunk.images[:, 0], f"y_{split}": chunk.labels.astype(np.uint8)}
    np.savez_compressed(path, **{k: v for k, v in {**arrays, **changes}.items() if v is not None})
    return path


def test_keras_s_file_is_the_same_data(synthetic_mnist, tmp_path):
    path = keras_file(synthetic_mnist, tmp_path / "mnist.npz")
    for ours, theirs in zip(mnist.chunks(synthetic_mnist), mnist.chunks(path), strict=True):
        assert np.array_equal(ours.images, theirs.images)
        assert np.array_equal(ours.labels, theirs.labels)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"x_train": np.zeros((2, 28, 28), np.uint8)}, r"has x_train of shape \(2, 28, 28\)"),
        ({"y_train": np.zeros(60_000)}, "type float64"),
        ({"y_train": np.array([None] * 3)}, r"type object"),
        ({"x_test": None}, "x_test: .*no item named"),
        ({"y_test": np.zeros(10_000, np.uint8)}, "does not hold the data set its name says"),
    ],
)
def test_another_archive_is_not_taken_for_keras_s(synthetic_mnist, tmp_path, changes, said):
    path = keras_file(synthetic_mnist, tmp_path / "mnist.npz", **changes)
    with pytest.raises(DataError, match=said):
        list(mnist.chunks(path))


@pytest.mark.parametrize("content", [b"PK\x03\x04 no more", b"<html>", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_archive_is_a_sentence(tmp_path, content):
    (tmp_path / "mnist.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"is not Keras's mnist\.npz, or a damaged one"):
        list(mnist.chunks(tmp_path / "mnist.npz"))


def test_chunks_are_the_two_official_sets(synthetic_mnist):
    train, test = mnist.chunks(synthetic_mnist)
    assert (train.split, train.first, train.images.shape) == ("train", 0, (60_000, 1, 28, 28))
    assert (test.split, test.first, test.images.shape) == ("test", 0, (10_000, 1, 28, 28))
    np.testing.assert_array_equal(train.images[:, 0, 3, 5], np.arange(60_000) % 256)
    assert np.bincount(test.labels)[1] == 1135


@pytest.fixture
def copy(synthetic_mnist, tmp_path) -> Path:
    for path in synthetic_mnist.iterdir():
        (tmp_path / path.name).symlink_to(path)
    return tmp_path


def test_plain_files_do_as_well(copy):
    compressed = copy / "t10k-labels-idx1-ubyte.gz"
    (copy / "t10k-labels-idx1-ubyte").write_bytes(gzip.decompress(compressed.read_bytes()))
    compressed.unlink()
    assert len(list(mnist.chunks(copy))) == 2


def test_a_missing_file_is_named(copy):
    (copy / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte is missing"):
        list(mnist.chunks(copy))


def test_test_images_in_the_place_of_training_images(copy):
    (copy / "train-images-idx3-ubyte.gz").unlink()
    shutil.copy(copy / "t10k-images-idx3-ubyte.gz", copy / "train-images-idx3-ubyte.gz")
    with pytest.raises(
        DataError, match=r"train-images.* announces an array of shape \(10000, 28, 28\)"
    ):
        list(mnist.chunks(copy))


def test_fashion_mnist_is_not_taken_for_mnist(copy):
    """It has the same names, shapes and number of images, and 6,000 of each class."""
    labels = copy / "train-labels-idx1-ubyte.gz"
    labels.unlink()
    labels.write_bytes(making.gz(making.idx(np.arange(60_000) % 10)))
    with pytest.raises(
        DataError, match=r"train-labels-idx1-ubyte\.gz does not hold the data set its name says"
    ):
        list(mnist.chunks(copy))


@pytest.mark.parametrize("label", [10, 255])
def test_labels_out_of_range(copy, label):
    path = copy / "train-labels-idx1-ubyte.gz"
    path.unlink()
    path.write_bytes(making.gz(making.idx(np.full(60_000, label))))
    with pytest.raises(DataError, match=f"label 1 is {label}"):
        list(mnist.chunks(copy))


def test_the_real_digits(real_mnist):
    train, test = mnist.chunks(real_mnist)
    assert train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    # the mean pixel and deviation that everybody normalizes MNIST with, 0.1307 and 0.3081
    pixels = np.arange(256) / 255
    shares = np.bincount(train.images.ravel(), minlength=256) / train.images.size
    mean = shares @ pixels
    assert round(float(mean), 4) == 0.1307
    assert round(float(np.sqrt(shares @ (pixels - mean) ** 2)), 4) == 0.3081
