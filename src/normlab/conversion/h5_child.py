"""The process that opens an HDF5 file: bytes in on standard input, arrays out on standard output, as safetensors.

Followed are plain groups and plain datasets inside the file, and nothing else: no link to
elsewhere, no data in other files, no filter, no dataset that is larger than what is stored of it.
"""

from __future__ import annotations

import io
import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy

if TYPE_CHECKING:
    from normlab.typing import Array

REFUSED = 3
MOST_DATASETS = 10_000
MOST_DEPTH = 8
SECONDS = 30


class RefusedError(Exception):
    """A file with more than plain groups and datasets."""


def main() -> int:
    """Read, write, and the exit code."""
    content = sys.stdin.buffer.read()
    _limit(2**31 + 4 * len(content))
    import h5py

    datasets: dict[str, Array] = {}
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            _walk(file, "", datasets, len(content))
    except (
        RefusedError,
        MemoryError,
        RecursionError,
        OSError,
        RuntimeError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        print(
            error if isinstance(error, RefusedError) else f"HDF5 cannot read it: {error}",
            file=sys.stderr,
        )
        return REFUSED
    sys.stdout.buffer.write(safetensors.numpy.save(datasets))
    return 0


def _walk(group: Any, path: str, datasets: dict[str, Array], most_bytes: int) -> None:
    import h5py

    if path.count("/") > MOST_DEPTH:
        raise RefusedError(f"{path!r} lies deeper than {MOST_DEPTH} groups; expected a net's file")
    for name in group:
        here = f"{path}{name}"
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise RefusedError(f"{here!r} is a link to somewhere else; expected the data itself")
        item = group[name]
        if isinstance(item, h5py.Group):
            _walk(item, f"{here}/", datasets, most_bytes)
        elif isinstance(item, h5py.Dataset):
            datasets[here] = _plain(item, here, most_bytes)
        else:
            raise RefusedError(f"{here!r} is neither a group nor a dataset")
        if len(datasets) > MOST_DATASETS:
            raise RefusedError(
                f"there are more than {MOST_DATASETS:,} datasets; expected a net's file"
            )


def _plain(dataset: Any, path: str, most_bytes: int) -> Array:
    if dataset.dtype.kind not in "fiu" or dataset.shape is None:
        raise RefusedError(f"{path!r} has type {dataset.dtype}; expected numbers")
    size = math.prod(dataset.shape) * dataset.dtype.itemsize
    if dataset.is_virtual or dataset.external or dataset.chunks is not None:
        raise RefusedError(
            f"{path!r} is stored in pieces, compressed or in another file; expected plain data"
        )
    if size > most_bytes or (size and dataset.id.get_storage_size() != size):
        raise RefusedError(
            f"{path!r} says shape {dataset.shape}, and the file does not hold so much data"
        )
    values = np.ascontiguousarray(dataset[()])
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _limit(most_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))


if __name__ == "__main__":
    raise SystemExit(main())
