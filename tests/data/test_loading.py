"""`load`: one form for all data sets, and the numbers that the assignment's notebook sees."""

from itertools import pairwise

import numpy as np
import pytest

from normlab.data import fetch, load
from normlab.data.parts import Chunk, Layout, Wanted, gather
from normlab.errors import DataError, OptionError


def test_cifar10_as_the_studies_see_it(synthetic):
    """The first 1,000 images, validation from 49,000 on, less the mean of all 49,000: done here the plain way."""
    data = load("cifar10", synthetic.folder)
    mean = synthetic.train[:49_000].mean(axis=0, dtype=np.float64)
    for part, images in (
        ("train", synthetic.train[:1000]),
        ("val", synthetic.train[49_000:]),
        ("test", synthetic.test[:1000]),
    ):
        got = getattr(data, f"X_{part}")
        assert got.dtype == np.float64
        np.testing.assert_array_equal(got, (images - mean).reshape(1000, 3, 32, 32))
    np.testing.assert_array_equal(data.y_train, synthetic.y_train[:1000])
    np.testing.assert_array_equal(data.y_val, synthetic.y_train[49_000:])
    np.testing.assert_array_equal(data.y_test, synthetic.y_test[:1000])
    assert data.spec.input_dim == 3072
    assert str(synthetic.folder / "cifar-10-batches-py") in data.source
    archive = load("cifar10", synthetic.folder / "binary")
    assert archive.spec == data.spec
    assert archive.source != data.source


def test_mnist_validates_on_its_last_ten_thousand(synthetic_mnist):
    data = load("mnist", synthetic_mnist, num_validation=10_000, num_test=7, subtract_mean=False)
    np.testing.assert_array_equal(data.X_val[:, 0, 0, 0], np.arange(50_000, 60_000) % 256)
    assert (data.X_train.shape, data.X_test.shape) == ((1000, 1, 28, 28), (7, 1, 28, 28))
    centred = load("mnist", synthetic_mnist, num_training=3)
    np.testing.assert_array_equal(
        centred.X_train[:, 0, 5, 5], np.arange(3) - (np.arange(50_000) % 256).mean()
    )


def test_digits_have_the_pixel_scale_of_the_others():
    raw = load("digits", subtract_mean=False)
    assert (raw.X_train.min(), raw.X_train.max()) == (0, 255)
    data = load("digits", num_training=300)
    np.testing.assert_array_equal(
        data.X_train, raw.X_train[:300] - raw.X_train.mean(axis=0)
    )  # of all 1,000
    np.testing.assert_allclose(
        load("digits").X_train.mean(axis=0), 0, atol=1e-12
    )  # 1,000 sums of values below 255


def test_sizes_do_not_change_which_images_come_first():
    small, large = load("digits", num_training=10, num_validation=5, num_test=3), load("digits")
    for part, count in (("train", 10), ("val", 5), ("test", 3)):
        np.testing.assert_array_equal(
            getattr(small, f"X_{part}"), getattr(large, f"X_{part}")[:count]
        )
        np.testing.assert_array_equal(
            getattr(small, f"y_{part}"), getattr(large, f"y_{part}")[:count]
        )
    assert small.spec.fingerprint != large.spec.fingerprint


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"num_training": 1001}, "num_training=1001 is too many: digits has 1,000 training images"),
        (
            {"num_validation": 401},
            "num_validation=401 is too many: digits has 400 validation images",
        ),
        ({"num_test": 398}, "num_test=398 is too many: digits has 397 test images"),
        ({"num_training": 0}, "num_training=0 is not a whole number >= 1"),
        ({"num_test": -1}, "num_test=-1 is not a whole number >= 1"),
        ({"num_training": 10.0}, "num_training=10.0 is not a whole number"),
        ({"num_training": "10"}, "num_training='10' is not a whole number"),
        ({"num_training": True}, "num_training=True is not a whole number"),
    ],
)
def test_refuses_sizes(arguments, said):
    with pytest.raises(OptionError, match=said):
        load("digits", **arguments)


def test_sizes_are_checked_before_the_data_are_looked_for():
    with pytest.raises(OptionError, match="cifar10 has 49,000 training images"):
        load("cifar10", num_training=50_000)


def test_an_unknown_name():
    with pytest.raises(
        OptionError, match=r"data set='cifar' is not one of .*; did you mean 'cifar10'\?"
    ):
        load("cifar")


def test_a_broken_file_says_how_to_get_a_whole_one(tmp_path):
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"half a download")
    with pytest.raises(
        DataError,
        match=r"binary\.tar\.gz is truncated.*`normlab data fetch cifar10` gets a fresh copy",
    ):
        load("cifar10", tmp_path)


def test_download_is_asked_for(tmp_path, monkeypatch):
    asked = []

    def fake_fetch(name, folder):
        asked.append((name, folder))
        raise DataError("no network")

    monkeypatch.setattr("normlab.data.loading.fetch", fake_fetch)
    with pytest.raises(DataError, match="was not found"):
        load("mnist", tmp_path)
    assert asked == []
    with pytest.raises(DataError, match="no network"):
        load("mnist", tmp_path, download=True)
    assert asked == [("mnist", tmp_path)]
    assert callable(fetch)


def test_download_fetches_nothing_that_is_there(synthetic_mnist, monkeypatch):
    monkeypatch.setattr("normlab.data.loading.fetch", None)
    assert len(load("mnist", synthetic_mnist, download=True).X_train) == 1000


@pytest.mark.parametrize("cuts", [[0, 10], [0, 1, 2, 10], [0, 5, 10], [0, 3, 7, 10]])
def test_parts_do_not_depend_on_the_chunks(cuts):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (10, 2, 3, 3), np.uint8), np.arange(10)
    layout = Layout((2, 3, 3), 0.5, (8, 2, 4), (8, 2, 4))
    chunks = [Chunk("train", a, images[a:b], labels[a:b]) for a, b in pairwise(cuts)]
    chunks.insert(1, Chunk("test", 0, images[:4] // 2, labels[:4]))
    wanted = Wanted(range(2, 6), range(8, 10), mean_over=range(1, 8), test=range(3))
    parts = gather(reversed(chunks), layout, wanted, subtract_mean=True)
    mean = (images[1:8] * 0.5).mean(axis=0)
    np.testing.assert_allclose(parts.X_train, images[2:6] * 0.5 - mean, rtol=1e-14, atol=1e-12)
    np.testing.assert_allclose(parts.X_val, images[8:] * 0.5 - mean, rtol=1e-14, atol=1e-12)
    np.testing.assert_allclose(parts.X_test, images[:3] // 2 * 0.5 - mean, rtol=1e-14, atol=1e-12)
    assert (parts.y_train.tolist(), parts.y_val.tolist(), parts.y_test.tolist()) == (
        [2, 3, 4, 5],
        [8, 9],
        [0, 1, 2],
    )


def test_the_real_images_of_the_studies(real_cifar10):
    """The assignment's first 1,000 training images, by their labels; the mean pixels the course prints."""
    data = load("cifar10", real_cifar10, subtract_mean=False)
    assert data.y_train[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    mean = data.X_train - load("cifar10", real_cifar10).X_train
    course = [130.64189796, 135.98173469, 132.47391837, 130.05569388]
    # to 0.6 of 255: where most images are decoded from a JPEG copy, the blue channel's mean is off
    # by 0.5
    np.testing.assert_allclose(mean[0].transpose(1, 2, 0).flat[:4], course, atol=0.6)
