"""Rows as a data frame, by whichever library is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from normlab.errors import need


def frame_of(rows: Sequence[Mapping[str, Any]]) -> Any:
    """A pandas DataFrame, or a polars one where only polars is installed.

    Raises MissingPackageError where neither is.
    """
    if find_spec("pandas") is not None:
        import pandas

        return pandas.DataFrame(list(rows))
    need("a frame", {"polars": "pandas or polars"}, "pandas")
    import polars

    return polars.DataFrame(list(rows))
