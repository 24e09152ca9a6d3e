"""The compiled engine's functions as C functions: all arguments are one table of whole numbers.

A table lists the fields of NamedTuples one after the other: an array as the address of its first
number and its length, a whole number as itself, a float as its bits. What a field is, its
annotation says (`layout`): that is all both sides need to know, so that a field is added in one
place.

The functions below are what a library of the engine exports; compiled by Numba, they are the same
without a library (`compile_here`).
"""

# ruff: noqa: ARG001  (Numba reads the arguments of what it compiles, whatever the body does)
from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import cfunc, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from normlab.engines import passes, training
from normlab.engines.layout import Blocks, Net, Pass32, Pass64, Scratch, State, Steps
from normlab.engines.library import Functions, of_addresses
from normlab.engines.table import fields, slots

_KINDS = {
    "Floats": types.Array(types.float32, 1, "C"),
    "Doubles": types.Array(types.float64, 1, "C"),
    "Wholes": types.Array(types.int64, 1, "C"),
    "Flags": types.Array(types.boolean, 1, "C"),
    "int": types.int64,
    "float": types.float64,
}
_TABLE = types.CPointer(types.int64)


def _reader(record: Any, first: int) -> Any:
    """An intrinsic that reads a record from the table, from this slot on."""
    kinds = [_KINDS[kind] for kind in fields(record).values()]
    whole = types.NamedTuple(kinds, record)

    @intrinsic
    def read(typing_context, table):
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
            slot = first

            def next_number() -> Any:
                nonlocal slot
                place = builder.gep(arguments[0], [ir.Constant(ir.IntType(64), slot)])
                slot += 1
                return builder.load(place)

            values = []
            for kind in kinds:
                number = next_number()
                if isinstance(kind, types.Array):
                    values.append(_array(context, builder, kind, number, next_number()))
                elif kind == types.float64:
                    values.append(builder.bitcast(number, ir.DoubleType()))
                else:
                    values.append(number)
            return context.make_tuple(builder, whole, values)

        return whole(_TABLE), generate

    return read


def _array(context: Any, builder: ir.IRBuilder, kind: types.Array, address: Any, size: Any) -> Any:
    array = make_array(kind)(context, builder)
    bytes_each = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    item = context.get_constant(types.intp, bytes_each)
    data = builder.inttoptr(address, array.data.type)
    populate_array(
        array,
        data=data,
        shape=cgutils.pack_array(builder, [size]),
        strides=cgutils.pack_array(builder, [item]),
        itemsize=item,
        meminfo=None,
    )
    return array._getvalue()


_state, _scratch = _reader(State, slots(Net)), _reader(Scratch, slots(Net, State))
_net = _reader(Net, 0)
_steps = _reader(Steps, slots(Net, State, Scratch))
_blocks = _reader(Blocks, slots(Net, State, Scratch))

_pass_32, _pass_64 = _reader(Pass32, 0), _reader(Pass64, 0)


def train_steps(table: Any) -> None:
    """`training.train_steps` of a Net, a State, a Scratch and Steps."""
    training.train_steps(_net(table), _state(table), _scratch(table), _steps(table))


def count_right(table: Any) -> int:
    """`training.count_right` of a Net, a State, a Scratch and Blocks."""
    return training.count_right(_net(table), _state(table), _scratch(table), _blocks(table))


def pass_32(table: Any) -> None:
    """`passes.pass_32` of a Pass32."""
    passes.pass_32(_pass_32(table))


def pass_64(table: Any) -> None:
    """`passes.pass_64` of a Pass64."""
    passes.pass_64(_pass_64(table))


SIGNATURES = {
    train_steps: types.void(_TABLE),
    count_right: types.int64(_TABLE),
    pass_32: types.void(_TABLE),
    pass_64: types.void(_TABLE),
}


def compiled() -> dict[str, Any]:
    """Numba's C functions by name; compiled in half a minute."""
    options = {"error_model": "numpy", "_nrt": False}
    return {
        function.__name__: cfunc(signature, **options)(function)
        for function, signature in SIGNATURES.items()
    }


def compile_here() -> Functions:
    """The functions compiled in this process, for its own processor: no library, no file."""
    functions = compiled()
    _kept.append(functions)  # their code lives as long
    return of_addresses({name: function.address for name, function in functions.items()}, "by JIT")


_kept: list[Any] = []
