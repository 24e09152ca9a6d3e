"""What the house knows of a data set: one record, at the end of the data set's own file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from normlab.data.parts import Chunk, Layout


class Remote(NamedTuple):
    """A file that its publisher offers."""

    name: str
    md5: str
    addresses: tuple[str, ...]  # tried in this order


@dataclass(frozen=True)
class DataSet:
    """A data set as loading, search, downloads, pages and the command line look it up in `data_sets.BY_NAME`."""

    name: str
    """In specs and on the command line: 'cifar10'."""
    title: str
    """In sentences and figures: 'CIFAR-10 (colour images, 32 × 32 pixels)'."""
    licence: str
    """The publisher's terms, in a few words."""
    classes: tuple[str, ...]
    """What the labels 0, 1, … mean."""
    layout: Layout
    """Shape, scale and sizes, known before a file is opened."""
    chunks: Callable[[Path], Iterator[Chunk]]
    """The images at a place, as stored. Raises DataError for whatever is not this data set."""
    places: Callable[[Path, bool], Iterator[Path]]
    """Given a root, and whether to look into folders of folders: what looks like the data set, best first."""
    looked_for: str
    """The names that `places` knows, for the sentence that says it found none."""
    remotes: tuple[Remote, ...] = ()
    """The files that `fetch` downloads; none where the data set is a part of the package."""
    folder: str = ""
    """Below the root, the folder into which downloads go."""
    other_means: str = ""
    """What else a person may put there by hand, for the sentence that says there is no network."""

    @property
    def in_package(self) -> bool:
        return not self.remotes
