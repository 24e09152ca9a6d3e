"""Where a data set is looked for.

1. In the folder that the caller names (`data_dir`, `--data-dir`), and nowhere else.
2. Otherwise in the folder that the environment variable NORMLAB_DATA names, and nowhere else.
3. Otherwise where the assignment keeps its data, `cs682/datasets` and `cs231n/datasets` in the working
   directory, then in the working directory, then where `normlab data fetch` puts downloads.

A folder that was named is the only one searched, so that no data set stands in for another unnoticed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from normlab.data import cifar10, embedded, mnist
from normlab.errors import DataError, not_one_of

NAMES = ("digits", "cifar10", "mnist")
VARIABLE = "NORMLAB_DATA"
_ARCHIVES = ("cifar-10-binary.tar.gz", "cifar-10-python.tar.gz")
_LOOKED_FOR = {
    "cifar10": ", ".join((*cifar10.FOLDERS, *_ARCHIVES)),
    "mnist": f"{mnist.FILES[0]} (or .gz) and its three companions, there or in mnist",
}


def find(name: str, data_dir: str | os.PathLike[str] | None = None) -> Path:
    """The folder or archive that holds the data set `name`; nothing is opened.

    Raises DataError that says where it was looked for and what to do, OptionError for an unknown name.

    >>> find("digits").name
    'digits.npz'
    """
    check_name(name)
    if name == "digits":
        return embedded.PLACE
    roots = _roots(data_dir)
    for root in roots:
        try:
            for place in _candidates(name, root):
                return place
        except OSError as error:
            raise DataError(f"the folder {root} cannot be searched for {name}: {error.strerror}") from error
    raise DataError(_not_found(name, roots, data_dir))


def check_name(name: str) -> None:
    """Raise an OptionError unless there is a data set of that name."""
    if name not in NAMES:
        raise not_one_of("data set", name, NAMES)


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
        if name == "digits":
            raise
        raise DataError(
            f"{error}. Remove what is damaged, and `normlab data fetch {name}` gets a fresh copy"
        ) from error


def _roots(data_dir: str | os.PathLike[str] | None) -> list[Path]:
    if data_dir is not None:
        root = Path(data_dir).expanduser()
        if not os.path.exists(root):  # where Path.exists may raise
            raise DataError(f"the data folder {str(root)!r} does not exist")
        return [root]
    if os.environ.get(VARIABLE):
        return [default_folder()]
    here = Path.cwd()
    return [here / "cs682" / "datasets", here / "cs231n" / "datasets", here, default_folder()]


def _candidates(name: str, root: Path) -> Iterator[Path]:
    """What in `root` looks like the data set, best first: folders open faster than archives."""
    if name == "mnist":
        yield from (folder for folder in (root, root / "mnist") if mnist.file_of(folder, mnist.FILES[0]).exists())
        return
    if root.is_file():
        yield root
    for folder, suffix in cifar10.FOLDERS.items():
        if (root / folder).is_dir():
            yield root / folder
        if (root / f"data_batch_1{suffix}").exists():
            yield root
    yield from (root / archive for archive in _ARCHIVES if (root / archive).exists())


def _not_found(name: str, roots: list[Path], data_dir: object) -> str:
    """What was looked for, where, and what to do about it."""
    where = ", ".join(str(root) for root in roots)
    if data_dir is None and os.environ.get(VARIABLE):
        where += f" (which {VARIABLE} names)"
    return (
        f"{name} was not found. Looked for {_LOOKED_FOR[name]} in {where}. "
        f"Download it with `normlab data fetch {name}`, or name the folder that holds it: "
        f"--data-dir FOLDER, data_dir=FOLDER or the environment variable {VARIABLE}"
    )
