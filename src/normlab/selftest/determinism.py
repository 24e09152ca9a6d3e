"""Reproducibility, in tiers: what gives the same bits anywhere, what on one machine, and what only says what it was.

Each setting is a process of its own, since libraries choose their kernels when they are loaded.
"""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from normlab import machine
from normlab.selftest.lean_process import lean_process
from normlab.selftest.measured import Measured

# OpenBLAS's names, with the instruction set of NumPy's list that a processor needs to run its
# kernels.
CORE_TYPES = {
    "Nehalem": "X86_V2",
    "Sandybridge": "AVX",
    "Haswell": "X86_V3",
    "Zen": "X86_V3",
    "SkylakeX": "X86_V4",
}
Found = dict[str, Any]


def rows(full: bool) -> Iterator[Measured]:
    """The tiers of the promise on reproducibility."""
    found = {words: bits_under(environment) for words, environment in settings(full).items()}
    yield norm_layers(found)
    yield fused_kernels(found)
    yield trainings("reference", full)
    yield trainings("compiled", full) if find_spec("numba") else _without_numba("compiled")
    yield resumed()
    yield across_settings(found)


def settings(full: bool) -> dict[str, dict[str, str]]:
    """Environments by the words for them: threads, OpenBLAS core types, NumPy without its faster loops."""
    chosen: dict[str, dict[str, str]] = {"as it is": {}}
    for threads in ("2", "3", "4") if full else ("3",):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS")
        chosen[f"{threads} threads"] = dict.fromkeys(names, threads)
    if platform.machine() in ("x86_64", "AMD64"):
        usable = {name for name, needs in CORE_TYPES.items() if needs in machine.instruction_sets()}
        few = {"Nehalem", "Haswell"}
        for name in sorted(usable if full else usable & few):
            chosen[f"core type {name}"] = {"OPENBLAS_CORETYPE": name}
    levels = machine.simd()
    for first in range(len(levels)) if full else range(min(len(levels), 1)):
        chosen[f"NumPy without {levels[first]} and above"] = {
            "NPY_DISABLE_CPU_FEATURES": " ".join(levels[first:])
        }
    return chosen


def bits_under(environment: dict[str, str]) -> Found:
    """What `bits.everything` finds in such a process, by the reference engine."""
    with (
        tempfile.TemporaryDirectory() as folder,
        lean_process("normlab.selftest.bits:everything", folder, environment) as everything,
    ):
        found: Found = everything("reference")
        return found


def norm_layers(found: dict[str, Found]) -> Measured:
    """Norm layers use no BLAS, and of NumPy only what rounds correctly: their bits depend on nothing."""
    digests = {
        (words, layout): bits
        for words, each in found.items()
        for layout, bits in each["layers"].items()
    }
    promise = "norm layers: the same bits for any threads, layout, OpenBLAS core type and NumPy instruction set"
    return _one_result(
        promise, digests, f"{len(found)} settings × {len(digests) // len(found)} layouts"
    )


def fused_kernels(found: dict[str, Found]) -> Measured:
    """The fused kernels are compiled for the processor, and add in one order."""
    digests = {
        (words, count): bits
        for words, each in found.items()
        for count, bits in each["kernels"].items()
    }
    promise = (
        "fused kernels: the same bits for any threads, OpenBLAS core type and NumPy instruction set"
    )
    if not digests:
        return _without_numba("kernels")
    return _one_result(promise, digests, f"{len(found)} settings × 1, 2 and 3 threads")


def trainings(engine: str, full: bool) -> Measured:
    """Whole trainings, alone, among others, in another order, and on more workers."""
    with tempfile.TemporaryDirectory() as folder:
        with lean_process("normlab.selftest.bits:trainings", folder) as train:
            ways = {
                "one worker": train(engine, 1),
                "from the last to the first": train(engine, 1, -1),
            }
            for workers in (2, 3) if full else (2,):
                ways[f"{workers} workers"] = train(engine, workers)
        with lean_process("normlab.selftest.bits:trained_alone", folder) as alone:
            ways["each alone"] = alone(engine)
    digests = {words: json.dumps(found, sort_keys=True) for words, found in ways.items()}
    promise = f"training by the engine '{engine}': the same bits alone or among others, in any order, on any workers"
    return _one_result(promise, digests, f"{len(ways['one worker'])} runs: {', '.join(ways)}")


def resumed() -> Measured:
    """Training that pauses after each epoch."""
    with (
        tempfile.TemporaryDirectory() as folder,
        lean_process("normlab.selftest.bits:resumed", folder) as call,
    ):
        digests = call()
    promise = "training resumed from a checkpoint: the same bits as without a pause"
    return _one_result(promise, digests, f"{len(digests) - 1} checkpoints, each resumed to the end")


def across_settings(found: dict[str, Found]) -> Measured:
    """Where bits may differ, the record must tell the settings apart: equal records, equal bits."""
    bits = {words: json.dumps(each["trainings"], sort_keys=True) for words, each in found.items()}
    records = {
        words: json.dumps([each["settings"]["blas"], each["settings"]["simd"]])
        for words, each in found.items()
    }
    different = len(set(bits.values()))
    confused = [
        f"{one} and {other}"
        for one in found
        for other in found
        if one < other and records[one] == records[other] and bits[one] != bits[other]
    ]
    return Measured(
        "determinism",
        "whole trainings over OpenBLAS core types and NumPy instruction sets: the record names "
        "what the bits depend on",
        "no two results under one record",
        f"{different} different results over {len(found)} settings, {len(confused)} under one "
        "record",
        not confused,
        len(found),
        note="; ".join(confused[:2]) or f"the settings: {', '.join(found)}",
    )


def _one_result(promise: str, digests: dict[Any, str], words: str) -> Measured:
    different = len(set(digests.values()))
    first = next(iter(digests.values()))
    others = [str(setting) for setting, digest in digests.items() if digest != first]
    return Measured(
        "determinism",
        promise,
        "1 result",
        f"{different} result{'' if different == 1 else 's'} over {len(digests)}",
        different == 1,
        len(digests),
        note=f"other bits: {', '.join(others[:3])}" if others else words,
    )


def _without_numba(what: str) -> Measured:
    promise = f"the same bits: {what}"
    return Measured(
        "determinism", promise, "1 result", "", None, 0, note="needs Numba, which is not installed"
    )
