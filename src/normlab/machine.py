"""What a result was made with: versions, processor, BLAS. The provenance in every record.

Training gives the same bits on the same machine with the same wheels and one BLAS thread. Elsewhere
a BLAS may add in another order, so the record names the library, the kernels it chose for this
processor ("core type") and its threads. NumPy's own exponentials and sums come in versions for
several processors, and some functions from the system's mathematical library; the compiled engine's
code is made for the very processor. All of them are named, too.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import json
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import threadpoolctl


class Provenance(NamedTuple):
    """What a result was made with, as the records keep it: two texts of JSON."""

    versions: str
    machine: str


def made_here(more: Mapping[str, Any] | None = None) -> Provenance:
    """The provenance of a result made in this process now; `more` is kept with the machine."""
    return Provenance(
        sys.intern(json.dumps(versions(), sort_keys=True)),
        sys.intern(json.dumps({**machine(), **(more or {})}, sort_keys=True)),
    )


@functools.cache
def versions(*more: str) -> dict[str, str]:
    """Versions of what takes part in the arithmetic, and of `more` packages: the installed ones."""
    found = {
        "normlab": importlib.metadata.version("normlab"),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    for package in ("numba", *more):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def provenance(command: str, *more: str) -> dict[str, Any]:
    """What a file of figures says of itself: command, time, versions (of `more` too), machine."""
    return {
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(*more),
        "machine": machine(),
    }


def machine() -> dict[str, Any]:
    """Processor, cores open to this process, system, what NumPy uses of it, and BLAS.

    >>> sorted(machine())
    ['architecture', 'blas', 'cores', 'libc', 'processor', 'simd', 'system']
    """
    import threadpoolctl  # on first use: importing the checker loads NumPy and nothing else

    loaded = [
        library for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"
    ]
    # SciPy brings a BLAS of its own; the record is about the one that multiplies, wherever NumPy
    # got it from
    libraries = [library for library in loaded if "numpy" in library["filepath"]] or loaded
    return {
        "processor": processor(),
        "architecture": platform.machine(),
        "cores": available_cores(),
        "system": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()).strip(),  # empty where Python does not know it
        "simd": simd(),
        "blas": [
            {
                "name": library["internal_api"],
                "version": library["version"],
                "core_type": library.get("architecture"),
                "threads": library["num_threads"],
            }
            for library in libraries
        ],
    }


@functools.cache
def simd() -> list[str]:
    """The instruction sets beyond its baseline that NumPy's loops use here."""
    return [
        name
        for name in getattr(_numpy_core(), "__cpu_dispatch__", ())
        if name in instruction_sets()
    ]


@functools.cache
def instruction_sets() -> frozenset[str]:
    """Those that this processor has, by NumPy's names."""
    features = getattr(_numpy_core(), "__cpu_features__", {})
    return frozenset(name for name, there in features.items() if there)


def _numpy_core() -> Any:
    try:
        return importlib.import_module(
            "numpy._core._multiarray_umath"
        )  # where np.show_runtime looks, too
    except ImportError:
        return None


@functools.cache
def processor() -> str:
    """The processor's name as it calls itself, where the system tells."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() == "model name":
                    return value.strip()
    except OSError:  # no Linux: what the platform module knows
        pass
    return platform.processor() or platform.machine()


def available_cores() -> int:
    """The cores this process may use, at least 1: where it is confined, not all there are."""
    from joblib import cpu_count  # on first use, because most programs never ask

    return int(cpu_count())


@functools.cache
def _blas() -> threadpoolctl.ThreadpoolController:
    import threadpoolctl

    return (
        threadpoolctl.ThreadpoolController()
    )  # made once: looking up the loaded libraries takes milliseconds


def one_blas_thread() -> Any:
    """A context in which BLAS works on one thread.

    Parallelism goes over nets, each on its core; and the order in which BLAS adds, hence the bits
    of a result, must not depend on how many cores happened to be free. Covers the libraries loaded
    when it is first used, NumPy's among them.
    """
    return _blas().limit(limits=1, user_api="blas")
