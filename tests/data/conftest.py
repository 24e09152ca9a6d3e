"""Synthetic data sets in the official layout and size, and the real ones where they are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from proof.hostile import making

ROOT = Path(__file__).parents[2]


class Synthetic(NamedTuple):
    """All of a made-up CIFAR-10: its images and labels, and the folder that holds it in both editions."""

    train: np.ndarray  # (50000, 3072) uint8
    y_train: np.ndarray
    test: np.ndarray  # (10000, 3072) uint8
    y_test: np.ndarray
    folder: Path  # cifar-10-batches-py/, and binary/cifar-10-binary.tar.gz


@pytest.fixture(autouse=True)
def _no_data_of_the_person_running_the_tests(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Neither NORMLAB_DATA nor the working directory nor a filled cache decides what a test sees."""
    empty = tmp_path_factory.mktemp("empty")
    monkeypatch.delenv("NORMLAB_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(empty / "cache"))
    monkeypatch.chdir(empty)


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synthetic]:
    """60,000 images, each of which is recognizable; 220 MB on the disk, removed afterwards."""
    number = np.arange(60_000)
    images = np.empty((60_000, 3072), np.uint8)
    images[:] = (number % 251)[:, None]
    images[:, 0], images[:, 1], images[:, 1024] = number // 256, number % 256, number % 7
    # Sorted by class, so that a batch which is there twice upsets the balance, as in the official
    # data.
    labels = np.concatenate([np.arange(50_000) // 5_000, np.arange(10_000) // 1_000]).astype(
        np.uint8
    )
    folder = tmp_path_factory.mktemp("cifar10")
    (folder / "cifar-10-batches-py").mkdir()
    members = []
    for index, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        these = slice(index * 10_000, (index + 1) * 10_000)
        said = (
            "testing batch 1 of 1" if name == "test_batch" else f"training batch {index + 1} of 5"
        )
        content = making.python2_batch(images[these], labels[these], said)
        (folder / "cifar-10-batches-py" / name).write_bytes(content)
        members.append(
            (f"cifar-10-batches-bin/{name}.bin", making.binary_batch(images[these], labels[these]))
        )
    (folder / "binary").mkdir()
    members.sort(reverse=True)  # the official archives are in no particular order either
    (folder / "binary" / "cifar-10-binary.tar.gz").write_bytes(making.tar_gz(members))
    yield Synthetic(images[:50_000], labels[:50_000], images[50_000:], labels[50_000:], folder)
    shutil.rmtree(folder)


MNIST_COUNTS = {
    "train": (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
    "t10k": (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
}


@pytest.fixture(scope="session")
def synthetic_mnist(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of four files in MNIST's names, sizes and class counts: image i is i % 256 everywhere."""
    folder = tmp_path_factory.mktemp("mnist")
    for start, counts in MNIST_COUNTS.items():
        labels = np.repeat(np.arange(10), counts)
        images = np.broadcast_to(
            (np.arange(len(labels)) % 256).astype(np.uint8)[:, None, None], (len(labels), 28, 28)
        )
        (folder / f"{start}-labels-idx1-ubyte.gz").write_bytes(making.gz(making.idx(labels)))
        (folder / f"{start}-images-idx3-ubyte.gz").write_bytes(making.gz(making.idx(images)))
    yield folder
    shutil.rmtree(folder)


_GIVEN = os.environ.get("NORMLAB_DATA")  # read before a test hides it


def _real(name: str) -> Path:
    from normlab.data import find
    from normlab.errors import DataError

    for folder in filter(None, (_GIVEN, ROOT.parent / "shared" / "data")):
        try:
            return find(name, folder)
        except DataError:
            continue
    pytest.skip(f"real {name} is neither where NORMLAB_DATA points nor in ../shared/data")


@pytest.fixture
def real_cifar10() -> Path:
    """Real CIFAR-10 images in either edition."""
    return _real("cifar10")


@pytest.fixture
def real_mnist() -> Path:
    """Real MNIST."""
    return _real("mnist")
