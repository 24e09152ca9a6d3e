"""Which instruction set the engine works with here, and what its tiles must know about it.

An instruction set decides how tall a tile is, and so how fast, and nothing else: how wide its lanes
are, and in which order numbers are added, is the same everywhere (`layout`, `tiles`).
"""

from __future__ import annotations

import os
import platform

from normlab.machine import instruction_sets

VARIABLE = "NORMLAB_ISA"
"""The environment variable that names an instruction set, for a narrower one than the processor's."""

# Rows of a tile, for tiles of 8, 16 and 32 lanes: with the numbers being multiplied, they fill the
# registers. 16 registers of eight numbers; 32 of sixteen; Arm has 32 of four.
HEIGHTS_OF = {
    "x86-64-v3": {8: (6, 7, 8), 16: (4, 5, 6), 32: (2,)},
    "x86-64-v4": {8: (8, 10, 12), 16: (8, 10, 12), 32: (2, 4)},
    "aarch64": {8: (6, 7, 8), 16: (4, 5, 6), 32: (2,)},
}
NEEDS = {
    "x86-64-v4": {"AVX512F", "AVX512CD", "AVX512_SKX"},
    "x86-64-v3": {"AVX2", "FMA3", "F16C"},
}
NEEDED = "AVX2 and fused multiply-add (x86-64-v3 or later), or one of Arm's 64-bit processors"
TALLEST = 12
"""The most rows any tile has: so many rows beyond the last one may be read, and written, and ignored."""


def instruction_set() -> str | None:
    """The widest one that this processor has and the engine knows, or a narrower one named by the
    environment; None where there is none."""
    if platform.machine().lower() in ("arm64", "aarch64"):
        return "aarch64"
    there = [isa for isa, needed in NEEDS.items() if needed <= instruction_sets()]
    named = os.environ.get(VARIABLE)
    if named in there:
        return named
    return there[0] if there else None


# What is compiled in this process is for this one; a name that is not the processor's own is for a
# library that is made for others.
ISA = os.environ.get(VARIABLE) or instruction_set() or "x86-64-v3"
HEIGHTS = HEIGHTS_OF.get(ISA, HEIGHTS_OF["x86-64-v3"])
