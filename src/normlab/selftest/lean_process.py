"""A fresh interpreter in which nothing but what is asked for decides the bits of a result."""

from __future__ import annotations

import os
from collections.abc import Mapping

from normlab.request_server import Child


def lean_process(
    function: str, folder: str | os.PathLike[str], environment: Mapping[str, str] | None = None
) -> Child:
    """A callable that calls `function` ("module:name") in a fresh interpreter, in a `with` block.

    It works in `folder`, and its BLAS on one thread unless the environment says otherwise.
    """
    return Child(function, folder=folder, environment=clean_environment() | dict(environment or {}))


def clean_environment() -> dict[str, str]:
    """This process's environment with one BLAS thread, and without what chooses data or kernels."""
    chosen = ("NORMLAB_DATA", "OPENBLAS_CORETYPE")
    kept = {name: value for name, value in os.environ.items() if name not in chosen}
    return kept | {"OPENBLAS_NUM_THREADS": "1", "COLUMNS": "200"}
