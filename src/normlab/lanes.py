"""Sixteen float64 numbers as one value: the vector registers, spelled in Python.

A compiler adds the numbers of a sum one after the other, unless it is told that their order does
not matter, and then every machine has an order of its own. So the code says itself which numbers go
side by side: `load` takes sixteen of an array, as float64; `+ - * /`, `root`, `multiply_add` and
others act on each; `store` rounds once to the array's type. It is sixteen on every machine: LLVM
cuts them into as many registers as the processor needs, and no result depends on how many.

Interpreted, lanes are NumPy arrays of sixteen: the same functions, which is how the tests run the
engine without a compiler. Only `multiply_add` then rounds twice.
"""

# ruff: noqa: ARG001, ARG005, PLW0108  (Numba reads the names of the arguments of what it compiles)
from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import intrinsic, overload, register_model

from normlab.typing import Array

COUNT = 16

Lanes = Array
"""Sixteen float64 numbers."""


def load(array: Array, index: int, count: int = COUNT) -> Lanes:
    """The numbers array[index], …, as float64; zeros from the `count`th on. The array is flat."""
    lanes = np.zeros(COUNT)
    lanes[:count] = array[index : index + count]
    return lanes


def store(array: Array, index: int, lanes: Lanes, count: int = COUNT) -> None:
    """array[index], … = the first `count` lanes, rounded to the array's type."""
    array[index : index + count] = lanes[:count]


def stream(array: Array, index: int, lanes: Lanes) -> None:
    """`store` all lanes past the caches, for arrays that do not fit into them.

    array[index] starts a cache line.
    """
    array[index : index + COUNT] = lanes


def spread(number: float) -> Lanes:
    """The number in every lane."""
    return np.full(COUNT, number)


def first(lanes: Lanes, count: int) -> Lanes:
    """The first `count` lanes, zeros in the others."""
    return np.where(np.arange(COUNT) < count, lanes, 0.0)


def multiply_add(a: Lanes, b: Lanes, c: Lanes) -> Lanes:
    """a * b + c, rounded once where it is compiled."""
    return a * b + c


def at_most(lanes: Lanes, bound: Lanes) -> Lanes:
    """min(lane, bound); NaN stays."""
    return np.where(lanes > bound, bound, lanes)


def positive(lanes: Lanes) -> Lanes:
    """max(0, lane); NaN stays."""
    return np.where(lanes <= 0, 0.0, lanes)


def where_above(a: Lanes, b: Lanes, yes: Lanes, no: Lanes) -> Lanes:
    """`yes` where a > b, else `no`: where one of a and b is NaN, too."""
    return np.where(a > b, yes, no)


def root(lanes: Lanes) -> Lanes:
    """The square root of each lane."""
    return np.sqrt(lanes)


def inverse_root(lanes: Lanes) -> Lanes:
    """1 / the square root of each lane; 0 where that is 0."""
    with np.errstate(divide="ignore"):
        return np.where(lanes == 0, 0.0, 1 / np.sqrt(lanes))


def size_of(lanes: Lanes) -> Lanes:
    """|lane|."""
    return np.abs(lanes)


def power_of_two(lanes: Lanes) -> Lanes:
    """2 to the power of each lane, which is a whole number from -1022 to 1023."""
    bits = (np.clip(lanes, -1022, 1023).astype(np.int64) + 1023) << 52
    return bits.view(np.float64)


def exponent(lanes: Lanes) -> Lanes:
    """The whole e with lane = m * 2^e and 1 <= m < 2, of positive, normal numbers."""
    return ((lanes.view(np.int64) >> 52) - 1023).astype(np.float64)


def mantissa(lanes: Lanes) -> Lanes:
    """The m of `exponent`."""
    bits = (lanes.view(np.int64) & ((1 << 52) - 1)) | (1023 << 52)
    return bits.view(np.float64)


