"""`load`: a data set by name, ready for training.

Every data set comes in the same form: float64, (n, channels, height, width), pixels from 0 to 255,
less the mean training image. One scale for all, because the assignment's weight scales and learning
rates were chosen for CIFAR-10's pixels: a `weight_scale` then means the same on each. The counts 0
to 16 of digits are therefore multiplied by 255/16.

The mean image is that of all images set aside for training (digits 1,000, CIFAR-10 49,000, MNIST
50,000), not only of those taken, so the studies on CIFAR-10's first 1,000 see the very numbers that
the notebook sees.
"""

from __future__ import annotations

import os
from pathlib import Path

from normlab.data.data_sets import data_set
from normlab.data.dataset import Dataset
from normlab.data.download import fetch
from normlab.data.parts import Layout, Wanted, gather
from normlab.data.places import advice, default_folder, find
from normlab.errors import DataError, OptionError
from normlab.validation import whole_number


def load(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    *,
    num_training: int | None = None,
    num_validation: int | None = None,
    num_test: int | None = None,
    subtract_mean: bool = True,
    download: bool = False,
) -> Dataset:
    """The data set `name`: 'digits' (inside the package), 'cifar10' or 'mnist'.

    Taken are the first images of each part: by default 1,000 for training, 1,000 for validation and
    1,000 for test, of digits 1,000, 400 and 397, which is all there are. Validation images are the
    last of the publisher's training set (CIFAR-10's from 49,000, MNIST's from 50,000), whatever
    `num_training`.

    `places` tells where it is looked for. With `download`, a data set that is not there is fetched
    first. Raises DataError where it is missing or broken, OptionError for an unknown name or more
    images than exist.

    >>> load("digits", num_training=500)
    Dataset('digits': 500 training, 400 validation, 397 test images of (1, 8, 8), inside the package)
    """
    known = data_set(name)
    layout = known.layout
    wanted = _wanted(name, layout, (num_training, num_validation, num_test))
    place = _find_or_fetch(name, data_dir) if download else find(name, data_dir)
    with advice(name):
        parts = gather(known.chunks(place), layout, wanted, subtract_mean)
    source = "inside the package" if known.in_package else f"read from {place.absolute()}"
    return Dataset(name, *parts, num_classes=len(known.classes), source=source)


def _wanted(name: str, layout: Layout, asked: tuple[int | None, int | None, int | None]) -> Wanted:
    counts = []
    for word, count, default, most in zip(
        ("training", "validation", "test"), asked, layout.default, layout.pools, strict=True
    ):
        count = default if count is None else count
        counts.append(
            checked_count(f"num_{word}", count, most, f"{name} has {most:,} {word} images")
        )
    pool = layout.pools[0]
    return Wanted(range(counts[0]), range(pool, pool + counts[1]), range(pool), range(counts[2]))


def checked_count(what: str, count: int, most: int, why: str, least: int = 1) -> int:
    """`count` as an int. Raises OptionError unless it is a whole number from `least` to `most`."""
    count = whole_number(what, count, least)
    if count > most:
        raise OptionError(f"{what}={count!r} is too many: {why}")
    return count


def _find_or_fetch(name: str, data_dir: str | os.PathLike[str] | None) -> Path:
    try:
        return find(name, data_dir)
    except DataError:
        return fetch(name, default_folder() if data_dir is None else data_dir)
