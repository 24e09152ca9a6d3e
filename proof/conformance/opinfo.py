"""PyTorch's own samples (OpInfo and ModuleInfo) as inputs for both: PyTorch's result and gradients, and ours.

Each sample becomes a `Question`: what PyTorch computes, what the reference computes, and what
extended precision says. Where the two differ by more than rounding, the answer nearer to the truth
is named. Samples that normlab refuses on purpose (an empty batch, a negative eps, a norm with p <
1) are counted with the refusal. PyTorch is loaded on first use.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from normlab.errors import UserError
from normlab.typing import Array
from proof.conformance import opinfo_norms

# two right answers may differ by a rounding each, and PyTorch sums in the type itself: 16 units of
# it, of max |truth|
ROUNDING = {dtype: 16 * float(np.finfo(dtype).eps) for dtype in ("float16", "float32", "float64")}

OPERATORS = {
    "nn.functional.batch_norm": opinfo_norms.batch_norm,
    "nn.functional.layer_norm": opinfo_norms.layer_norm,
    "nn.functional.group_norm": opinfo_norms.group_norm,
    "nn.functional.instance_norm": opinfo_norms.instance_norm,
    "nn.functional.rms_norm": opinfo_norms.rms_norm,
    "nn.functional.local_response_norm": opinfo_norms.local_response_norm,
    "nn.functional.normalize": opinfo_norms.normalize,
}

MODULES = {
    **{f"nn.BatchNorm{d}d": opinfo_norms.batch_norm_module for d in (1, 2, 3)},
    **{f"nn.InstanceNorm{d}d": opinfo_norms.instance_norm_module for d in (1, 2, 3)},
    "nn.LayerNorm": opinfo_norms.layer_norm_module,
    "nn.GroupNorm": opinfo_norms.group_norm_module,
    "nn.RMSNorm": opinfo_norms.rms_norm_module,
    "nn.LocalResponseNorm": opinfo_norms.local_response_module,
}


@dataclass(frozen=True)
class Disagreement:
    """One result on which the two differ by more than rounding."""

    result: str  # y, dx, dgamma or dbeta
    largest: float  # the largest true number
    ours: float  # the largest error of each
    theirs: float
    rounding: float  # an error up to this is rounding

    @property
    def right(self) -> str:
        """Who is right to rounding; or, where cancellation leaves neither so, who is nearer."""
        right = [
            name
            for name, error in (("normlab", self.ours), ("PyTorch", self.theirs))
            if error <= self.rounding
        ]
        nearer = "normlab" if self.ours < self.theirs else "PyTorch"
        return " and ".join(right) or f"neither; {nearer} is nearer"


@dataclass(frozen=True)
class Answer:
    """What came of one sample: whose refusal, in its words, or the results' disagreements, usually none."""

    sample: str
    dtype: str
    shape: tuple[int, ...]
    refusal: str
    disagreements: tuple[Disagreement, ...]


def why_not() -> str | None:
    """Why there are no samples here, as a sentence; None where there are."""
    for name in ("torch", "expecttest"):
        if importlib.util.find_spec(name) is None:
            return f"needs {name}, which is not installed" + (
                ", for PyTorch's test samples" if name != "torch" else ""
            )
    from proof.conformance.extended import has_extended

    return None if has_extended() else "this machine has no extended precision to judge by"


def answers() -> Iterator[Answer]:
    """Every sample in float16, float32 and float64, compared."""
    for dtype in ROUNDING:
        for sample, question in _questions(dtype):
            asked = question()
            try:
                yield _compared(sample, dtype, asked)
            except UserError as refusal:
                yield Answer(sample, dtype, asked.x.shape, f"normlab: {refusal}", ())
            except NotImplementedError as refusal:
                yield Answer(sample, dtype, asked.x.shape, f"PyTorch: {refusal}", ())


def _questions(dtype: str) -> Iterator[tuple[str, Callable[[], opinfo_norms.Question]]]:
    """Each sample's name, and what makes a question of it."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
        from torch.testing._internal.common_modules import module_db

    torch.manual_seed(0)
    kind = getattr(torch, dtype)
    for operator in op_db:
        if operator.name in OPERATORS and operator.variant_test_name == "":
            for number, sample in enumerate(
                operator.sample_inputs("cpu", kind, requires_grad=True)
            ):
                ask = OPERATORS[operator.name]
                yield f"{operator.name} {number}", partial(ask, sample)
    for info in module_db:
        if info.name in MODULES:
            inputs = info.module_inputs_func(info, "cpu", kind, requires_grad=True, training=True)
            for number, given in enumerate(inputs):
                built, x = given.constructor_input, given.forward_input.args[0]
                module = info.module_cls(*built.args, **built.kwargs).to(kind)
                with torch.no_grad():
                    for parameter in module.parameters():
                        parameter.normal_()
                ask_module = MODULES[info.name]
                yield f"{info.name} {number}", partial(ask_module, module, x)


def _compared(sample: str, dtype: str, question: opinfo_norms.Question) -> Answer:
    theirs, ours, truth = question.theirs(), question.ours(), question.truth()
    found = []
    for result, a, b, true in zip(("y", "dx", "dgamma", "dbeta"), ours, theirs, truth, strict=True):
        if true is not None and a is not None and b is not None:
            largest = float(np.abs(true).max())
            rounding = ROUNDING[dtype] * largest + float(np.finfo(dtype).smallest_subnormal)
            if not _largest_difference(a, b) <= rounding:
                ours_off, theirs_off = (_largest_difference(value, true) for value in (a, b))
                found.append(Disagreement(result, largest, ours_off, theirs_off, rounding))
    return Answer(sample, dtype, question.x.shape, "", tuple(found))


def _largest_difference(a: Array, b: Array) -> float:
    difference = np.asarray(a, np.longdouble).ravel() - np.asarray(b, np.longdouble).ravel()
    return float(np.abs(difference).max())
