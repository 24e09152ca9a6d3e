"""The optional packages a verb needs, asked for by name before work starts."""

from __future__ import annotations

from importlib.util import find_spec

from normlab.errors import UserError

STUDIES = {"scipy": "SciPy", "altair": "Altair", "vl_convert": "vl-convert", "jinja2": "Jinja2"}


class MissingPackageError(UserError, ImportError):
    """An optional package that is not installed."""


def need_studies(verb: str) -> None:
    """Raise a MissingPackageError unless everything that studies and pages need is installed."""
    missing = [title for module, title in STUDIES.items() if find_spec(module) is None]
    if missing:
        raise MissingPackageError(
            f"`normlab {verb}` needs {', '.join(missing)}: install with  pip install 'normlab[studies]'"
        )


def need_parquet() -> None:
    """Raise a MissingPackageError unless Parquet files can be written."""
    if find_spec("pyarrow") is None:
        raise MissingPackageError(
            "Parquet files need PyArrow: install with  pip install pyarrow  or export to a file that ends in .csv"
        )
