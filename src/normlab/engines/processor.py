"""What the tiles must know about this processor: how many numbers a register holds, and how many it has."""

from __future__ import annotations

import platform

import llvmlite.binding

_features = llvmlite.binding.get_host_cpu_features()
_arm = platform.machine().lower() in ("arm64", "aarch64")

HAS_FUSED_MULTIPLY_ADD = _arm or bool(_features.get("fma"))
# A tile is TILE rows by TILE others, or by BLOCK registers: with the numbers being multiplied, it fills the registers.
if _features.get("avx512f"):
    LANES, TILE, BLOCK = 16, 5, 4  # 32 registers of 16 numbers
elif _arm:
    LANES, TILE, BLOCK = 4, 5, 4  # 32 registers of 4
else:
    LANES, TILE, BLOCK = 8, 3, 4  # 16 registers of 8
WIDE = BLOCK * LANES
PANEL = 64  # a row's numbers lie in panels of so many, whole registers on each of these
LINE = 16  # numbers that memory hands over together
SPARE = max(TILE, LANES) * PANEL  # so many numbers after the last weights a tile may read, and ignore
