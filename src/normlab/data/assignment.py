"""The assignment's functions for data: `load_CIFAR_batch`, `load_CIFAR10`, `get_CIFAR10_data`, `get_mnist_data`.

Names, arguments and results are the course's (`cs682.data_utils`). What differs is behind the door:
either edition of the data set is read, in its folder or its archive, and no pickle is ever
executed.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np

from normlab.data import cifar10
from normlab.data.loading import checked_count, load
from normlab.data.parts import Wanted, gather
from normlab.data.places import VARIABLE, advice, find
from normlab.typing import Array

_TRAINING, _TEST = 50_000, 10_000
_CHANNELS_LAST = (
    0,
    2,
    3,
    1,
)  # (n, height, width, channels), as the course has images before it transposes them


def load_CIFAR_batch(filename: str | os.PathLike[str]) -> tuple[Array, Array]:
    """One batch file: images (10000, 32, 32, 3) float64 from 0 to 255, and labels (10000,).

    Raises DataError that names the file where it is missing, broken, mislabelled or no batch.
    """
    images, labels = cifar10.read_batch(Path(filename))
    return images.reshape(-1, *cifar10.SHAPE).transpose(_CHANNELS_LAST).astype(
        np.float64, order="C"
    ), labels


def load_CIFAR10(ROOT: str | os.PathLike[str]) -> tuple[Array, Array, Array, Array]:
    """All of CIFAR-10 from the folder or archive `ROOT`: X_train, y_train, X_test, y_test.

    Images are (50000, 32, 32, 3) and (10000, 32, 32, 3), float64 from 0 to 255: 1.5 GB. Where there
    is no `ROOT` and NORMLAB_DATA names a folder, the data are read from there, and a warning says
    so. Raises DataError.
    """
    X = {"train": np.empty((_TRAINING, 32, 32, 3)), "test": np.empty((_TEST, 32, 32, 3))}
    y = {"train": np.empty(_TRAINING, np.int64), "test": np.empty(_TEST, np.int64)}
    place = find("cifar10", _existing(ROOT))
    with advice("cifar10"):
        for chunk in cifar10.chunks(place):
            here = slice(chunk.first, chunk.first + len(chunk.labels))
            X[chunk.split][here] = chunk.images.transpose(_CHANNELS_LAST)
            y[chunk.split][here] = chunk.labels
    return X["train"], y["train"], X["test"], y["test"]


def _existing(root: str | os.PathLike[str]) -> str | os.PathLike[str] | None:
    """The folder that a notebook names; None, for NORMLAB_DATA, where that is set and the notebook's is not there."""
    if os.path.exists(root) or not os.environ.get(VARIABLE):
        return root
    warnings.warn(
        f"{os.fspath(root)!r} does not exist; CIFAR-10 is read from {os.environ[VARIABLE]}, which "
        f"{VARIABLE} names",
        UserWarning,
        stacklevel=3,
    )
    return None


def get_CIFAR10_data(
    num_training: int = 49000,
    num_validation: int = 1000,
    num_test: int = 1000,
    subtract_mean: bool = True,
    *,
    data_dir: str | os.PathLike[str] | None = None,
) -> dict[str, Array]:
    """CIFAR-10 as the assignment's notebooks use it: a dictionary for the Solver.

    X_train (num_training, 3, 32, 32) are the first training images, X_val the `num_validation` next
    ones, X_test the first test images; float64, less the mean of X_train unless `subtract_mean` is
    False. y_train, y_val and y_test are their labels. By default this takes 1.3 GB.

    The data are looked for in `data_dir`, or NORMLAB_DATA, or `cs682/datasets` and the working
    directory (`places`). Raises DataError where they are missing or broken, OptionError for more
    images than exist.
    """
    num_training = checked_count(
        "num_training", num_training, _TRAINING, f"CIFAR-10 has {_TRAINING:,} training images"
    )
    left = _TRAINING - num_training
    num_validation = checked_count(
        "num_validation",
        num_validation,
        left,
        f"{left:,} of 50,000 training images are left",
        least=0,
    )
    num_test = checked_count(
        "num_test", num_test, _TEST, f"CIFAR-10 has {_TEST:,} test images", least=0
    )
    train, val = range(num_training), range(num_training, num_training + num_validation)
    wanted = Wanted(train, val, mean_over=train, test=range(num_test))
    place = find("cifar10", data_dir)
    with advice("cifar10"):
        parts = gather(cifar10.chunks(place), cifar10.CIFAR10.layout, wanted, subtract_mean)
    return parts._asdict()


def get_mnist_data(
    num_training: int = 50_000,
    num_validation: int = 10_000,
    num_test: int = 10_000,
    subtract_mean: bool = True,
    *,
    data_dir: str | os.PathLike[str] | None = None,
) -> dict[str, Array]:
    """MNIST as get_CIFAR10_data has CIFAR-10: X_train (num_training, 1, 28, 28), y_train, and so on.

    Validation images are those from the 50,000th on. The data are looked for in `data_dir`, or
    NORMLAB_DATA, or the usual places. Raises DataError where they are missing or broken,
    OptionError for more images than exist.
    """
    return load(
        "mnist",
        data_dir,
        num_training=num_training,
        num_validation=num_validation,
        num_test=num_test,
        subtract_mean=subtract_mean,
    ).as_dict()
