"""All data sets by name: what is imported here is what `load` and the command line can be asked for.

To add a data set, write its file, end it with its record and add one line here.
"""

from __future__ import annotations

from normlab.data.data_set import DataSet
from normlab.data.digits import DIGITS as DIGITS

# isort: split
from normlab.data.cifar10 import CIFAR10 as CIFAR10
from normlab.data.mnist import MNIST as MNIST
from normlab.errors import not_one_of

__all__ = ["BY_NAME", "data_set", "title_of"]

BY_NAME: dict[str, DataSet] = {
    each.name: each for each in tuple(globals().values()) if isinstance(each, DataSet)
}


def data_set(name: str) -> DataSet:
    """The record of that name. Raises OptionError where there is none."""
    if not isinstance(name, str) or name not in BY_NAME:
        raise not_one_of("data set", name, BY_NAME)
    return BY_NAME[name]


def title_of(name: str) -> str:
    """A data set's name in sentences and figures; a person's own data go by the name they were given.

    >>> title_of("digits"), title_of("my own")
    ('digits (UCI handwritten digits, 8 × 8 pixels)', 'my own')
    """
    return BY_NAME[name].title if name in BY_NAME else name
