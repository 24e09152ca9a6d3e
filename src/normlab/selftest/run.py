"""The parts of a self-test, two at a time, each in a process of its own.

A part is a module with `rows(full: bool) -> Iterator[Measured]`. One that fails, even one that
takes its process with it, is a broken promise like any other: it becomes a row, and the others
go on.
"""

from __future__ import annotations

import contextlib
import traceback
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import import_module
from typing import Any

from normlab.errors import not_one_of
from normlab.request_server import Child, NoAnswerError
from normlab.selftest.measured import Measured

PARTS: dict[str, str] = {
    "numerics": "normlab.selftest.numerics",
    "determinism": "normlab.selftest.determinism",
}
"""What `normlab selftest` measures: the module of each area."""

AT_ONCE = 2


def run(
    full: bool = False, only: Iterable[str] = (), parts: Mapping[str, str] = PARTS
) -> Iterator[Measured]:
    """The rows of all parts, or of the areas in `only`, part by part.

    Raises OptionError for an area that none of the parts has.
    """
    asked = areas(only, parts)
    children: list[Child] = []

    def in_a_process(area: str) -> list[Measured]:
        child = Child("normlab.selftest.run:measured")
        children.append(child)
        try:
            with contextlib.closing(child):
                return [Measured(**row) for row in child(parts[area], area, full)]
        except NoAnswerError as error:
            return [_broken(area, str(error), "")]

    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        for rows in [pool.submit(in_a_process, area) for area in parts if area in asked]:
            yield from rows.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in children:
            if child.process.poll() is None:
                child.interrupt()
        raise
    finally:
        pool.shutdown()


def areas(only: Iterable[str], parts: Mapping[str, str] = PARTS) -> tuple[str, ...]:
    """The areas asked for, all if none is. Raises OptionError for one that does not exist."""
    only = tuple(only)
    for area in only:
        if area not in parts:
            raise not_one_of("only", area, parts)
    return only or tuple(parts)


def measured(module: str, area: str, full: bool) -> list[dict[str, Any]]:
    """A part's rows as JSON holds them, with a broken one at the end if it fails."""
    # NumPy's warnings of overflow and the like are part of what the parts provoke
    warnings.simplefilter("ignore")
    rows = []
    try:
        for row in import_module(module).rows(full):
            rows.append(row)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {error}"
        rows.append(_broken(area, said, f"at {place.filename}, line {place.lineno}"))
    return [asdict(row) for row in rows]


def _broken(area: str, found: str, note: str) -> Measured:
    """The row of a part that did not come to its end."""
    promise = f"{area}: the measurement comes to its end"
    return Measured(area, promise, "no error", found, False, 0, note=note)
