"""The matrix products of the compiled engine, as tiles that stay in the processor's registers.

A tile is a few rows of a result by 8, 16 or 32 numbers that lie side by side, its lanes. Its sums
live in registers from the first term to the last; each term is a number of one factor, spread over
the lanes, times the lanes of the other, by a fused multiply-add. So every number of a result is one
sum in the order of its terms, whatever the tile's size and the width of a register: how tall a tile
is decides only how fast it is.

    product_tile      out[m, c] = Σ_t a[m, t] x[t, c]      a x:  a layer forward, and back to its input
    transposed_tile   out[m, c] = Σ_t a[t, m] x[t, c]      aᵀ x: dW, and scores of many examples
    turn_tile         out[c, r] = x[r, c]                  a square of eight numbers each way
    fetch             asks memory for what is needed soon

That cannot be said in Python, so tiles are written for the compiler directly, in LLVM's vector
types. Each also has its meaning in NumPy, which is what runs without a compiler, and what tests
compare with. All arrays are flat float32; a's rows begin wherever `starts` says.
"""

# ruff: noqa: ARG001, PLW0108  (Numba reads the arguments of what it compiles, whatever is done with them)
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from normlab.engines.processor import HEIGHTS
from normlab.typing import Array

SQUARE = 8  # numbers each way of a turn_tile
LINE = 16  # numbers that memory hands over together

_FLOAT, _INDEX, _LANE = ir.FloatType(), ir.IntType(64), ir.IntType(32)
_FLOATS, _INDICES, _VOID = _FLOAT.as_pointer(), _INDEX.as_pointer(), ir.VoidType()


def product_tile(
    lanes: int, height: int, a: Array, a0: int, starts: Array, i: int, x: Array, x0: int,
    x_step: int, terms: int, out: Array, o0: int, o_step: int, add: bool,
) -> None:  # fmt: skip
    """out[o0 + m * o_step + c] = Σ_t a[a0 + starts[i + m] + t] x[x0 + t * x_step + c].

    For m < height, c < lanes, t < terms. With `add`, the sum is added to what `out` holds.
    """
    t = np.arange(terms)
    rows = a[a0 + starts[i : i + height, None] + t]
    _put(lanes, height, rows, x, x0, x_step, out, o0, o_step, add)


def transposed_tile(
    lanes: int, height: int, a: Array, a0: int, starts: Array, i: int, x: Array, x0: int,
    x_step: int, terms: int, out: Array, o0: int, o_step: int, add: bool,
) -> None:  # fmt: skip
    """out[o0 + m * o_step + c] = Σ_t a[a0 + starts[i + t] + m] x[x0 + t * x_step + c].

    For m < height, c < lanes, t < terms. With `add`, the sum is added to what `out` holds.
    """
    m = np.arange(height)
    rows = a[a0 + starts[i : i + terms] + m[:, None]]
    _put(lanes, height, rows, x, x0, x_step, out, o0, o_step, add)


def _put(lanes, height, rows, x, x0, x_step, out, o0, o_step, add) -> None:
    c = np.arange(lanes)
    at = o0 + np.arange(height)[:, None] * o_step + c
    sums = rows @ x[x0 + np.arange(rows.shape[1])[:, None] * x_step + c]
    out[at] = out[at] + sums if add else sums


def turn_tile(x: Array, x0: int, x_step: int, out: Array, o0: int, o_step: int) -> None:
    """out[o0 + c * o_step + r] = x[x0 + r * x_step + c], for r, c < SQUARE."""
    r, c = np.arange(SQUARE), np.arange(SQUARE)[:, None]
    out[o0 + c * o_step + r] = x[x0 + r * x_step + c]


def fetch(a: Array, a0: int, count: int) -> None:
    """Ask memory for `count` numbers of a from a0 on, to have them in the cache soon."""


def covering(heights: tuple[int, ...]) -> list[int]:
    """The height of the tile to begin with where r rows are left, for each r below four times the tallest.

    Rows are covered by as few as the heights allow, and then by as few tiles. With more rows left,
    it is the tallest.

    >>> covering((4, 5, 6))[8:12]
    [4, 5, 6, 6]
    """
    best = [(0, 0, 0)]  # rows covered, tiles, the first tile's height
    for rows in range(1, 4 * max(heights)):
        choices = [
            (height + best[max(rows - height, 0)][0], 1 + best[max(rows - height, 0)][1], -height)
            for height in heights
        ]
        best.append(min(choices))
    return [-height for _, _, height in best]


