"""The assignment's three functions, against the course's recipe written out plainly."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from normlab.data import get_CIFAR10_data, load, load_CIFAR10, load_CIFAR_batch
from normlab.errors import DataError, OptionError
from proof.hostile import making


def test_signatures_are_the_courses():
    assert str(inspect.signature(load_CIFAR_batch)).startswith("(filename:")
    assert str(inspect.signature(load_CIFAR10)).startswith("(ROOT:")
    parameters = list(inspect.signature(get_CIFAR10_data).parameters.values())
    assert [(p.name, p.default) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD] == [
        ("num_training", 49000),
        ("num_validation", 1000),
        ("num_test", 1000),
        ("subtract_mean", True),
    ]


def test_load_batch(synthetic):
    X, y = load_CIFAR_batch(str(synthetic.folder / "cifar-10-batches-py" / "data_batch_2"))
    assert (X.shape, X.dtype, y.shape) == ((10_000, 32, 32, 3), np.float64, (10_000,))
    expected = synthetic.train[10_000:20_000].reshape(10_000, 3, 32, 32)
    np.testing.assert_array_equal(X[:50], expected[:50].transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(X[:, 0, 0, 1], synthetic.train[10_000:20_000, 1024])
    np.testing.assert_array_equal(y, synthetic.y_train[10_000:20_000])


def test_load_batch_refuses_with_the_name(tmp_path):
    with pytest.raises(DataError, match=r"data_batch_9 is missing"):
        load_CIFAR_batch(tmp_path / "data_batch_9")
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(making.gz(b"x"))
    with pytest.raises(DataError, match="is an archive where one batch was expected"):
        load_CIFAR_batch(tmp_path / "cifar-10-python.tar.gz")


def test_load_all(synthetic):
    X_train, y_train, X_test, y_test = load_CIFAR10(synthetic.folder)
    assert (X_train.shape, X_test.shape) == ((50_000, 32, 32, 3), (10_000, 32, 32, 3))
    np.testing.assert_array_equal(
        X_train[:, 0, 0, 0] * 256 + X_train[:, 0, 1, 0], np.arange(50_000)
    )
    np.testing.assert_array_equal(X_test[:, 5, 5, 1], synthetic.test[:, 1024 + 5 * 32 + 5])
    np.testing.assert_array_equal(y_train, synthetic.y_train)
    np.testing.assert_array_equal(y_test, synthetic.y_test)


@pytest.mark.parametrize("subtract_mean", [True, False])
def test_get_data_as_the_course_computes_it(synthetic, subtract_mean):
    def channels_last(images):
        return images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).astype("float")

    X, X_test = channels_last(synthetic.train[:900]), channels_last(synthetic.test[:100])
    y, y_test = synthetic.y_train, synthetic.y_test
    got = get_CIFAR10_data(700, 200, 100, subtract_mean, data_dir=synthetic.folder)
    mean = np.mean(X[:700], axis=0) if subtract_mean else 0
    for part, images, labels in (
        ("train", X[:700], y[:700]),
        ("val", X[700:900], y[700:900]),
        ("test", X_test, y_test[:100]),
    ):
        np.testing.assert_array_equal(got[f"X_{part}"], (images - mean).transpose(0, 3, 1, 2))
        np.testing.assert_array_equal(got[f"y_{part}"], labels)
    assert list(got) == ["X_train", "y_train", "X_val", "y_val", "X_test", "y_test"]
    got["X_train"] += 1  # the notebook's to change


def test_the_studies_see_what_the_notebook_sees(synthetic):
    notebook = get_CIFAR10_data(data_dir=synthetic.folder)
    assert [notebook[name].shape for name in ("X_train", "X_val", "X_test")] == [
        (49_000, 3, 32, 32),
        (1_000, 3, 32, 32),
        (1_000, 3, 32, 32),
    ]
    assert notebook["X_train"].flags.c_contiguous
    studies = load("cifar10", synthetic.folder)
    for name, array in studies.as_dict().items():
        np.testing.assert_array_equal(array, notebook[name][:1000])


def test_the_data_are_found_where_the_assignment_keeps_them(synthetic):
    (Path.cwd() / "cs682" / "datasets").mkdir(parents=True)
    (Path.cwd() / "cs682" / "datasets" / "cifar-10-batches-py").symlink_to(
        synthetic.folder / "cifar-10-batches-py"
    )
    assert len(get_CIFAR10_data(10, 5, 5)["X_val"]) == 5


def test_no_validation_and_test_images_at_all(synthetic):
    got = get_CIFAR10_data(10, 0, 0, data_dir=synthetic.folder)
    assert (got["X_val"].shape, got["y_test"].shape) == ((0, 3, 32, 32), (0,))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((50_001,), "num_training=50001 is too many: CIFAR-10 has 50,000 training images"),
        ((49_500,), "num_validation=1000 is too many: 500 of 50,000 training images are left"),
        ((1, 1, 10_001), "num_test=10001 is too many: CIFAR-10 has 10,000 test images"),
        ((0,), "num_training=0 is not a whole number >= 1"),
        ((1, -1), "num_validation=-1 is not a whole number >= 0"),
    ],
)
def test_refuses_sizes(arguments, said):
    with pytest.raises(OptionError, match=said):
        get_CIFAR10_data(*arguments)


def test_missing_data():
    with pytest.raises(
        DataError, match=r"cifar10 was not found.*cs682.*normlab data fetch cifar10"
    ):
        get_CIFAR10_data()
