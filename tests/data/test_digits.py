"""digits: the real thing, dealt out once and for all."""

import hashlib

import numpy as np
import pytest

from normlab.data import digits, load
from normlab.errors import DataError

CLASS_COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]  # as UCI publishes them


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    with np.load(digits.PLACE) as arrays:
        return dict(arrays)


def test_the_images_are_those_of_the_publisher(stored):
    assert stored["images"].shape == (1797, 8, 8)
    assert stored["images"].dtype == np.uint8
    assert (stored["images"].min(), stored["images"].max()) == (0, 16)
    assert np.bincount(stored["labels"]).tolist() == CLASS_COUNTS
    assert stored["labels"][:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert stored["images"][0, :2].tolist() == [
        [0, 0, 5, 13, 9, 1, 0, 0],
        [0, 0, 13, 15, 10, 15, 5, 0],
    ]


def test_the_licence_names_source_licence_and_content(stored):
    text = digits.PLACE.with_name("LICENSE.txt").read_text()
    for fact in (
        "Alpaydin",
        "Kaynak",
        "10.24432/C50P49",
        "CC BY 4.0",
        "Optical Recognition of Handwritten Digits",
    ):
        assert fact in text
    for name in ("images", "labels"):
        assert hashlib.sha256(stored[name].tobytes()).hexdigest() in text
    np.testing.assert_array_equal(stored["order"], np.random.RandomState(0).permutation(1797))


def test_the_three_parts_are_all_images_once(stored):
    data = load("digits", subtract_mean=False)
    assert (data.X_train.shape, data.X_val.shape, data.X_test.shape) == (
        (1000, 1, 8, 8),
        (400, 1, 8, 8),
        (397, 1, 8, 8),
    )
    dealt = np.concatenate([data.X_train, data.X_val, data.X_test]).reshape(1797, 64)
    np.testing.assert_array_equal(
        dealt * 16 / 255, stored["images"][stored["order"]].reshape(1797, 64)
    )
    labels = np.concatenate([data.y_train, data.y_val, data.y_test])
    np.testing.assert_array_equal(labels, stored["labels"][stored["order"]])


def test_every_part_has_every_digit():
    data = load("digits")
    for labels in (data.y_train, data.y_val, data.y_test):
        assert np.bincount(labels, minlength=10).min() >= len(labels) / 14


def test_the_fingerprint_is_the_same_on_every_machine():
    """Results are stored under it: a change here orphans every record on digits."""
    assert load("digits").spec.fingerprint == "67f8f3a031491a3d"


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 half a zip", b"\x93NUMPY"])
def test_a_damaged_installation(tmp_path, monkeypatch, content):
    place = tmp_path / "digits.npz"
    if content is not None:
        place.write_bytes(content)
    monkeypatch.setattr(digits, "PLACE", place)
    with pytest.raises(DataError, match=r"digits\.npz.* part of the package.*install normlab anew"):
        load("digits")


def test_every_flipped_bit_is_noticed(tmp_path):
    content = bytearray(digits.PLACE.read_bytes())
    for place in range(0, len(content), 997):
        content[place] ^= 1
        (tmp_path / "digits.npz").write_bytes(content)
        with pytest.raises(DataError, match="is damaged: it has another SHA-256"):
            next(digits.chunks(tmp_path / "digits.npz"))
        content[place] ^= 1
