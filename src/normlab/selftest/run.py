"""The parts of the self-test, run one after the other; each yields its rows as it finds them.

A part is a module with `rows(full: bool) -> Iterator[Measured]`, imported when its turn comes. A part that breaks down
is a broken promise like any other: it becomes a row, and the next part goes on.
"""

from __future__ import annotations

import contextlib
import traceback
import warnings
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, get_args

from normlab.errors import not_one_of
from normlab.machine import machine, versions
from normlab.selftest.measured import Area, Measured

PARTS: list[tuple[Area, str]] = [
    ("numerics", "normlab.selftest.numerics"),
    ("identities", "normlab.selftest.identities"),
    ("conformance", "normlab.selftest.conformance"),
    ("conversion", "normlab.selftest.conversion"),
    ("files", "normlab.selftest.files"),
    ("crashes", "normlab.selftest.crashes"),
    ("determinism", "normlab.selftest.determinism"),
]

FOREIGN = ("torch", "onnx", "jax", "keras")  # measured beside, where they are installed


def run(full: bool = False, only: Iterable[str] = ()) -> Iterator[Measured]:
    """The rows of all parts, or of the areas in `only`. Raises OptionError for an area that does not exist."""
    wanted = areas(only)
    for area, module in PARTS:
        if area in wanted:
            yield from _rows(area, module, full)


def areas(only: Iterable[str]) -> tuple[str, ...]:
    """The areas asked for, all if none is. Raises OptionError for one that does not exist."""
    only = tuple(only)
    for area in only:
        if area not in get_args(Area):
            raise not_one_of("only", area, get_args(Area))
    return only or get_args(Area)


def provenance(full: bool, only: Iterable[str]) -> dict[str, Any]:
    """What was asked, when, with which versions and on which machine."""
    return {
        "command": command(full, only),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions() | dict(_foreign_versions()),
        "machine": machine(),
    }


def command(full: bool, only: Iterable[str]) -> str:
    """What anyone can type to measure the same."""
    return " ".join(["normlab selftest", *(["--full"] if full else []), *(f"--only {area}" for area in only)])


def _rows(area: Area, module: str, full: bool) -> Iterator[Measured]:
    """A part's rows, and one more if it breaks down."""
    if find_spec(module) is None:
        yield Measured(area, f"{area}: measured", "", "", None, 0, note="not part of this version")
        return
    # NumPy's warnings of overflow and the like are part of what the parts provoke
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield from import_module(module).rows(full)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            yield Measured(
                area,
                f"{area}: the measurement runs to its end",
                "no error",
                f"{type(error).__name__}: {error}",
                False,
                0,
                note=f"at {place.filename}, line {place.lineno}",
            )


def _foreign_versions() -> Iterator[tuple[str, str]]:
    for package in FOREIGN:
        with contextlib.suppress(PackageNotFoundError):
            yield package, version(package)
