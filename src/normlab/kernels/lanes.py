"""Sixteen float64 numbers as one value: the vector registers, spelled in Python.

A compiler adds the numbers of a sum one after the other, unless it is told that their order does
not matter, and then forgets any trick of rounding too. So the kernels say themselves which numbers
go side by side: `load` takes sixteen of an array, as float64; `+ - * /`, `root`, `multiply_add` and
others act on each; `store` rounds once to the array's type. The last few numbers of a row are
loaded and stored with a `count` below sixteen; the lanes beyond hold zeros.

Interpreted, lanes are NumPy arrays of sixteen: the same functions, which is how the tests run the
kernels without a compiler. Compiled, they are LLVM's <16 x double>, which it cuts into as many
registers as the processor needs.
"""

# ruff: noqa: ARG001, PLW0108  (Numba reads the names of the arguments of what it compiles)
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
    """`store` all lanes past the caches, for arrays that do not fit into them. array[index] starts a cache line."""
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


def positive(lanes: Lanes) -> Lanes:
    """max(0, lane); NaN stays."""
    return np.where(lanes <= 0, 0.0, lanes)


def root(lanes: Lanes) -> Lanes:
    """The square root of each lane."""
    return np.sqrt(lanes)


def inverse_root(lanes: Lanes) -> Lanes:
    """1 / the square root of each lane; 0 where that is 0."""
    with np.errstate(divide="ignore"):
        return np.where(lanes == 0, 0.0, 1 / np.sqrt(lanes))


def total(lanes: Lanes) -> float:
    """The sum of the lanes, by halves: always in the same order."""
    while len(lanes) > 1:
        lanes = lanes[: len(lanes) // 2] + lanes[len(lanes) // 2 :]
    return float(lanes[0])


# ----------------------------------------------------------------------------------------------
# compiled


class _LanesType(types.Type):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(name="Lanes")


_lanes = _LanesType()
_VECTOR = ir.VectorType(ir.DoubleType(), COUNT)
_I1, _I32 = ir.IntType(1), ir.IntType(32)
_UNDEFINED = ir.Constant(_VECTOR, ir.Undefined)


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, frontend_type: Any) -> None:
        super().__init__(manager, frontend_type, _VECTOR)


def _place(
    context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any
) -> tuple[Any, ir.VectorType, int]:
    """Pointer to sixteen numbers of the array and index that are the first arguments, their type and size."""
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    size = signature.args[0].dtype.bitwidth // 8
    kind = ir.VectorType(ir.FloatType() if size == 4 else ir.DoubleType(), COUNT)
    return builder.bitcast(builder.gep(array.data, [arguments[1]]), kind.as_pointer()), kind, size


def _mask(builder: ir.IRBuilder, count: Any) -> Any:
    """True in the first `count` lanes."""
    numbers = ir.Constant(ir.VectorType(_I32, COUNT), list(range(COUNT)))
    one = builder.insert_element(
        ir.Constant(numbers.type, ir.Undefined), builder.trunc(count, _I32), _I32(0)
    )
    counts = builder.shuffle_vector(one, one, ir.Constant(numbers.type, [0] * COUNT))
    return builder.icmp_signed("<", numbers, counts)


def _suffix(kind: ir.VectorType) -> str:
    return f"v{COUNT}f{32 if kind.element == ir.FloatType() else 64}.p0"


@intrinsic
def _load(typing_context, array, index, count):
    signature = _lanes(array, types.int64, types.int64)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        pointer, kind, size = _place(context, builder, signature, arguments)
        mask = _mask(builder, arguments[2])
        function = ir.FunctionType(kind, [pointer.type, _I32, mask.type, kind])
        masked = cgutils.get_or_insert_function(
            builder.module, function, f"llvm.masked.load.{_suffix(kind)}"
        )
        numbers = builder.call(masked, [pointer, _I32(size), mask, ir.Constant(kind, None)])
        return numbers if size == 8 else builder.fpext(numbers, _VECTOR)

    return signature, generate


