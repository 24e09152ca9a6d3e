"""ONNX: a graph of Gemm, a normalization operator and Relu, in eval mode.

Exported is the smallest operator set that has the operators: 17, for group norm 21, for RMS norm
23. Dropout is nothing in eval mode and stays out of the graph; the label keeps it. ONNX stores eps
as a float32, so a float64 net's outputs there differ by up to 1.3e-8 * eps / (var + eps) of their
size, the rounding of 1e-5; of a float32 net that is nothing.

Read back are files with our label, as long as their graph is the one that the label's net has.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from normlab.conversion.bounded import MOST_TENSORS, check_floats
from normlab.conversion.errors import ForeignNetError
from normlab.conversion.held_arrays import HeldArrays
from normlab.conversion.label import KEY, label_of, read_label, written_var
from normlab.conversion.net_parts import Affine, NormLayer, Parts, Relu, foreign_name
from normlab.conversion.pytorch import narrowed, quoted_path
from normlab.errors import UserError, need
from normlab.layers.norm_record import Norm
from normlab.layers.norms import RUNNING
from normlab.typing import Array

if TYPE_CHECKING:
    import onnx

LIBRARY, TITLE, SUFFIX = "onnx", "ONNX", ".onnx"
KEEPING = "ONNX's own tools keep the label, which is in the model's metadata_props"
# operator set, and the file format's version that came with it
SETS = {"GroupNormalization": (21, 10), "RMSNormalization": (23, 11)}
USUAL_SET = (17, 8)
FLOAT, DOUBLE = (
    1,
    11,
)  # of TensorProto, which also says in what type layer norm takes its statistics
TYPED = ("float_data", "double_data", "int32_data", "int64_data", "uint64_data", "string_data")
MOST_NODES = 10_000


# ---------------------------------------------------------------------- to ONNX


def to_bytes(parts: Parts, unbiased_for: int | None = None) -> bytes:
    """The content of the file. Raises MissingPackageError where `onnx` is not installed."""
    model = to_model(parts, unbiased_for)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def to_model(parts: Parts, unbiased_for: int | None = None) -> onnx.ModelProto:
    """The graph, from `x` (N, D) to `scores` (N, C), checked by onnx itself."""
    need("an ONNX file", {"onnx": "onnx"}, "'normlab[conversion]'")
    from onnx import checker, helper, numpy_helper

    operator_of_norm = foreign_name(parts, LIBRARY, TITLE) if parts.norm is not None else ""
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
        elif isinstance(layer, NormLayer):
            own = _norm_tensors(layer, number, parts, unbiased_for)
            operator, result = operator_of_norm, f"norm{number}"
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
        [
            numpy_helper.from_array(np.ascontiguousarray(array), name)
            for name, array in tensors.items()
        ],
    )
    operators, version = SETS.get(operator_of_norm, USUAL_SET)
    model = helper.make_model(
        graph,
        producer_name="normlab",
        opset_imports=[helper.make_opsetid("", operators)],
        ir_version=version,
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


def _norm_tensors(
    norm: NormLayer, number: int, parts: Parts, unbiased_for: int | None
) -> dict[str, Array]:
    names = parts.norm.parameter_names if parts.norm is not None else ()
    tensors = {f"{name}{number}": value for name, value in zip(names, norm.parameters, strict=True)}
    if norm.running_mean is not None and norm.running_var is not None:
        var = written_var(norm.running_var, unbiased_for)
        for name, values in (
            (f"running_mean{number}", norm.running_mean),
            (f"running_var{number}", var),
        ):
            tensors[name] = narrowed(name, values, parts.dtype)
    return tensors


def _norm_settings(norm: NormLayer, parts: Parts, element: int) -> dict[str, Any]:
    settings: dict[str, Any] = {"epsilon": norm.eps}
    if norm.running_mean is not None:
        return settings | {"momentum": norm.momentum}
    if parts.num_groups is not None:
        return settings | {"num_groups": parts.num_groups, "stash_type": element}
    return settings | {"axis": -1, "stash_type": element}


# ---------------------------------------------------------------------- from ONNX


def from_bytes(content: bytes, name: str) -> Parts:
    """The net in the content of a file with our label. Raises ForeignNetError, naming node or tensor."""
    need("an ONNX file", {"onnx": "onnx"}, "'normlab[conversion]'")
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
                f"the tensor {tensor.name!r} of {name} lies in another file. normlab reads one "
                "file with all its data inside: save it with external_data=False "
                "(torch.onnx.export) or save_as_external_data=False (onnx.save_model)"
            )
    label_text = {prop.key: prop.value for prop in model.metadata_props}.get(KEY)
    read_label(label_text, name, KEEPING)  # what is not ours is refused before more is asked of it
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, RuntimeError, ValueError) as error:
        what = str(error).strip().splitlines()[0]
        raise ForeignNetError(f"{name} is not a valid ONNX model: {what}") from error
    try:
        return from_model(model, name)
    except UserError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ForeignNetError(
            f"{name} is a damaged ONNX model: {type(error).__name__}: {error}"
        ) from error


def from_model(model: onnx.ModelProto, name: str) -> Parts:
    """The net of a checked model with our label. Raises ForeignNetError for a graph that is not its net's."""
    label = read_label(
        {prop.key: prop.value for prop in model.metadata_props}.get(KEY), name, KEEPING
    )
    arrays = {tensor.name: _array_of(tensor) for tensor in model.graph.initializer}
    check_floats(arrays)
    held = HeldArrays(arrays, name)
    affines: list[Affine] = []
    norms: list[NormLayer] = []
    number = 0
    while not affines or f"W{number + 1}" in held:
        number += 1
        W = held.matrix(f"W{number}")
        affines.append(Affine(W, held.vector(f"b{number}", W.shape[1])))
        if label.norm is not None and f"W{number + 1}" in held:
            norms.append(_norm(held, label.norm, number, W.shape[1]))
    held.finish()
    parts = label.parts(affines, norms)
    _check_graph(model, to_model(parts, label.unbiased_for), name)
    return parts


