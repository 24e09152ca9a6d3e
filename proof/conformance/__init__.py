"""Conformance: other people's suites, checkers and samples, run against the reference and the fused kernels.

`rows` is what `normlab selftest` shows of it; `python -m proof.conformance FOLDER` writes the
published pages. ONNX, PyTorch and JAX are loaded where they are installed, and where one is not its
rows say so.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator

from normlab.selftest.measured import Measured
from proof.conformance import opinfo
from proof.conformance.subjects import LAYOUTS, all_subjects

__all__ = ["rows"]

ONNX, TORCH, JAX, SAMPLES = (
    "ONNX's own suite, unmodified",
    "torch.autograd.gradcheck of every layer, float64",
    "jax.test_util.check_grads of every layer, float64",
    "PyTorch's own samples (OpInfo, ModuleInfo), y and all gradients",
)


def rows(full: bool) -> Iterator[Measured]:
    """What other people's checks say of normlab; the full run also takes every layout and dtype, JAX, and samples."""
    yield from _where_installed("onnx", ONNX, _onnx)
    yield from _where_installed("torch", TORCH, lambda: _gradchecks(full))
    if full:
        yield from _where_installed(
            "torch", "PyTorch's formulas in float64 beside every layer", _comparisons
        )
        yield from _where_installed("jax", JAX, _check_grads)
        yield _samples()


def _where_installed(
    package: str, promise: str, measure: Callable[[], Iterable[Measured]]
) -> Iterable[Measured]:
    """The rows, or one that says what is missing."""
    if importlib.util.find_spec(package) is not None:
        return measure()
    return [
        Measured(
            "conformance", promise, "all", "not run", None, 0, note=f"{package} is not installed"
        )
    ]


def _onnx() -> Iterator[Measured]:
    from proof.conformance import onnx_backend, onnx_suite

    run = [case for case in onnx_suite.cases() if case.skipped is None]
    outcomes = onnx_suite.run(onnx_backend.ByTheBook, [case.name for case in run])
    norms = [
        case for case in run if case.kind == "node" and set(case.operators) <= set(onnx_suite.NORMS)
    ]
    exported = [
        case
        for case in run
        if case.kind == "pytorch-converted" and case.operators == ("BatchNormalization",)
    ]
    rest = [case for case in run if case not in norms and case not in exported]
    for what, chosen in (
        ("norm cases", norms),
        ("batch norms exported by PyTorch", exported),
        ("losses, dropout, Gemm, ReLU, Momentum, Adam, Adagrad", rest),
    ):
        told = {case.name: outcomes[case.name] for case in chosen}
        yield _counted(f"{ONNX}, by the reference: {what}", told)
    if importlib.util.find_spec("numba") is None:
        note = "the kernels need Numba, which is not installed"
        yield Measured(
            "conformance", f"{ONNX}, by the kernels", "all", "not run", None, 0, note=note
        )
        return
    fused = [
        case.name
        for case in run
        if set(case.operators) <= {"BatchNormalization", "LayerNormalization"}
    ]
    by_kernels = onnx_suite.run(onnx_backend.ByTheKernels, fused)
    handed = [name for name, told in by_kernels.items() if told.endswith(onnx_backend.HANDED_OVER)]
    told = {name: text for name, text in by_kernels.items() if name not in handed}
    note = (
        f"{len(handed)} more are one row alone, which the kernels hand to the reference"
        if handed
        else ""
    )
    yield _counted(f"{ONNX}, by the fused kernels: batch and layer norm", told, note)


def _gradchecks(full: bool) -> Iterator[Measured]:
    from proof.conformance import torch_gradients

    layouts = tuple(LAYOUTS) if full else ("contiguous",)
    note = f"layouts: {', '.join(layouts)}"
    yield _counted(TORCH, dict(torch_gradients.gradchecks(all_subjects(), layouts)), note)


def _check_grads() -> Iterator[Measured]:
    from proof.conformance import jax_gradients

    yield _counted(
        JAX, dict(jax_gradients.gradchecks(all_subjects())), f"layouts: {', '.join(LAYOUTS)}"
    )


def _comparisons() -> Iterator[Measured]:
    from proof.conformance import torch_gradients

    found = list(torch_gradients.comparisons(all_subjects()))
    for dtype, bound in torch_gradients.BOUNDS.items():
        errors = {name: error for name, error, _ in found if f", {dtype}, " in name}
        worst = max(errors, key=lambda name: errors[name])
        yield Measured(
            "conformance",
            f"every layer and layout in {dtype}, y and gradients, against PyTorch's formula in "
            "float64",
            f"{bound:.1e} of the largest",
            f"{errors[worst]:.1e}",
            errors[worst] <= bound,
            len(errors),
            note=f"worst: {worst}",
        )


def _samples() -> Measured:
    missing = opinfo.why_not()
    if missing is not None:
        return Measured("conformance", SAMPLES, "none wrong", "not run", None, 0, note=missing)
    answers = list(opinfo.answers())
    compared = [answer for answer in answers if not answer.refusal]
    disagreements = [found for answer in compared for found in answer.disagreements]
    wrong = [found for found in disagreements if found.right == "PyTorch"]
    refused = sum(answer.refusal.startswith("normlab") for answer in answers)
    rights = {
        who: sum(found.right == who for found in disagreements) for who in ("normlab", "PyTorch")
    }
    return Measured(
        "conformance",
        SAMPLES,
        "none where PyTorch is right and normlab is not",
        f"{len(wrong)}",
        not wrong,
        len(compared),
        note=f"{len(disagreements)} results differ by more than rounding: normlab is right in {rights['normlab']}, "
        f"PyTorch in {rights['PyTorch']}, neither in {len(disagreements) - sum(rights.values())}; "
        f"normlab refuses {refused} samples, PyTorch {len(answers) - len(compared) - refused}",
    )


def _counted(promise: str, told: dict[str, str], note: str = "") -> Measured:
    """A row over cases of which each passes with '' or fails with a message; the note names the first that failed."""
    failed = [name for name, text in told.items() if text]
    if failed:
        note = f"{failed[0]}: {told[failed[0]]}"
    passed = len(told) - len(failed)
    count = len(told)
    return Measured(
        "conformance",
        promise,
        f"{count} of {count}",
        f"{passed} of {count}",
        not failed and count > 0,
        count,
        note=note,
    )
