"""ONNX: a graph of Gemm, a normalization operator and Relu, in eval mode.

Exported is the smallest operator set that has the operators: 17, for group norm 21, for RMS norm 23. Dropout is nothing
in eval mode and stays out of the graph; the label keeps it. ONNX stores eps as a float32, so a float64 net's outputs
there differ by up to 1.3e-8 * eps / (var + eps) of their size, the rounding of 1e-5; of a float32 net that is nothing.

Imported is a chain of these operators, of MatMul and Add, and of Identity, Flatten and Dropout, as PyTorch and others
write it, with Gemm either way round (`onnx_chain`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from normlab.conversion.bounded import MOST_TENSORS, check_floats
from normlab.conversion.completing import Defaults, Found, Told, complete
from normlab.conversion.errors import ForeignNetError
from normlab.conversion.guests import need_onnx
from normlab.conversion.label import KEY, label_of, written_var
from normlab.conversion.onnx_chain import OPERATORS, Chain
from normlab.conversion.parts import Affine, Norm, Parts, Relu
from normlab.conversion.pytorch import narrowed, quoted_path
from normlab.conversion.sequences import read_row
from normlab.errors import UserError
from normlab.typing import Array

if TYPE_CHECKING:
    import onnx

TITLE, SUFFIX = "ONNX", ".onnx"
EPS = {"batchnorm": 1e-5, "layernorm": 1e-5, "groupnorm": 1e-5, "rmsnorm": 1e-5}
SETS = {"groupnorm": (21, 10), "rmsnorm": (23, 11)}  # operator set, and the file format's version that came with it
USUAL_SET = (17, 8)
FLOAT, DOUBLE = 1, 11  # of TensorProto, which also says in what type layer norm takes its statistics
MOST_NODES = 10_000


# ---------------------------------------------------------------------- to ONNX


def to_bytes(parts: Parts, unbiased_for: int | None = None) -> bytes:
    """The content of the file. Raises MissingPackageError where `onnx` is not installed."""
    model = to_model(parts, unbiased_for)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def to_model(parts: Parts, unbiased_for: int | None = None) -> onnx.ModelProto:
    """The graph, from `x` (N, D) to `scores` (N, C), checked by onnx itself."""
    need_onnx()
    from onnx import checker, helper, numpy_helper

    tensors: dict[str, Array] = {}
    nodes = []
    value, number = "x", 0
    element = DOUBLE if parts.dtype == np.float64 else FLOAT
    for layer in parts.layers():
        if isinstance(layer, Affine):
            number += 1
            last = number == len(parts.affines)
            own: dict[str, Array] = {f"W{number}": layer.W, f"b{number}": layer.b}
            operator, result, settings = "Gemm", "scores" if last else f"affine{number}", {}
        elif isinstance(layer, Norm):
            own = _norm_tensors(layer, number, parts, unbiased_for)
            operator, result = OPERATORS[str(parts.normalization)], f"norm{number}"
            settings = _norm_settings(layer, parts, element)
        elif isinstance(layer, Relu):
            own, operator, result, settings = {}, "Relu", f"hidden{number}", {}
        else:
            continue
        tensors |= own
        nodes.append(helper.make_node(operator, [value, *own], [result], name=result, **settings))
        value = result
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", element, ["N", parts.dims[0]])],
        [helper.make_tensor_value_info("scores", element, ["N", parts.dims[-1]])],
        [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in tensors.items()],
    )
    operators, version = SETS.get(str(parts.normalization), USUAL_SET)
    model = helper.make_model(
        graph, producer_name="normlab", opset_imports=[helper.make_opsetid("", operators)], ir_version=version
    )
    helper.set_model_props(model, {KEY: label_of(parts, unbiased_for)})
    checker.check_model(model, full_check=True)
    return model


def snippet(parts: Parts, name: str) -> str:
    """Python that runs the file `name` in ONNX Runtime."""
    return (
        f"import onnxruntime\n\n"
        f"session = onnxruntime.InferenceSession({quoted_path(name)})\n\n\n"
        f"def net(x):\n"
        f'    """The scores of x, {parts.dtype} (N, {parts.dims[0]})."""\n'
        f'    return session.run(["scores"], {{"x": x}})[0]\n'
    )


def _norm_tensors(norm: Norm, number: int, parts: Parts, unbiased_for: int | None) -> dict[str, Array]:
    tensors = {f"gamma{number}": norm.gamma}
    if norm.beta is not None:
        tensors[f"beta{number}"] = norm.beta
    if norm.running_mean is not None and norm.running_var is not None:
        var = written_var(norm.running_var, unbiased_for)
        for name, values in ((f"running_mean{number}", norm.running_mean), (f"running_var{number}", var)):
            tensors[name] = narrowed(name, values, parts.dtype)
    return tensors


def _norm_settings(norm: Norm, parts: Parts, element: int) -> dict[str, Any]:
    settings: dict[str, Any] = {"epsilon": norm.eps}
    if parts.normalization == "batchnorm":
        return settings | {"momentum": norm.momentum}
    if parts.normalization == "groupnorm":
        return settings | {"num_groups": parts.num_groups, "stash_type": element}
    return settings | {"axis": -1, "stash_type": element}


# ---------------------------------------------------------------------- from ONNX


def from_bytes(content: bytes, name: str, told: Told) -> tuple[Parts, list[str]]:
    """The net in a file's content, and what was taken for granted. Raises ForeignNetError, naming node or tensor."""
    need_onnx()
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.ModelProto.FromString(content)
    except (DecodeError, RecursionError, ValueError) as error:
        raise ForeignNetError(f"{name} is not an ONNX model, or a damaged one: {error}") from error
    _check_bounds(model, name)
    # before the checker, which follows what a file names
    for tensor in _all_tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise ForeignNetError(
                f"the tensor {tensor.name!r} in {name} lies in another file; normlab reads models of one file only: "
                f"save it with its data inside"
            )
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, RuntimeError, ValueError) as error:
        raise ForeignNetError(f"{name} is not a valid ONNX model: {str(error).strip().splitlines()[0]}") from error
    try:
        return from_model(model, told)
    except UserError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ForeignNetError(f"{name} is a damaged ONNX model: {type(error).__name__}: {error}") from error


