"""Data sets: `load` one by name, `find` where it is, `fetch` it; and the assignment's own three functions.

| name | what | where from |
|---|---|---|
| digits | 1,797 real handwritten digits, 8×8 | inside the package |
| cifar10 | the assignment's colour images, 32×32 | a folder, the official archive, or a download on request |
| mnist | handwritten digits, 28×28 | likewise, the four IDX files |

Files are read as if a stranger had sent them: nothing in them is executed or extracted, memory and
time are bounded, and whatever is not exactly the data set is a DataError that names the file and
what is wrong with it.

>>> data = load("digits")
>>> data.X_train.shape, data.spec.num_val
((1000, 1, 8, 8), 400)
"""

from normlab.data.assignment import (
    get_CIFAR10_data,
    get_mnist_data,
    load_CIFAR10,
    load_CIFAR_batch,
)
from normlab.data.data_set import DataSet
from normlab.data.dataset import Dataset
from normlab.data.download import fetch
from normlab.data.loading import load
from normlab.data.places import NAMES, default_folder, find

__all__ = [
    "NAMES",
    "DataSet",
    "Dataset",
    "default_folder",
    "fetch",
    "find",
    "get_CIFAR10_data",
    "get_mnist_data",
    "load",
    "load_CIFAR10",
    "load_CIFAR_batch",
]