# ---------------------------------------------------------------------------------------- compiled


def _tile_intrinsic(lanes: int, transposed: bool) -> Any:
    """A tile of so many lanes: calls the function of its height, which the module gets once."""

    @intrinsic
    def tile(typing_context, height, a, a0, starts, i, x, x0, x_step, terms, out, o0, o_step, add):
        n = types.int64
        signature = types.void(n, a, n, starts, n, x, n, n, n, out, n, n, types.boolean)

        def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
            height, _, a0, _, i, _, x0, x_step, terms, _, o0, o_step, add = arguments
            a, starts, x, out = (
                builder.gep(_start(context, builder, signature, arguments, number), [index])
                for number, index in ((1, a0), (3, i), (5, x0), (9, o0))
            )
            for rows in HEIGHTS[lanes]:
                with builder.if_then(builder.icmp_signed("==", height, _INDEX(rows))):
                    function = _tile_function(builder.module, lanes, rows, transposed)
                    builder.call(function, [a, starts, x, x_step, terms, out, o_step, add])
            return context.get_dummy_value()

        return signature, generate

    return tile


def _tile_function(module: ir.Module, lanes: int, height: int, transposed: bool) -> ir.Function:
    name = f"normlab_{'transposed' if transposed else 'product'}_{height}_by_{lanes}"
    if name in module.globals:
        return module.globals[name]
    vector = ir.VectorType(_FLOAT, lanes)
    kind = ir.FunctionType(
        _VOID, [_FLOATS, _INDICES, _FLOATS, _INDEX, _INDEX, _FLOATS, _INDEX, ir.IntType(1)]
    )
    function = ir.Function(module, kind, name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    a, starts, x, x_step, terms, out, o_step, add = function.args
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    sums = [_register(builder, vector) for _ in range(height)]
    if not transposed:
        rows = [
            builder.gep(a, [builder.load(builder.gep(starts, [_INDEX(m)]))]) for m in range(height)
        ]
    with cgutils.for_range(builder, terms) as loop:
        t = loop.index
        from_x = _load(builder, x, builder.mul(t, x_step), vector)
        if transposed:
            row = builder.gep(a, [builder.load(builder.gep(starts, [t]))])
            places = [builder.gep(row, [_INDEX(m)]) for m in range(height)]
        else:
            places = [builder.gep(row, [t]) for row in rows]
        for place, total in zip(places, sums, strict=True):
            _multiply_add(
                builder, _in_every_lane(builder, builder.load(place), vector), from_x, total
            )
    targets = [builder.mul(o_step, _INDEX(m)) for m in range(height)]
    with builder.if_else(builder.icmp_signed("!=", add, add.type(0))) as (added, alone):
        with added:
            for total, target in zip(sums, targets, strict=True):
                before = _load(builder, out, target, vector)
                _store(builder, builder.fadd(before, builder.load(total)), out, target)
        with alone:
            for total, target in zip(sums, targets, strict=True):
                _store(builder, builder.load(total), out, target)
    builder.ret_void()
    return function


@intrinsic
def _turn(typing_context, x, x0, x_step, out, o0, o_step):
    n = types.int64
    signature = types.void(x, n, n, out, n, n)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, x0, x_step, _, o0, o_step = arguments
        x, out = (_start(context, builder, signature, arguments, m) for m in (0, 3))
        vector = ir.VectorType(_FLOAT, SQUARE)
        rows = [
            _load(builder, x, builder.add(x0, builder.mul(x_step, _INDEX(r))), vector)
            for r in range(SQUARE)
        ]
        # within quarters of four numbers: pairs of rows, then pairs of pairs; then the quarters
        low, high = [0, 8, 1, 9, 4, 12, 5, 13], [2, 10, 3, 11, 6, 14, 7, 15]
        rows = _shuffled(builder, rows, [(0, 1), (2, 3), (4, 5), (6, 7)], low, high)
        low, high = [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]
        rows = _shuffled(builder, rows, [(0, 2), (1, 3), (4, 6), (5, 7)], low, high)
        low, high = [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]
        rows = _shuffled(builder, rows, [(0, 4), (1, 5), (2, 6), (3, 7)], low, high)
        # which column of the square each of the eight now is
        columns = [0, 4, 1, 5, 2, 6, 3, 7]
        for row, c in zip(rows, columns, strict=True):
            _store(builder, row, out, builder.add(o0, builder.mul(o_step, _INDEX(c))))
        return context.get_dummy_value()

    return signature, generate


def _shuffled(
    builder: ir.IRBuilder,
    rows: list[Any],
    pairs: list[tuple[int, int]],
    low: list[int],
    high: list[int],
) -> list[Any]:
    """Of each pair of rows, two rows made of their numbers."""
    kind = ir.VectorType(_LANE, SQUARE)
    masks = ir.Constant(kind, low), ir.Constant(kind, high)
    return [builder.shuffle_vector(rows[p], rows[q], mask) for p, q in pairs for mask in masks]


@intrinsic
def _fetch(typing_context, a, a0, count):
    signature = types.void(a, types.int64, types.int64)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, a0, count = arguments
        a = _start(context, builder, signature, arguments, 0)
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(_VOID, [byte, _LANE, _LANE, _LANE])
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        to_read, into_second_level, data = _LANE(0), _LANE(2), _LANE(1)
        with cgutils.for_range(builder, builder.sdiv(count, _INDEX(LINE))) as line:
            at = builder.add(a0, builder.mul(line.index, _INDEX(LINE)))
            where = builder.bitcast(builder.gep(a, [at]), byte)
            builder.call(function, [where, to_read, into_second_level, data])
        return context.get_dummy_value()

    return signature, generate


def _start(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any, number: int) -> Any:
    """Pointer to the first number of the array that is this argument."""
    return context.make_array(signature.args[number])(context, builder, arguments[number]).data


def _load(builder: ir.IRBuilder, start: Any, index: Any, vector: ir.VectorType) -> Any:
    """The numbers from this index on, aligned or not."""
    pointer = builder.bitcast(builder.gep(start, [index]), vector.as_pointer())
    return builder.load(pointer, align=4)


def _store(builder: ir.IRBuilder, numbers: Any, start: Any, index: Any) -> None:
    pointer = builder.bitcast(builder.gep(start, [index]), numbers.type.as_pointer())
    builder.store(numbers, pointer, align=4)


def _register(builder: ir.IRBuilder, vector: ir.VectorType) -> Any:
    """A vector of zeros to be added to; the compiler keeps it in registers."""
    register = cgutils.alloca_once(builder, vector)
    builder.store(ir.Constant(vector, None), register)
    return register


def _multiply_add(builder: ir.IRBuilder, a: Any, b: Any, register: Any) -> None:
    kind = ir.FunctionType(a.type, [a.type] * 3)
    name = f"llvm.fma.v{a.type.count}f32"
    fused = cgutils.get_or_insert_function(builder.module, kind, name)
    builder.store(builder.call(fused, [a, b, builder.load(register)]), register)


def _in_every_lane(builder: ir.IRBuilder, number: Any, vector: ir.VectorType) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(undefined, number, _LANE(0))
    zeros = ir.Constant(ir.VectorType(_LANE, vector.count), [0] * vector.count)
    return builder.shuffle_vector(one, undefined, zeros)


# What Numba puts in the place of the functions above. It asks for a function that returns a
# function, and wants to know the arguments of both by name.


def _compile_tile(function: Callable[..., None], transposed: bool) -> None:
    narrow, usual, wide = (_tile_intrinsic(lanes, transposed) for lanes in (8, 16, 32))

    @overload(function)
    def of_lanes(lanes, height, a, a0, starts, i, x, x0, x_step, terms, out, o0, o_step, add):
        def tile(lanes, height, a, a0, starts, i, x, x0, x_step, terms, out, o0, o_step, add):
            if lanes == 8:
                narrow(height, a, a0, starts, i, x, x0, x_step, terms, out, o0, o_step, add)
            elif lanes == 16:
                usual(height, a, a0, starts, i, x, x0, x_step, terms, out, o0, o_step, add)
            else:
                wide(height, a, a0, starts, i, x, x0, x_step, terms, out, o0, o_step, add)

        return tile


_compile_tile(product_tile, False)
_compile_tile(transposed_tile, True)


@overload(turn_tile)
def _compiled_turn_tile(x, x0, x_step, out, o0, o_step):
    return lambda x, x0, x_step, out, o0, o_step: _turn(x, x0, x_step, out, o0, o_step)


@overload(fetch)
def _compiled_fetch(a, a0, count):
    return lambda a, a0, count: _fetch(a, a0, count)
