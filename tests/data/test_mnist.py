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
        ("images, not labels", "not a file of IDX labels: it begins with 00000803, not 00000801"),
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
    with pytest.raises(DataError, match=r"train-images.* announces an array of shape \(10000, 28, 28\)"):
        list(mnist.chunks(copy))


def test_fashion_mnist_is_not_taken_for_mnist(copy):
    """It has the same names, shapes and number of images, and 6,000 of each class."""
    labels = copy / "train-labels-idx1-ubyte.gz"
    labels.unlink()
    labels.write_bytes(making.gz(making.idx(np.arange(60_000) % 10)))
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte\.gz does not hold the data set its name says"):
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