def total(lanes: Lanes) -> float:
    """The sum of the lanes, by halves: always in the same order."""
    while len(lanes) > 1:
        lanes = lanes[: len(lanes) // 2] + lanes[len(lanes) // 2 :]
    return float(lanes[0])


# ---------------------------------------------------------------------------------------- compiled


class _LanesType(types.Type):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(name="Lanes")


_lanes = _LanesType()
_VECTOR = ir.VectorType(ir.DoubleType(), COUNT)
_I1, _I32, _I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
_BITS = ir.VectorType(_I64, COUNT)
_UNDEFINED = ir.Constant(_VECTOR, ir.Undefined)
_MAGIC = 1.5 * 2.0**52  # added to a small whole number, it leaves it in the last bits


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, frontend_type: Any) -> None:
        super().__init__(manager, frontend_type, _VECTOR)


def _place(
    context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any
) -> tuple[Any, ir.VectorType, int]:
    """Pointer to sixteen numbers of the array and index that come first, their type and size."""
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    size = signature.args[0].dtype.bitwidth // 8
    kind = ir.VectorType(ir.FloatType() if size == 4 else ir.DoubleType(), COUNT)
    pointer = builder.gep(array.data, [arguments[1]])
    return builder.bitcast(pointer, kind.as_pointer()), kind, size


def _mask(builder: ir.IRBuilder, count: Any) -> Any:
    """True in the first `count` lanes."""
    numbers = ir.Constant(ir.VectorType(_I32, COUNT), list(range(COUNT)))
    undefined = ir.Constant(numbers.type, ir.Undefined)
    one = builder.insert_element(undefined, builder.trunc(count, _I32), _I32(0))
    counts = builder.shuffle_vector(one, one, ir.Constant(numbers.type, [0] * COUNT))
    return builder.icmp_signed("<", numbers, counts)


def _suffix(kind: ir.VectorType) -> str:
    return f"v{COUNT}f{32 if kind.element == ir.FloatType() else 64}.p0"


def _of_all(number: float) -> ir.Constant:
    return ir.Constant(_VECTOR, [number] * COUNT)


def _bits_of_all(number: int) -> ir.Constant:
    return ir.Constant(_BITS, [number] * COUNT)


def _call(builder: ir.IRBuilder, name: str, *arguments: Any) -> Any:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(arguments))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{COUNT}f64")
    return builder.call(function, arguments)


@intrinsic
def _load(typing_context, array, index, count):
    signature = _lanes(array, types.int64, types.int64)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        pointer, kind, size = _place(context, builder, signature, arguments)
        mask = _mask(builder, arguments[2])
        function = ir.FunctionType(kind, [pointer.type, _I32, mask.type, kind])
        name = f"llvm.masked.load.{_suffix(kind)}"
        masked = cgutils.get_or_insert_function(builder.module, function, name)
        numbers = builder.call(masked, [pointer, _I32(size), mask, ir.Constant(kind, None)])
        return numbers if size == 8 else builder.fpext(numbers, _VECTOR)

    return signature, generate


@intrinsic
def _load_all(typing_context, array, index):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        pointer, _, size = _place(context, builder, signature, arguments)
        numbers = builder.load(pointer, align=size)
        return numbers if size == 8 else builder.fpext(numbers, _VECTOR)

    return _lanes(array, types.int64), generate


@intrinsic
def _store(typing_context, array, index, lanes, count):
    signature = types.void(array, types.int64, _lanes, types.int64)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        pointer, kind, size = _place(context, builder, signature, arguments)
        mask = _mask(builder, arguments[3])
        numbers = arguments[2] if size == 8 else builder.fptrunc(arguments[2], kind)
        function = ir.FunctionType(ir.VoidType(), [kind, pointer.type, _I32, mask.type])
        name = f"llvm.masked.store.{_suffix(kind)}"
        masked = cgutils.get_or_insert_function(builder.module, function, name)
        builder.call(masked, [numbers, pointer, _I32(size), mask])
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _store_all(typing_context, array, index, lanes):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        pointer, kind, size = _place(context, builder, signature, arguments)
        numbers = arguments[2] if size == 8 else builder.fptrunc(arguments[2], kind)
        builder.store(numbers, pointer, align=size)
        return context.get_dummy_value()

    return types.void(array, types.int64, _lanes), generate


