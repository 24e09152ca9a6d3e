"""The two matrix products of the compiled engine, as tiles that stay in the processor's vector registers.

A product of a few rows with a few others is done in one go: its sums live in registers from the first term to
the last, so that memory is read once for `TILE` uses of every number. That cannot be said in Python, so the
tiles are written for the compiler directly (LLVM's vector types, fused multiply-add, terms added in a fixed
order); everything else of the engine is plain Python that Numba compiles. Each tile also has its meaning in
NumPy, which is what runs without a compiler, and what the tests compare with.

    dot_tile      out[i, j] = Σ_k a[i, k] b[j, k]      rows with rows: a layer's forward pass
    outer_tile    out[i, c] = Σ_t s[i, t] x[t, c]      combinations of rows: dW, dx, and scores of many examples
    turn_tile     out[c, r] = a[r, c]                  a square of LANES numbers each way, transposed

Letters: TILE rows at a time; PANEL numbers of a row that lie side by side, zeros where the row is shorter.
"""

# ruff: noqa: ARG001  (Numba reads the arguments of what it compiles, whatever the body does with them)
from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from normlab.engines.processor import BLOCK, LANES, LINE, PANEL, TILE, WIDE
from normlab.typing import Array

_FLOAT, _INDEX, _LANE = ir.FloatType(), ir.IntType(64), ir.IntType(32)
_VECTOR = ir.VectorType(_FLOAT, LANES)