@intrinsic
def _store(typing_context, array, index, lanes, count):
    signature = types.void(array, types.int64, _lanes, types.int64)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        pointer, kind, size = _place(context, builder, signature, arguments)
        mask = _mask(builder, arguments[3])
        numbers = arguments[2] if size == 8 else builder.fptrunc(arguments[2], kind)
        function = ir.FunctionType(ir.VoidType(), [kind, pointer.type, _I32, mask.type])
        masked = cgutils.get_or_insert_function(
            builder.module, function, f"llvm.masked.store.{_suffix(kind)}"
        )
        builder.call(masked, [numbers, pointer, _I32(size), mask])
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _stream(typing_context, array, index, lanes):
    signature = types.void(array, types.int64, _lanes)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        pointer, kind, size = _place(context, builder, signature, arguments)
        numbers = arguments[2] if size == 8 else builder.fptrunc(arguments[2], kind)
        instruction = builder.store(numbers, pointer, align=64)
        instruction.set_metadata("nontemporal", builder.module.add_metadata([_I32(1)]))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _spread(typing_context, number):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        one = builder.insert_element(_UNDEFINED, arguments[0], _I32(0))
        return builder.shuffle_vector(
            one, _UNDEFINED, ir.Constant(ir.VectorType(_I32, COUNT), [0] * COUNT)
        )

    return _lanes(types.float64), generate


@intrinsic
def _first(typing_context, lanes, count):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        return builder.select(
            _mask(builder, arguments[1]), arguments[0], ir.Constant(_VECTOR, None)
        )

    return _lanes(_lanes, types.int64), generate


@intrinsic
def _positive(typing_context, lanes):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        zero = ir.Constant(_VECTOR, None)
        return builder.select(builder.fcmp_ordered("<=", arguments[0], zero), zero, arguments[0])

    return _lanes(_lanes), generate


@intrinsic
def _root(typing_context, lanes):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_VECTOR, [_VECTOR])
        return builder.call(
            cgutils.get_or_insert_function(builder.module, kind, f"llvm.sqrt.v{COUNT}f64"),
            arguments,
        )

    return _lanes(_lanes), generate


@intrinsic
def _inverse_root(typing_context, lanes):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        kind, zero = ir.FunctionType(_VECTOR, [_VECTOR]), ir.Constant(_VECTOR, None)
        size = builder.call(
            cgutils.get_or_insert_function(builder.module, kind, f"llvm.sqrt.v{COUNT}f64"),
            arguments,
        )
        inverse = builder.fdiv(ir.Constant(_VECTOR, [1.0] * COUNT), size)
        return builder.select(builder.fcmp_ordered("==", arguments[0], zero), zero, inverse)

    return _lanes(_lanes), generate


@intrinsic
def _multiply_add(typing_context, a, b, c):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        return builder.call(
            cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{COUNT}f64"), arguments
        )

    return _lanes(_lanes, _lanes, _lanes), generate


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


def _operation(operate: Callable[..., Any], name: str) -> None:
    """Let lanes be combined by an operator of Python."""

    @intrinsic
    def compiled(typing_context, a, b):
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
            return getattr(builder, name)(*arguments)

        return _lanes(_lanes, _lanes), generate

    @overload(operate)
    def of_lanes(a, b):
        if a is _lanes and b is _lanes:
            return lambda a, b: compiled(a, b)
        return None


_operation(operator.add, "fadd")
_operation(operator.sub, "fsub")
_operation(operator.mul, "fmul")
_operation(operator.truediv, "fdiv")


@overload(load)
def _compiled_load(array, index, count=COUNT):
    return lambda array, index, count=COUNT: _load(array, index, count)


@overload(store)
def _compiled_store(array, index, lanes, count=COUNT):
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


@overload(positive)
def _compiled_positive(lanes):
    return lambda lanes: _positive(lanes)


@overload(root)
def _compiled_root(lanes):
    return lambda lanes: _root(lanes)


@overload(inverse_root)
def _compiled_inverse_root(lanes):
    return lambda lanes: _inverse_root(lanes)


@overload(multiply_add)
def _compiled_multiply_add(a, b, c):
    return lambda a, b, c: _multiply_add(a, b, c)


@overload(total)
def _compiled_total(lanes):
    return lambda lanes: _total(lanes)