@intrinsic
def _stream(typing_context, array, index, lanes):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        pointer, kind, size = _place(context, builder, signature, arguments)
        numbers = arguments[2] if size == 8 else builder.fptrunc(arguments[2], kind)
        instruction = builder.store(numbers, pointer, align=64)
        instruction.set_metadata("nontemporal", builder.module.add_metadata([_I32(1)]))
        return context.get_dummy_value()

    return types.void(array, types.int64, _lanes), generate


@intrinsic
def _spread(typing_context, number):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        one = builder.insert_element(_UNDEFINED, arguments[0], _I32(0))
        zeros = ir.Constant(ir.VectorType(_I32, COUNT), [0] * COUNT)
        return builder.shuffle_vector(one, _UNDEFINED, zeros)

    return _lanes(types.float64), generate


@intrinsic
def _first(typing_context, lanes, count):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        mask = _mask(builder, arguments[1])
        return builder.select(mask, arguments[0], ir.Constant(_VECTOR, None))

    return _lanes(_lanes, types.int64), generate


@intrinsic
def _total(typing_context, lanes):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        vector, length = arguments[0], COUNT
        while length > 1:
            length //= 2
            undefined = ir.Constant(vector.type, ir.Undefined)
            halves = [
                builder.shuffle_vector(
                    vector,
                    undefined,
                    ir.Constant(ir.VectorType(_I32, length), list(range(start, start + length))),
                )
                for start in (0, length)
            ]
            vector = builder.fadd(*halves)
        return builder.extract_element(vector, _I32(0))

    return types.float64(_lanes), generate


