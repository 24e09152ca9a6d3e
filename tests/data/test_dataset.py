"""Dataset: a value with a fingerprint."""

import dataclasses
import pickle
import subprocess
import sys

import numpy as np
import pytest

from normlab.data import Dataset
from normlab.data.dataset import fingerprint
from normlab.errors import ShapeError
from normlab.specs import DataSpec


def arrays(features: int = 4) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    parts = {"train": 6, "val": 3, "test": 2}
    X = {f"X_{part}": rng.normal(size=(count, features)) for part, count in parts.items()}
    return X | {f"y_{part}": rng.integers(0, 10, count) for part, count in parts.items()}


def test_its_spec_says_what_it_is():
    data = Dataset("made up", **arrays())
    print_ = fingerprint(data.as_dict())
    assert data.spec == DataSpec(
        "made up", num_train=6, num_val=3, input_dim=4, num_classes=10, fingerprint=print_
    )
    assert list(data.as_dict()) == ["X_train", "y_train", "X_val", "y_val", "X_test", "y_test"]


@pytest.mark.parametrize("name", ["X_train", "y_train", "X_val", "y_val", "X_test", "y_test"])
def test_every_array_counts_in_the_fingerprint(name):
    changed = arrays()
    changed[name] = changed[name].copy()
    changed[name].flat[-1] = 9 if name[0] == "y" and changed[name].flat[-1] != 9 else 1
    assert Dataset("a", **changed).spec.fingerprint != Dataset("a", **arrays()).spec.fingerprint


def test_the_fingerprint_sees_type_shape_and_name_but_not_layout():
    x = np.arange(12.0)
    same = {"x": x.reshape(3, 4)}
    assert fingerprint(same) == fingerprint({"x": np.asfortranarray(x.reshape(3, 4))})
    assert fingerprint(same) == fingerprint({"x": x.reshape(3, 4).astype(">f8")})
    others = [
        {"x": x.reshape(4, 3)},
        {"x": x.reshape(3, 4).astype(np.float32)},
        {"y": x.reshape(3, 4)},
        {},
    ]
    assert len({fingerprint(same), *map(fingerprint, others)}) == 5
    zeros = np.zeros(3)  # the same bytes as integers
    assert fingerprint({"x": zeros}) != fingerprint({"x": zeros.astype(np.int64)})


def test_it_cannot_be_changed_under_its_fingerprint():
    given = arrays()
    data = Dataset("a", **given)
    with pytest.raises(ValueError, match="read-only"):
        data.X_train += 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.X_train = given["X_train"]  # type: ignore[misc]
    given["X_train"] += 1  # the caller's own array is still the caller's


def test_it_travels_to_other_processes():
    data = Dataset("a", **arrays())
    assert pickle.loads(pickle.dumps(data)).spec == data.spec


def test_it_prints_on_one_line():
    assert (
        repr(Dataset("a", **arrays()))
        == "Dataset('a': 6 training, 3 validation, 2 test images of (4,), given as arrays)"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"X_val": np.zeros((3, 5))}, r"X_val of a has shape \(3, 5\); X_train has \(6, 4\)"),
        ({"X_train": np.zeros(6)}, "X_train of a has shape"),
        ({"y_test": np.zeros(3, int)}, r"y_test of a has shape \(3,\) for 2 images"),
        ({"y_test": np.zeros(2)}, "y_test of a is not of whole numbers from 0 to 9"),
        ({"y_val": np.array([0, 10, 1])}, "y_val of a is not of whole numbers from 0 to 9"),
        ({"y_val": np.array([0, -1, 1])}, "y_val of a is not of whole numbers from 0 to 9"),
    ],
)
def test_it_refuses_what_does_not_fit(change, said):
    with pytest.raises(ShapeError, match=said):
        Dataset("a", **(arrays() | change))


def test_data_import_no_heavy_guest():
    """`import normlab.data` loads NumPy and nothing that takes long: pooch comes with the first download."""
    code = "import sys, normlab.data; print([m for m in ('pooch', 'requests', 'tarfile', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