def _norm(held: HeldArrays, norm: Norm, number: int, width: int) -> NormLayer:
    layer = NormLayer(tuple(held.vector(f"{name}{number}", width) for name in norm.parameter_names))
    if not norm.running:
        return layer
    mean, var = (held.vector(f"{name}{number}", width).astype(np.float64) for name in RUNNING)
    return layer._replace(running_mean=mean, running_var=var)


def _check_graph(model: onnx.ModelProto, ours: onnx.ModelProto, name: str) -> None:
    """Refuse a graph that does not compute the net of the file's label, naming the first other node."""

    def rest(model: onnx.ModelProto) -> list[object]:
        sets = sorted(
            (each.domain, each.version) for each in model.opset_import if each.domain == ""
        )
        values = (model.graph.input, model.graph.output)
        return [sets, *([value.name for value in each] for each in values)]

    found, expected = list(model.graph.node), list(ours.graph.node)
    if (len(found), rest(model)) == (len(expected), rest(ours)) and [*map(_described, found)] == [
        *map(_described, expected)
    ]:
        return
    what = "its operator set, its inputs or its outputs are not what"
    for place in range(max(len(found), len(expected))):
        if place >= len(found):
            what = f"its end after {place} nodes is not what"
            break
        node = found[place]
        if place >= len(expected) or _described(node) != _described(expected[place]):
            what = f"the node {node.name!r} ({node.op_type}) is not what"
            break
    raise ForeignNetError(
        f"{name} has our label and no longer the graph of the label's net: {what} normlab wrote. "
        f"Another program changed it; export the net again"
    )


def _described(node: onnx.NodeProto) -> tuple[object, ...]:
    """All of a node that says what it computes."""
    from onnx import helper

    settings = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    return node.op_type, node.domain, [*node.input], [*node.output], settings


def _array_of(tensor: onnx.TensorProto) -> Array:
    """A stored tensor's values, the caller's to change."""
    from onnx import numpy_helper

    if tensor.data_type not in (FLOAT, DOUBLE):
        raise ForeignNetError(
            f"the tensor {tensor.name!r} has ONNX's type {tensor.data_type}; expected float32 or "
            "float64"
        )
    held = max(len(tensor.raw_data), *(len(getattr(tensor, name)) for name in TYPED))
    if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > held:
        raise ForeignNetError(
            f"the tensor {tensor.name!r} says shape {[*tensor.dims]}, more than it holds"
        )
    try:
        values: Array = np.array(numpy_helper.to_array(tensor))
    except (TypeError, ValueError) as error:
        raise ForeignNetError(f"the tensor {tensor.name!r} cannot be read: {error}") from error
    return values


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
                    f"the node {node.name!r} ({node.op_type}) holds a graph of its own; expected "
                    "none"
                )