def _each_lane(number: int, build: Callable[..., Any]) -> Any:
    """An intrinsic of so many lanes whose instructions `build` makes: lanes in, lanes out."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        return build(builder, *arguments)

    signature = _lanes(*[_lanes] * number)
    if number == 1:
        return intrinsic(lambda typing_context, a: (signature, generate))
    if number == 2:
        return intrinsic(lambda typing_context, a, b: (signature, generate))
    if number == 3:
        return intrinsic(lambda typing_context, a, b, c: (signature, generate))
    return intrinsic(lambda typing_context, a, b, c, d: (signature, generate))


def _build_at_most(builder: ir.IRBuilder, a: Any, bound: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, bound), bound, a)


def _build_inverse_root(builder: ir.IRBuilder, a: Any) -> Any:
    zero = ir.Constant(_VECTOR, None)
    inverse = builder.fdiv(_of_all(1.0), _call(builder, "sqrt", a))
    return builder.select(builder.fcmp_ordered("==", a, zero), zero, inverse)


def _build_positive(builder: ir.IRBuilder, a: Any) -> Any:
    zero = ir.Constant(_VECTOR, None)
    return builder.select(builder.fcmp_ordered("<=", a, zero), zero, a)


def _build_where_above(builder: ir.IRBuilder, a: Any, b: Any, yes: Any, no: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), yes, no)


def _build_power_of_two(builder: ir.IRBuilder, a: Any) -> Any:
    bits = builder.bitcast(builder.fadd(a, _of_all(_MAGIC + 1023)), _BITS)
    return builder.bitcast(builder.shl(bits, _bits_of_all(52)), _VECTOR)


def _build_exponent(builder: ir.IRBuilder, a: Any) -> Any:
    bits = builder.lshr(builder.bitcast(a, _BITS), _bits_of_all(52))
    # the whole number into the last bits of 2^52, from which it is then taken as a number
    number = builder.bitcast(builder.or_(bits, _bits_of_all((1023 + 52) << 52)), _VECTOR)
    return builder.fsub(number, _of_all(2.0**52 + 1023))


def _build_mantissa(builder: ir.IRBuilder, a: Any) -> Any:
    bits = builder.and_(builder.bitcast(a, _BITS), _bits_of_all((1 << 52) - 1))
    return builder.bitcast(builder.or_(bits, _bits_of_all(1023 << 52)), _VECTOR)


_multiply_add = _each_lane(3, lambda builder, *lanes: _call(builder, "fma", *lanes))
_root = _each_lane(1, lambda builder, a: _call(builder, "sqrt", a))
_inverse_root = _each_lane(1, _build_inverse_root)
_size_of = _each_lane(1, lambda builder, a: _call(builder, "fabs", a))
_at_most = _each_lane(2, _build_at_most)
_positive = _each_lane(1, _build_positive)
_where_above = _each_lane(4, _build_where_above)
_power_of_two = _each_lane(1, _build_power_of_two)
_exponent = _each_lane(1, _build_exponent)
_mantissa = _each_lane(1, _build_mantissa)


def _operation(operate: Callable[..., Any], name: str) -> None:
    """Let lanes be combined by an operator of Python."""
    compiled = _each_lane(2, lambda builder, a, b: getattr(builder, name)(a, b))

    @overload(operate)
    def of_lanes(a, b):
        if a is _lanes and b is _lanes:
            return lambda a, b: compiled(a, b)
        return None


_operation(operator.add, "fadd")
_operation(operator.sub, "fsub")
_operation(operator.mul, "fmul")
_operation(operator.truediv, "fdiv")


# What Numba puts in the place of the functions above. It asks for a function that returns a
# function, and wants to know the arguments of both by name.


@overload(load)
def _compiled_load(array, index, count=COUNT):
    if isinstance(count, (int, types.Omitted)):
        return lambda array, index, count=COUNT: _load_all(array, index)
    return lambda array, index, count=COUNT: _load(array, index, count)


@overload(store)
def _compiled_store(array, index, lanes, count=COUNT):
    if isinstance(count, (int, types.Omitted)):
        return lambda array, index, lanes, count=COUNT: _store_all(array, index, lanes)
    return lambda array, index, lanes, count=COUNT: _store(array, index, lanes, count)


@overload(stream)
def _compiled_stream(array, index, lanes):
    return lambda array, index, lanes: _stream(array, index, lanes)


@overload(spread)
def _compiled_spread(number):
    return lambda number: _spread(number)


@overload(first)
def _compiled_first(lanes, count):
    return lambda lanes, count: _first(lanes, count)


@overload(at_most)
def _compiled_at_most(lanes, bound):
    return lambda lanes, bound: _at_most(lanes, bound)


@overload(positive)
def _compiled_positive(lanes):
    return lambda lanes: _positive(lanes)


@overload(where_above)
def _compiled_where_above(a, b, yes, no):
    return lambda a, b, yes, no: _where_above(a, b, yes, no)


@overload(root)
def _compiled_root(lanes):
    return lambda lanes: _root(lanes)


@overload(inverse_root)
def _compiled_inverse_root(lanes):
    return lambda lanes: _inverse_root(lanes)


@overload(size_of)
def _compiled_size_of(lanes):
    return lambda lanes: _size_of(lanes)


@overload(power_of_two)
def _compiled_power_of_two(lanes):
    return lambda lanes: _power_of_two(lanes)


@overload(exponent)
def _compiled_exponent(lanes):
    return lambda lanes: _exponent(lanes)


@overload(mantissa)
def _compiled_mantissa(lanes):
    return lambda lanes: _mantissa(lanes)


@overload(multiply_add)
def _compiled_multiply_add(a, b, c):
    return lambda a, b, c: _multiply_add(a, b, c)


@overload(total)
def _compiled_total(lanes):
    return lambda lanes: _total(lanes)
