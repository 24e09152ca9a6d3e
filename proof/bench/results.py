"""Results as a file: a section for each thing measured, with the command and the machine that it came from.

A section comes from one call of `python -m proof.bench`, so ratios within it come from one run.
Measuring something again replaces its section and leaves the others.
"""

from __future__ import annotations

import json
import math
import shlex
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from normlab.errors import RecordsError
from normlab.files import write_atomically
from normlab.machine import machine, versions

__all__ = ["load_results", "measured", "save_section"]

FORMAT = 1
LIBRARIES = ("scipy", "torch", "jax", "jaxlib")


def measured(
    work: Callable[[], dict[str, Any]], words: Sequence[str], *, quick: bool
) -> dict[str, Any]:
    """What `work` returns, as a section: with when, how long, by which command, on what; `quick` is not for quoting."""
    began, clock = datetime.now(UTC), time.perf_counter()
    result = work()
    return {
        "result": result,
        "quick": quick,
        "command": shlex.join(["python", "-m", "proof.bench", *words]),
        "began": began.isoformat(timespec="seconds"),
        "seconds": time.perf_counter() - clock,
        "versions": versions(*LIBRARIES),
        "machine": machine(),
    }


def save_section(path: Path, name: str, section: dict[str, Any]) -> None:
    """Put a section into the file, whole or not at all; the file is made if it is missing. Raises RecordsError."""
    content: dict[str, Any] = (
        load_results(path) if path.exists() else {"format": FORMAT, "sections": {}}
    )
    content["sections"][name] = section
    text = json.dumps(_strict(content), indent=1, allow_nan=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, (text + "\n").encode())
    except OSError as error:
        raise RecordsError(
            f"{path} cannot be written: {error.strerror}; name another file with --out"
        ) from error


def load_results(path: Path) -> dict[str, Any]:
    """The content of a results file. Raises RecordsError for what is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_hook=_with_numbers)
    except OSError as error:
        raise RecordsError(
            f"{path} cannot be read: {error.strerror}; `python -m proof.bench all --out FILE` "
            "makes one"
        ) from error
    except ValueError as error:
        raise RecordsError(f"{path} is no JSON file: {error}") from error
    if (
        not isinstance(content, dict)
        or content.get("format") != FORMAT
        or not isinstance(content.get("sections"), dict)
    ):
        raise RecordsError(f"{path} holds no results of `python -m proof.bench` in format {FORMAT}")
    return content


def _strict(value: Any) -> Any:
    """Plain values for strict JSON, which has no NaN and no infinity: they are texts."""
    if isinstance(value, dict):
        return {str(name): _strict(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


def _with_numbers(mapping: dict[str, Any]) -> dict[str, Any]:
    return {name: _number(value) for name, value in mapping.items()}


def _number(value: Any) -> Any:
    if isinstance(value, list):
        return [_number(item) for item in value]
    return float(value) if value in ("nan", "inf", "-inf") else value