def from_model(model: onnx.ModelProto, told: Told) -> tuple[Parts, list[str]]:
    """The net of a checked model. Raises ForeignNetError for a graph that is no chain of normlab's layers."""
    chain = Chain(model)
    row = read_row(chain.layers())
    check_floats({f"W{number}": affine.W for number, affine in enumerate(row.affines, start=1)})
    label = {prop.key: prop.value for prop in model.metadata_props}.get(KEY)
    says = {"eps", "num_groups"} | ({"momentum"} if row.kind == "batchnorm" else set())
    candidates = (row.kind,) if row.kind else ()
    notes = [] if label is not None else chain.notes
    found = Found(
        row.affines, row.norms, candidates, label, num_groups=chain.num_groups, says=frozenset(says), notes=notes
    )
    return complete(found, told, Defaults(TITLE, EPS, momentum=0.9))


def _check_bounds(model: onnx.ModelProto, name: str) -> None:
    graph = model.graph
    for what, many, most in (
        ("nodes", len(graph.node), MOST_NODES),
        ("tensors", len(graph.initializer), MOST_TENSORS),
        ("functions", len(model.functions), 0),
        ("sparse tensors", len(graph.sparse_initializer), 0),
    ):
        if many > most:
            raise ForeignNetError(f"{name} holds {many:,} {what}; expected at most {most:,}")


def _all_tensors(model: onnx.ModelProto) -> Iterable[onnx.TensorProto]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("g") or attribute.graphs:
                raise ForeignNetError(
                    f"the node {node.name!r} ({node.op_type}) holds a graph of its own; expected none"
                )
