"""normlab as a backend of ONNX's own: small models run node by node, by the reference or by the fused kernels.

The backends exist for ONNX's `BackendTest`, and do what it asks of one; they are no way to run
nets. `ByTheBook` knows every normalization, loss and update rule that ONNX and normlab have in
common; `ByTheKernels` knows what the kernels compute, and refuses an input that they would hand to
the reference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import onnx
from onnx.backend.base import Backend, BackendRep

from normlab import layers
from normlab.errors import OptionError, quoted
from normlab.typing import Array
from proof.conformance import onnx_norms, onnx_training
from proof.conformance.onnx_norms import Norms, Operator, norm_operators

BY_THE_BOOK: dict[str, Operator] = {
    **norm_operators(Norms(layers.batchnorm_forward, layers.layernorm_forward)),
    "RMSNormalization": onnx_norms.rms,
    "GroupNormalization": onnx_norms.group,
    "InstanceNormalization": onnx_norms.instance,
    "LpNormalization": onnx_norms.lp,
    "LRN": onnx_norms.local_response,
    "MeanVarianceNormalization": onnx_norms.mean_variance,
    "SoftmaxCrossEntropyLoss": onnx_training.softmax_cross_entropy,
    "NegativeLogLikelihoodLoss": onnx_training.negative_log_likelihood,
    "Dropout": onnx_training.dropout,
    "Gemm": onnx_training.gemm,
    "Relu": onnx_training.relu,
    "Momentum": onnx_training.momentum,
    "Adam": onnx_training.adam,
    "Adagrad": onnx_training.adagrad,
}

PLUMBING: dict[str, Operator] = {
    "Constant": lambda attributes, _: (onnx.numpy_helper.to_array(attributes["value"]),)
}
"""What computes nothing, and is there only to feed another node."""


HANDED_OVER = "which the kernels hand to the reference"


class ByTheBook(Backend):
    """ONNX's operators by the formulas of `normlab.layers` and `normlab.optim`."""

    operators: ClassVar[dict[str, Operator]] = BY_THE_BOOK

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> BackendRep:
        """The model, ready to run. Raises OptionError for an operator that this backend has not."""
        super().prepare(model, device, **kwargs)  # checks the model
        known = PLUMBING | cls.operators
        missing = [node.op_type for node in model.graph.node if node.op_type not in known]
        if missing:
            raise OptionError(
                f"{cls.__name__} has no operator {quoted(missing)}; it knows "
                f"{quoted(sorted(known))}"
            )
        return PreparedModel(model, known)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """The processor alone."""
        return device == "CPU"


class ByTheKernels(ByTheBook):
    """ONNX's operators by `normlab.kernels`, and by nothing else."""

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> BackendRep:
        """As for the reference; the kernels are loaded on first use."""
        from normlab import kernels

        forward = Norms(
            _refusing(kernels.batchnorm_forward, kernels.FusedBatchNormCache),
            _refusing(kernels.layernorm_forward, kernels.FusedLayerNormCache),
        )
        cls.operators = norm_operators(forward)
        return super().prepare(model, device, **kwargs)


def _refusing(
    forward: Callable[..., tuple[Array, Any]], fused_cache: type
) -> Callable[..., tuple[Array, Any]]:
    """The kernel's forward pass, which raises OptionError where it would let the reference compute."""

    def by_the_kernel(*arguments: Any) -> tuple[Array, Any]:
        out, cache = forward(*arguments)
        if not isinstance(cache, fused_cache):
            raise OptionError(
                f"{forward.__name__} got an input of shape {arguments[0].shape}, {HANDED_OVER}"
            )
        return out, cache

    return by_the_kernel


class PreparedModel(BackendRep):
    """A checked model whose operators are all known."""

    def __init__(self, model: onnx.ModelProto, operators: dict[str, Operator]) -> None:
        self.graph, self.operators = model.graph, operators

    def run(self, inputs: Any, **_: Any) -> tuple[Array, ...]:
        """The graph's outputs for its inputs, in the graph's order; weights are in the model."""
        values: dict[str, Any] = {"": None}  # ONNX's name for an optional input that is not given
        values |= {
            weight.name: onnx.numpy_helper.to_array(weight) for weight in self.graph.initializer
        }
        open_inputs = [value.name for value in self.graph.input if value.name not in values]
        values |= dict(zip(open_inputs, inputs, strict=True))
        for node in self.graph.node:
            attributes = {
                item.name: onnx.helper.get_attribute_value(item) for item in node.attribute
            }
            results = self.operators[node.op_type](
                attributes, [values[name] for name in node.input]
            )
            values |= dict(
                zip(node.output, results, strict=False)
            )  # outputs that nobody asked for are dropped
        return tuple(values[output.name] for output in self.graph.output)
