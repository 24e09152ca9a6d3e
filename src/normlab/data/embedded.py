"""digits: 1,797 real handwritten digits of 8×8 pixels, inside the package: the data set that is always there.

They are the test part of the UCI data set Optical Recognition of Handwritten Digits (CC BY 4.0; source and
licence in digits/LICENSE.txt), as scikit-learn ships them: for each pixel, how many of its 16 dots are inked.

**Split.** The file runs through the forms that 13 people filled in, one after the other, so its first images
and its last are in different hands: nearest-neighbour search from the first 1,000 reads 95.2 % of the last
397, and 98.5 % after shuffling. The three parts are therefore cut from one fixed shuffled order, stored beside
the images: 1,000 for training, then 400, then 397. So all parts are alike, and validation accuracy is about
new digits in known hands; how well a net reads an unknown hand, it does not tell.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from normlab.data.parts import Chunk, Layout
from normlab.errors import DataError

SHAPE = (1, 8, 8)
PLACE = Path(__file__).parent / "digits" / "digits.npz"
_TRAINING_AND_VALIDATION = 1_400


def chunks(place: Path) -> Iterator[Chunk]:
    """The images in their shuffled order, the first 1,400 as the training set and 397 as the test set."""
    try:
        with open(place, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            images, labels, order = arrays["images"], arrays["labels"], arrays["order"]
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{place}, a part of the package, cannot be read ({error}); install normlab anew") from error
    images, labels = images[order].reshape(-1, *SHAPE), labels[order].astype(np.int64)
    cut = _TRAINING_AND_VALIDATION
    yield Chunk("train", 0, images[:cut], labels[:cut])
    yield Chunk("test", 0, images[cut:], labels[cut:])


# Counts go from 0 to 16, pixels elsewhere from 0 to 255.
LAYOUT = Layout(SHAPE, 255 / 16, (1_000, 400, 397), (1_000, 400, 397), chunks)
