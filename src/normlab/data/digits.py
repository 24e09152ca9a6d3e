"""digits: 1,797 real handwritten digits of 8×8 pixels, inside the package: the data set that is always there.

They are the test part of the UCI data set Optical Recognition of Handwritten Digits (CC BY 4.0;
source and licence in digits/LICENSE.txt), as scikit-learn ships them: for each pixel, how many of
its 16 dots are inked.

**Split.** The file runs through the forms that 13 people filled in, one after the other, so its
first images and its last are in different hands: nearest-neighbour search from the first 1,000
reads 95.2 % of the last 397, and 98.5 % after shuffling. The three parts are therefore cut from one
fixed shuffled order, stored beside the images: 1,000 for training, then 400, then 397. So all parts
are alike, and validation accuracy is about new digits in known hands; how well a net reads an
unknown hand, it does not tell.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from normlab.data.compressed import read_whole
from normlab.data.data_set import DataSet
from normlab.data.parts import Chunk, Layout
from normlab.errors import DataError

SHAPE = (1, 8, 8)
PLACE = Path(__file__).parent / "digits" / "digits.npz"
# The file's SHA-256: whatever a failing disk or a careless hand did to it, it is not taken for the
# digits.
DIGEST = "d0e8c739adde962297037cf09efaea8d10a372b34e02060cbd546789e91a648a"
_LARGEST = 1 << 20
_TRAINING_AND_VALIDATION = 1_400


def chunks(place: Path) -> Iterator[Chunk]:
    """The images in their shuffled order, the first 1,400 as the training set and 397 as the test set."""
    try:
        content = read_whole(place, _LARGEST)
    except DataError as error:
        raise DataError(
            f"{error}. It is a part of the package; if it is gone, install normlab anew"
        ) from error
    if hashlib.sha256(content).hexdigest() != DIGEST:
        raise DataError(
            f"{place}, a part of the package, is damaged: it has another SHA-256; install normlab "
            "anew"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        images, labels, order = arrays["images"], arrays["labels"], arrays["order"]
    images, labels = images[order].reshape(-1, *SHAPE), labels[order].astype(np.int64)
    cut = _TRAINING_AND_VALIDATION
    yield Chunk("train", 0, images[:cut], labels[:cut])
    yield Chunk("test", 0, images[cut:], labels[cut:])


DIGITS = DataSet(
    name="digits",
    title="digits (UCI handwritten digits, 8 × 8 pixels)",
    licence="CC BY 4.0",
    classes=tuple("0123456789"),
    # counts go from 0 to 16, pixels elsewhere from 0 to 255
    layout=Layout(SHAPE, 255 / 16, (1_000, 400, 397), (1_000, 400, 397)),
    chunks=chunks,
    places=lambda _root, _nested: iter([PLACE]),
    looked_for="a file inside the package",
)
