"""Labels, checked: in range, and as many of each class as the publisher counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from normlab.errors import DataError
from normlab.typing import Array


def checked_labels(labels: Sequence[int] | Array, where: str, classes: int = 10) -> Array:
    """The labels as int64. Raises DataError that names the first which is not of 0 to `classes` - 1.

    >>> checked_labels([3, 12, 9], "data_batch_1")
    Traceback (most recent call last):
    ...
    normlab.errors.DataError: data_batch_1: label 2 is 12; classes are numbered 0 to 9
    """
    array = np.asarray(labels, np.int64)
    wrong = np.flatnonzero((array < 0) | (array >= classes))
    if wrong.size:
        first = int(wrong[0])
        raise DataError(
            f"{where}: label {first + 1} is {array[first]}; classes are numbered 0 to {classes - 1}"
        )
    return array


def check_class_counts(place: Path, what: str, counts: Array, official: Sequence[int]) -> None:
    """Raise a DataError unless there are as many images of each class as in the official data set."""
    if counts.tolist() != list(official):
        raise DataError(
            f"{place} does not hold the data set its name says: of its classes it has "
            f"{counts.tolist()} {what} images, and the official one {list(official)}. A file may "
            "be there twice under two names"
        )
