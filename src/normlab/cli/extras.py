"""The optional packages a verb needs, asked for by name before work starts."""

from __future__ import annotations

from normlab.errors import need

STUDIES = {"scipy": "SciPy", "altair": "Altair", "vl_convert": "vl-convert", "jinja2": "Jinja2"}


def need_studies(verb: str) -> None:
    """Raise a MissingPackageError unless everything that studies and pages need is installed."""
    need(f"`normlab {verb}`", STUDIES, "'normlab[studies]'")


def need_parquet() -> None:
    """Raise a MissingPackageError unless Parquet files can be written."""
    ending = "pyarrow  or export to a file that ends in .csv"
    need("writing Parquet files", {"pyarrow": "PyArrow"}, ending)
