"""One part of the self-test in a process of its own: `python -m normlab.selftest.part MODULE AREA SIZE FILE`.

Its rows go to the file, a line of JSON each, as they are found: whatever becomes of the process, they are there.
"""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import cast

from normlab.selftest.measured import Area, Measured


def main(module: str, area: str, size: str, path: str) -> None:
    """Append the part's rows to the file. `size` is full or quick."""
    # NumPy's warnings of overflow and the like are part of what the parts provoke
    warnings.simplefilter("ignore")
    with open(path, "a", encoding="utf-8") as file:
        for row in rows(module, cast(Area, area), size == "full"):
            file.write(json.dumps(asdict(row)) + "\n")
            file.flush()


def rows(module: str, area: Area, full: bool) -> Iterator[Measured]:
    """A part's rows, and a broken one if it breaks down."""
    try:
        yield from import_module(module).rows(full)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        told = f"{type(error).__name__}: {error}"
        yield broken(area, told, f"at {place.filename}, line {place.lineno}")


def broken(area: Area, measured: str, note: str) -> Measured:
    """The row of a part that did not come to its end."""
    return Measured(area, f"{area}: the measurement comes to its end", "no error", measured, False, 0, note=note)


def read(path: Path) -> list[Measured]:
    """The rows in such a file; none where there is no file."""
    if not path.exists():
        return []
    return [Measured(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main(*sys.argv[1:])