def dot_tile(
    a: Array, a_rows: Array, i: int, b: Array, b0: int, b_panel: int, panels: int, out: Array, o0: int, o_row: int
) -> None:
    """out[o0 + m * o_row + n] = Σ a's row m times b's row n, for m, n < TILE.

    All arrays are flat float32. a's row m starts at a_rows[i + m] and is `panels` x PANEL long; b's row n is
    `panels` pieces of PANEL numbers, the first at b0 + n * PANEL, each b_panel after the one before.
    """
    k = np.arange(panels * PANEL)
    rows_a = np.stack([a[a_rows[i + m] + k] for m in range(TILE)])
    rows_b = np.stack([b[b0 + n * PANEL + k // PANEL * b_panel + k % PANEL] for n in range(TILE)])
    out[o0 + np.arange(TILE)[:, None] * o_row + np.arange(TILE)] = rows_a @ rows_b.T


def outer_tile(
    s: Array, s0: int, s_row: int, s_step: int, x: Array, x0: int, x_step: int, steps: int,
    out: Array, o0: int, o_row: int, add: bool, ahead: int | None = None,
) -> None:  # fmt: skip
    """out[o0 + m * o_row + c] = Σ_t s[s0 + m * s_row + t * s_step] x[x0 + t * x_step + c], for m < TILE, c < WIDE.

    All arrays are flat float32; t runs to `steps`. With `add`, the sums start at what `out` holds. With `ahead`, x's
    lines at ahead + t * x_step, which some later tile will need, are asked for meanwhile.
    """
    t = np.arange(steps)
    scalars = s[s0 + np.arange(TILE)[:, None] * s_row + t * s_step]
    rows = x[x0 + t[:, None] * x_step + np.arange(WIDE)]
    at = o0 + np.arange(TILE)[:, None] * o_row + np.arange(WIDE)
    out[at] = scalars @ rows + (out[at] if add else 0)


def turn_tile(a: Array, a0: int, a_row: int, out: Array, o0: int, o_row: int) -> None:
    """out[o0 + c * o_row + r] = a[a0 + r * a_row + c], for r, c < LANES. Both arrays are flat float32."""
    r, c = np.arange(LANES), np.arange(LANES)[:, None]
    out[o0 + c * o_row + r] = a[a0 + r * a_row + c]


def copy_panel(x: Array, starts: Array, n: int, first: int, out: Array, ahead: Array) -> None:
    """out[i * PANEL + k] = x[starts[i] + first + k], for i < n and k < PANEL.

    The same pieces of the rows at `ahead`, which the next batch will need, are asked for meanwhile: memory is far.
    """
    at = np.arange(n)[:, None] * PANEL + np.arange(PANEL)
    out[at] = x[starts[:n, None] + first + np.arange(PANEL)]


@intrinsic
def _copy(typing_context, x, starts, n, first, out, ahead):
    signature = types.void(x, starts, types.int64, types.int64, out, ahead)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, _, n, first, _, _ = arguments
        x, starts, out, ahead = (_start(context, builder, signature, arguments, m) for m in (0, 1, 4, 5))
        with cgutils.for_range(builder, n) as loop:
            source = builder.add(builder.load(_at(builder, starts, loop.index)), first)
            target = builder.mul(loop.index, _INDEX(PANEL))
            pieces = [_load(builder, x, source, k) for k in range(0, PANEL, LANES)]
            for k, piece in zip(range(0, PANEL, LANES), pieces, strict=True):
                _store(builder, piece, out, target, k)
            source = builder.add(builder.load(_at(builder, ahead, loop.index)), first)
            for k in range(0, PANEL, LINE):
                _fetch(builder, x, source, k)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _dot(typing_context, a, a_rows, i, b, b0, b_panel, panels, out, o0, o_row):
    n = types.int64
    signature = types.void(a, a_rows, n, b, n, n, n, out, n, n)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, _, i, _, b0, b_panel, panels, _, o0, o_row = arguments
        a, a_rows, b, out = (_start(context, builder, signature, arguments, n) for n in (0, 1, 3, 7))
        starts = [builder.load(_at(builder, a_rows, builder.add(i, _INDEX(m)))) for m in range(TILE)]
        sums = [[_register(builder) for _ in range(TILE)] for _ in range(TILE)]
        with cgutils.for_range(builder, panels) as loop:
            piece_a = builder.mul(loop.index, _INDEX(PANEL))
            piece_b = builder.add(b0, builder.mul(loop.index, b_panel))
            for k in range(0, PANEL, LANES):
                from_a = [_load(builder, a, builder.add(start, piece_a), k) for start in starts]
                for column in range(TILE):
                    from_b = _load(builder, b, piece_b, column * PANEL + k)
                    for row in range(TILE):
                        _multiply_add(builder, from_a[row], from_b, sums[row][column])
        for row in range(TILE):
            for column in range(TILE):
                total = _sum_of_lanes(builder, builder.load(sums[row][column]))
                where = builder.add(builder.add(o0, builder.mul(o_row, _INDEX(row))), _INDEX(column))
                builder.store(total, _at(builder, out, where))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _outer(typing_context, s, s0, s_row, s_step, x, x0, x_step, steps, out, o0, o_row, add, ahead):
    n = types.int64
    fetches = isinstance(ahead, types.Integer)
    signature = types.void(s, n, n, n, x, n, n, n, out, n, n, types.boolean, n if fetches else ahead)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, s0, s_row, s_step, _, x0, x_step, steps, _, o0, o_row, add, ahead = arguments
        s, x, out = (_start(context, builder, signature, arguments, n) for n in (0, 4, 8))
        sums = [[_register(builder) for _ in range(BLOCK)] for _ in range(TILE)]
        out_rows = [builder.add(o0, builder.mul(o_row, _INDEX(row))) for row in range(TILE)]
        with builder.if_then(builder.icmp_signed("!=", add, add.type(0))):
            for row in range(TILE):
                for block in range(BLOCK):
                    builder.store(_load(builder, out, out_rows[row], block * LANES), sums[row][block])
        with cgutils.for_range(builder, steps) as loop:
            row_of_x = builder.mul(loop.index, x_step)
            x_start = builder.add(x0, row_of_x)
            if fetches:
                _fetch(builder, x, builder.add(ahead, row_of_x), 0)
            s_start = builder.add(s0, builder.mul(loop.index, s_step))
            from_x = [_load(builder, x, x_start, block * LANES) for block in range(BLOCK)]
            for row in range(TILE):
                where = builder.add(s_start, builder.mul(s_row, _INDEX(row)))
                scalar = _in_every_lane(builder, builder.load(_at(builder, s, where)))
                for block in range(BLOCK):
                    _multiply_add(builder, scalar, from_x[block], sums[row][block])
        for row in range(TILE):
            for block in range(BLOCK):
                _store(builder, builder.load(sums[row][block]), out, out_rows[row], block * LANES)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _turn(typing_context, a, a0, a_row, out, o0, o_row):
    n = types.int64
    signature = types.void(a, n, n, out, n, n)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, a0, a_row, _, o0, o_row = arguments
        a, out = (_start(context, builder, signature, arguments, m) for m in (0, 3))
        rows = [_load(builder, a, builder.add(a0, builder.mul(a_row, _INDEX(r))), 0) for r in range(LANES)]
        # each round shuffles the upper half of the rows into the lower: a rotation of the bits of (row, lane) by one,
        # and after as many rounds as a lane's number has bits, rows and lanes have changed places
        half = LANES // 2
        for _ in range(half.bit_length()):
            rows = [
                builder.shuffle_vector(rows[r // 2], rows[r // 2 + half], _interleaved(r % 2 * half))
                for r in range(LANES)
            ]
        for c in range(LANES):
            _store(builder, rows[c], out, builder.add(o0, builder.mul(o_row, _INDEX(c))), 0)
        return context.get_dummy_value()

    return signature, generate


def _interleaved(first: int) -> ir.Constant:
    """Which lanes of two vectors to take for one with half of each, by turns, from lane `first` on."""
    lanes = [lane for pair in range(first, first + LANES // 2) for lane in (pair, LANES + pair)]
    return ir.Constant(ir.VectorType(_LANE, LANES), lanes)


def _start(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any, number: int) -> Any:
    """Pointer to the first number of the array that is this argument."""
    return context.make_array(signature.args[number])(context, builder, arguments[number]).data


def _at(builder: ir.IRBuilder, start: Any, index: Any) -> Any:
    return builder.gep(start, [index])


def _load(builder: ir.IRBuilder, start: Any, index: Any, further: int) -> Any:
    """LANES numbers from index + further on, aligned or not."""
    pointer = _at(builder, start, builder.add(index, _INDEX(further)))
    return builder.load(builder.bitcast(pointer, _VECTOR.as_pointer()), align=4)


def _store(builder: ir.IRBuilder, vector: Any, start: Any, index: Any, further: int) -> None:
    pointer = _at(builder, start, builder.add(index, _INDEX(further)))
    builder.store(vector, builder.bitcast(pointer, _VECTOR.as_pointer()), align=4)


def _fetch(builder: ir.IRBuilder, start: Any, index: Any, further: int) -> None:
    """Ask for the line of memory with this number, to have it in the second-level cache when it is needed."""
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, _LANE, _LANE, _LANE])
    fetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
    to_read, into_second_level, data = _LANE(0), _LANE(2), _LANE(1)
    where = builder.bitcast(_at(builder, start, builder.add(index, _INDEX(further))), byte)
    builder.call(fetch, [where, to_read, into_second_level, data])


def _register(builder: ir.IRBuilder) -> Any:
    """A vector of zeros to be added to; the compiler keeps it in a register."""
    register = cgutils.alloca_once(builder, _VECTOR)
    builder.store(ir.Constant(_VECTOR, None), register)
    return register


def _multiply_add(builder: ir.IRBuilder, a: Any, b: Any, register: Any) -> None:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    fused = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
    builder.store(builder.call(fused, [a, b, builder.load(register)]), register)


def _in_every_lane(builder: ir.IRBuilder, number: Any) -> Any:
    vector = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), number, _LANE(0))
    zeros = ir.Constant(ir.VectorType(_LANE, LANES), [0] * LANES)
    return builder.shuffle_vector(vector, ir.Constant(_VECTOR, ir.Undefined), zeros)


def _sum_of_lanes(builder: ir.IRBuilder, vector: Any) -> Any:
    """The lanes' sum by halves: always in the same order."""
    lanes = LANES
    while lanes > 1:
        undefined = ir.Constant(ir.VectorType(_FLOAT, lanes), ir.Undefined)
        halves = [
            builder.shuffle_vector(
                vector, undefined, ir.Constant(ir.VectorType(_LANE, lanes // 2), list(range(first, first + lanes // 2)))
            )
            for first in (0, lanes // 2)
        ]
        vector, lanes = builder.fadd(*halves), lanes // 2
    return builder.extract_element(vector, _LANE(0))


# What Numba puts in the place of the two functions above. It asks for a function that returns a function, and wants to
# know the arguments of both by name.


@overload(copy_panel)
def _compiled_copy_panel(x, starts, n, first, out, ahead):
    def copy(x, starts, n, first, out, ahead):
        _copy(x, starts, n, first, out, ahead)

    return copy


@overload(dot_tile)
def _compiled_dot_tile(a, a_rows, i, b, b0, b_panel, panels, out, o0, o_row):
    def tile(a, a_rows, i, b, b0, b_panel, panels, out, o0, o_row):
        _dot(a, a_rows, i, b, b0, b_panel, panels, out, o0, o_row)

    return tile


@overload(outer_tile)
def _compiled_outer_tile(s, s0, s_row, s_step, x, x0, x_step, steps, out, o0, o_row, add, ahead=None):
    def tile(s, s0, s_row, s_step, x, x0, x_step, steps, out, o0, o_row, add, ahead=None):
        _outer(s, s0, s_row, s_step, x, x0, x_step, steps, out, o0, o_row, add, ahead)

    return tile


@overload(turn_tile)
def _compiled_turn_tile(a, a0, a_row, out, o0, o_row):
    def tile(a, a0, a_row, out, o0, o_row):
        _turn(a, a0, a_row, out, o0, o_row)

    return tile
