"""Reading an ONNX graph as one chain of normlab's layers, node by node."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from normlab.conversion.conventions import shortest_float32
from normlab.conversion.errors import ForeignNetError
from normlab.conversion.parts import Affine, Norm, Relu
from normlab.conversion.sequences import Named
from normlab.errors import quoted
from normlab.typing import Array

if TYPE_CHECKING:
    import onnx

OPERATORS = {
    "batchnorm": "BatchNormalization",
    "layernorm": "LayerNormalization",
    "rmsnorm": "RMSNormalization",
    "groupnorm": "GroupNormalization",
}
KINDS = {operator: kind for kind, operator in OPERATORS.items()}
OLDEST_SETS = {"batchnorm": 9, "layernorm": 17, "groupnorm": 21, "rmsnorm": 23}


TYPES = (1, 11, 7, 9)  # float32 and float64, and what other nodes may hold: int64 and Boolean
TYPED = ("float_data", "double_data", "int32_data", "int64_data", "uint64_data", "string_data")


class Step(NamedTuple):
    """A node, its attributes, and the name it goes by in an error."""

    node: Any
    settings: dict[str, Any]
    where: str


class Chain:
    """The graph of a model as the one chain of nodes from its input to its output."""

    def __init__(self, model: onnx.ModelProto) -> None:
        from onnx import helper

        self.notes: list[str] = []
        self.num_groups: int | None = None
        self._graph = model.graph
        self._set = max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=1)
        self._constants = {tensor.name: array_of(tensor) for tensor in self._graph.initializer}
        self._users: dict[str, list[Step]] = {}
        for node in self._graph.node:
            settings = {each.name: helper.get_attribute_value(each) for each in node.attribute}
            step = Step(node, settings, node.name or (node.output[0] if node.output else "?"))
            if node.domain not in ("", "ai.onnx"):
                raise ForeignNetError(f"the node {step.where!r} is of the domain {node.domain!r}; expected ONNX's own")
            if not node.output or not (node.input or node.op_type == "Constant"):
                raise ForeignNetError(f"the node {step.where!r} has no input or no output; expected both")
            if not self._is_constant(step):
                for value in {*node.input}:
                    if value and value not in self._constants:
                        self._users.setdefault(value, []).append(step)

    def layers(self) -> list[Named]:
        """The layers, first to last."""
        inputs = [value.name for value in self._graph.input if value.name not in self._constants]
        outputs = [value.name for value in self._graph.output]
        if len(inputs) != 1 or len(outputs) != 1:
            raise ForeignNetError(
                f"the graph has inputs {quoted(inputs)} and outputs {quoted(outputs)}; expected one of each"
            )
        layers: list[Named] = []
        value = inputs[0]
        for _ in range(len(self._graph.node) + 1):
            if value == outputs[0]:
                return layers
            users = self._users.get(value, [])
            if len(users) != 1:
                raise ForeignNetError(f"{value!r} goes to {len(users)} nodes; expected a chain, each to the next")
            self._add(users[0], value, layers)
            value = users[0].node.output[0]
        raise ForeignNetError(f"the graph goes in a circle through {value!r}; expected a chain from input to output")

    def _is_constant(self, step: Step) -> bool:
        """Constant nodes, and Identity of what is constant, are tensors by another name."""
        node = step.node
        if node.op_type == "Constant" and "value" in step.settings:
            self._constants[node.output[0]] = array_of(step.settings["value"])
            return True
        if node.op_type == "Identity" and node.input[0] in self._constants:
            self._constants[node.output[0]] = self._constants[node.input[0]]
            return True
        return False

    def _add(self, step: Step, value: str, layers: list[Named]) -> None:
        """What the node does to `value`, as one layer more."""
        operator, where = step.node.op_type, step.where
        if step.node.input[0] != value and operator != "Add":
            raise ForeignNetError(f"the node {where!r} ({operator}) takes {value!r} not as its first input")
        if operator in ("Identity", "Dropout", "Flatten"):
            self._pass_over(step, layers)
        elif operator == "Relu":
            layers.append(Named(Relu(), where))
        elif operator == "Gemm":
            layers.append(Named(self._gemm(step), where))
        elif operator == "MatMul":
            W = self._matrix(step)
            layers.append(Named(Affine(W, np.zeros(W.shape[1], W.dtype)), where, operator))
        elif operator == "Add" and layers and layers[-1].kind == "MatMul":
            affine = layers.pop().layer
            assert isinstance(affine, Affine)
            b = self._vector(step, 1 if step.node.input[0] == value else 0, affine.W.shape[1])
            layers.append(Named(Affine(affine.W, b), where))
        elif operator in KINDS:
            layers.append(Named(self._norm(step, layers), where, KINDS[operator]))
        else:
            raise ForeignNetError(
                f"the node {where!r} is {operator}; normlab's nets have Gemm (or MatMul and Add), {', '.join(KINDS)} "
                f"and Relu"
            )

    def _pass_over(self, step: Step, layers: list[Named]) -> None:
        """Nodes that in eval mode change nothing in a batch of rows."""
        if step.node.op_type == "Flatten" and (step.settings.get("axis", 1) != 1 or layers):
            raise ForeignNetError(f"the Flatten {step.where!r} is not at the start, or not of axis 1")
        training = step.node.op_type == "Dropout" and len(step.node.input) > 2 and step.node.input[2]
        if training and np.any(self._constant(step, 2)):
            raise ForeignNetError(f"the Dropout {step.where!r} is in training mode; export the model in eval mode")

    def _gemm(self, step: Step) -> Affine:
        for name, expected in (("alpha", 1.0), ("beta", 1.0), ("transA", 0)):
            if step.settings.get(name, expected) != expected:
                raise ForeignNetError(f"the Gemm {step.where!r} has {name}={step.settings[name]}; expected {expected}")
        W = self._matrix(step)
        W = np.ascontiguousarray(W.T) if step.settings.get("transB", 0) else W
        if len(step.node.input) < 3 or not step.node.input[2]:
            self.notes.append(f"a bias of zeros for {step.where!r}, which has none")
            return Affine(W, np.zeros(W.shape[1], W.dtype))
        return Affine(W, self._vector(step, 2, W.shape[1]))

    def _norm(self, step: Step, layers: list[Named]) -> Norm:
        operator, kind = step.node.op_type, KINDS[step.node.op_type]
        if self._set < OLDEST_SETS[kind]:
            raise ForeignNetError(
                f"the graph is of operator set {self._set}, in which {operator} means another thing, if anything; "
                f"expected {OLDEST_SETS[kind]} or newer"
            )
        affine = layers[-1].layer if layers else None
        if not isinstance(affine, Affine):
            raise ForeignNetError(f"the {operator} {step.where!r} does not follow an affine layer at once")
        self._check_norm(step, kind)
        inputs = [place for place, name in enumerate(step.node.input) if place and name]
        vectors = [self._vector(step, place, affine.W.shape[1]) for place in inputs]
        norm = Norm(vectors[0], eps=shortest_float32(step.settings.get("epsilon", 1e-5)))
        if kind == "rmsnorm":
            return norm
        norm = norm._replace(beta=vectors[1] if len(vectors) > 1 else np.zeros_like(vectors[0]))
        if kind != "batchnorm":
            return norm
        return norm._replace(
            running_mean=vectors[2].astype(np.float64),
            running_var=vectors[3].astype(np.float64),
            momentum=shortest_float32(step.settings.get("momentum", 0.9)),
        )

    def _check_norm(self, step: Step, kind: str) -> None:
        operator, settings, where = step.node.op_type, step.settings, step.where
        if settings.get("training_mode", 0):
            raise ForeignNetError(f"the {operator} {where!r} is in training mode; export the model in eval mode")
        if kind in ("layernorm", "rmsnorm") and settings.get("axis", -1) not in (-1, 1):
            raise ForeignNetError(f"the {operator} {where!r} has axis={settings['axis']}; expected -1, the features")
        if kind == "groupnorm":
            if self.num_groups not in (None, settings["num_groups"]):
                raise ForeignNetError(f"{where!r} has {settings['num_groups']} groups, those before {self.num_groups}")
            self.num_groups = int(settings["num_groups"])

    def _matrix(self, step: Step) -> Array:
        W = self._constant(step, 1)
        if W.ndim != 2 or W.size == 0:
            raise ForeignNetError(f"{step.node.input[1]!r}, of {step.where!r}, has shape {W.shape}; expected a matrix")
        return W

    def _vector(self, step: Step, place: int, width: int) -> Array:
        value = self._constant(step, place)
        if value.shape not in ((width,), (1, width)):
            raise ForeignNetError(
                f"{step.node.input[place]!r}, of {step.where!r}, has shape {value.shape}; expected ({width},)"
            )
        return value.reshape(width)

    def _constant(self, step: Step, place: int) -> Array:
        name = step.node.input[place] if place < len(step.node.input) else ""
        if name not in self._constants:
            raise ForeignNetError(f"{name!r}, of {step.where!r}, is computed in the graph; expected a stored tensor")
        return self._constants[name]


def array_of(tensor: onnx.TensorProto) -> Array:
    """A stored tensor's values, the caller's to change. Raises ForeignNetError where its content denies its shape."""
    from onnx import numpy_helper

    if tensor.data_type not in TYPES:
        raise ForeignNetError(
            f"the tensor {tensor.name!r} has ONNX's type {tensor.data_type}; expected float32 or float64"
        )
    held = max(len(tensor.raw_data), *(len(getattr(tensor, name)) for name in TYPED))
    if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > held:
        raise ForeignNetError(f"the tensor {tensor.name!r} says shape {[*tensor.dims]}, more than it holds")
    try:
        values: Array = np.array(numpy_helper.to_array(tensor))
    except (TypeError, ValueError) as error:
        raise ForeignNetError(f"the tensor {tensor.name!r} cannot be read: {error}") from error
    return values
