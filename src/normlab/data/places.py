"""Where a data set is looked for.

1. In the folder that the caller names (`data_dir`, `--data-dir`), and nowhere else.
2. Otherwise in the folder that the environment variable NORMLAB_DATA names, and nowhere else.
3. Otherwise where the assignment keeps its data, `cs682/datasets` and `cs231n/datasets` in the working
   directory, then in the working directory, then where `normlab data fetch` puts downloads.

A folder that was named is the only one searched, so that no data set stands in for another
unnoticed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from normlab.data.data_set import DataSet
from normlab.data.data_sets import BY_NAME, data_set
from normlab.data.searching import seen_instead
from normlab.errors import DataError, OptionError

NAMES = tuple(BY_NAME)
VARIABLE = "NORMLAB_DATA"


def find(name: str, data_dir: str | os.PathLike[str] | None = None) -> Path:
    """The folder or archive that holds the data set `name`; nothing is opened.

    Raises DataError that says where it was looked for and what to do, OptionError for an unknown
    name.

    >>> find("digits").name
    'digits.npz'
    """
    known = data_set(name)
    if known.in_package:
        return next(known.places(Path(), False))
    roots, named = _roots(data_dir)
    for root in roots:
        try:
            for place in known.places(root, named):
                return place
        except OSError as error:
            raise DataError(
                f"the folder {root} cannot be searched for {name}: {error.strerror}"
            ) from error
    raise DataError(_not_found(known, roots, named, data_dir))


def default_folder() -> Path:
    """Where downloads go unless told otherwise: NORMLAB_DATA, or the user's cache folder."""
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE]).expanduser()
    import pooch  # a guest: a tenth of a second to import

    return Path(pooch.os_cache("normlab"))


@contextmanager
def advice(name: str) -> Iterator[None]:
    """Adds to a DataError about broken files how to get whole ones."""
    try:
        yield
    except DataError as error:
        if data_set(name).in_package:
            raise
        raise DataError(
            f"{error}. Remove what is damaged, and `normlab data fetch {name}` gets a fresh copy"
        ) from error


def _roots(data_dir: str | os.PathLike[str] | None) -> tuple[list[Path], bool]:
    """The folders to look in, and whether a person named them: these are searched in depth."""
    if data_dir is not None:
        try:
            root = Path(data_dir).expanduser()
        except TypeError as error:
            raise OptionError(f"data_dir={data_dir!r} is not the path of a folder") from error
        if not os.path.exists(root):  # where Path.exists may raise
            raise DataError(f"the data folder {str(root)!r} does not exist")
        return [root], True
    if os.environ.get(VARIABLE):
        return [default_folder()], True
    here = Path.cwd()
    return [
        here / "cs682" / "datasets",
        here / "cs231n" / "datasets",
        here,
        default_folder(),
    ], False


def _not_found(known: DataSet, roots: list[Path], named: bool, data_dir: object) -> str:
    """What was looked for, where, what is there instead, and what to do about it."""
    where = ", ".join(str(root) for root in roots)
    if data_dir is None and named:
        where += f" (which {VARIABLE} names)"
    seen = seen_instead(roots[0]) if named else ""
    return (
        f"{known.name} was not found. Looked for {known.looked_for} in {where}"
        f"{' and the folders in it; ' + seen if seen else ''}. "
        f"Download it with `normlab data fetch {known.name}`, or name the folder that holds it: "
        f"--data-dir FOLDER, data_dir=FOLDER or the environment variable {VARIABLE}"
    )
