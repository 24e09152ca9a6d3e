"""Downloads, on request only: verified by the publisher's MD5, all or nothing, never over a file that is there.

The network is a callable, `downloader(url, output_file, pooch)`, pooch's HTTP downloader unless
another is given: a test passes one that copies files, a command line one with a progress bar
(`pooch.HTTPDownloader(progressbar=bar)`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from normlab.data.data_set import DataSet, Remote
from normlab.data.data_sets import data_set
from normlab.data.places import default_folder, find
from normlab.errors import DataError, OptionError

Downloader: TypeAlias = Callable[[str, Any, Any], object]
"""Called with the address, the path to write to, and None."""


def fetch(
    name: str, folder: str | os.PathLike[str] | None = None, downloader: Downloader | None = None
) -> Path:
    """Download the data set `name` into `folder` and return its place; what is there already is kept.

    `folder` defaults to NORMLAB_DATA or the user's cache folder; MNIST's four files go to
    `folder`/mnist. Raises DataError where there is no network (saying what to do instead), where
    what arrives is not what the publisher offers, and where a file of that name but other content
    is in the way; OptionError for a data set that needs no download.
    """
    known = data_set(name)
    if known.in_package:
        raise OptionError(f"{name} is inside the package: there is nothing to download")
    root = default_folder() if folder is None else Path(folder).expanduser()
    for remote in known.remotes:
        _fetch_file(known, remote, root / known.folder, downloader)
    return find(name, root)


def _fetch_file(
    known: DataSet, remote: Remote, folder: Path, downloader: Downloader | None
) -> None:
    path = folder / remote.name
    if path.exists():
        return _check_present(path, remote)
    failures = []
    for address in remote.addresses:
        try:
            return _retrieve(address, remote, folder, downloader)
        except (
            OSError,
            ValueError,
        ) as error:  # no network, no such page, disk full; the wrong content
            failures.append(f"{address}: {_reason(error)}")
    raise DataError(
        f"{remote.name} could not be downloaded ({'; '.join(failures)}). Without network: get it "
        f"on another machine from {remote.addresses[0]} (MD5 {remote.md5}) and put it, as it is, "
        f"into {folder}{known.other_means}"
    )


def _reason(error: Exception) -> str:
    """What went wrong, in a few words: the text of a failed connection runs to several lines."""
    if not isinstance(error, OSError):
        return "what arrived is not the publisher's file, by its MD5"
    return str(error) if len(str(error)) <= 120 else type(error).__name__


def _check_present(path: Path, remote: Remote) -> None:
    """A file that is there is either the publisher's, or a person's, and then not ours to replace."""
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != remote.md5:
        raise DataError(
            f"{path} is there already, and is not the publisher's file (MD5 {found}, not "
            f"{remote.md5}). Move it away or choose another folder; nothing was downloaded"
        )


def _retrieve(address: str, remote: Remote, folder: Path, downloader: Downloader | None) -> None:
    import pooch  # a guest: a tenth of a second to import

    download = downloader or pooch.HTTPDownloader()

    def durable(url: str, output_file: str, pooch_object: Any) -> None:
        download(url, output_file, pooch_object)
        os.chmod(
            output_file, 0o644
        )  # pooch's temporary file is the owner's alone; a class shares its data
        handle = os.open(output_file, os.O_RDONLY)
        os.fsync(
            handle
        )  # before pooch gives the file its name, so that the name never stands for less
        os.close(handle)

    # pooch writes to a temporary file in the folder, compares the hash, and renames
    pooch.retrieve(address, f"md5:{remote.md5}", remote.name, folder, downloader=durable)
