"""PyTorch as the judge: `torch.autograd.gradcheck` of every layer, and its own formulas beside ours in every dtype.

PyTorch is loaded on first use. A layer becomes an autograd function whose forward and backward
passes are ours, so that `gradcheck` differentiates our forward pass numerically, coordinate by
coordinate, and compares with our backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from normlab.typing import Array
from proof.conformance.subjects import EPS, KEEP, LABELS, LAYOUTS, SEED, Subject, laid_out

# of the largest true number: what rounding to the type costs, and what a float64 sum adds to it
BOUNDS = {"float16": 2.0**-11 * 1.01, "float32": 1e-7, "float64": 1e-13}


def as_function(subject: Subject) -> Callable[..., Any]:
    """The subject as a differentiable PyTorch function."""
    import torch

    class Wrapped(torch.autograd.Function):
        """Our two passes, tensors in and out."""

        @staticmethod
        def forward(ctx: Any, *arguments: Any) -> Any:
            out, ctx.cache = subject.forward(*(argument.detach().numpy() for argument in arguments))
            return torch.tensor(out)

        @staticmethod
        def backward(ctx: Any, *upstream: Any) -> Any:
            return tuple(
                torch.tensor(gradient)
                for gradient in subject.backward(upstream[0].numpy(), ctx.cache)
            )

    apply: Callable[..., Any] = Wrapped.apply
    return apply


def gradchecks(
    subjects: Mapping[str, Subject], layouts: Iterable[str] = LAYOUTS
) -> Iterator[tuple[str, str]]:
    """(layer and layout, what `gradcheck` says against it or '') for every subject and layout, in float64."""
    import torch
    from torch.autograd.gradcheck import GradcheckError

    for name, subject in subjects.items():
        for layout in layouts:
            arguments = [
                torch.tensor(a, requires_grad=True) for a in subject.draw(np.random.RandomState(0))
            ]
            try:
                # its default rtol is 1e-3; with steps of 1e-6 in float64 the noise is still far
                # below 1e-6
                torch.autograd.gradcheck(
                    as_function(laid_out(subject, layout)),
                    arguments,
                    eps=1e-6,
                    atol=1e-6,
                    rtol=1e-6,
                )
            except GradcheckError as error:
                yield f"{name}, {layout}", str(error).strip().splitlines()[0]
            else:
                yield f"{name}, {layout}", ""


def comparisons(subjects: Mapping[str, Subject]) -> Iterator[tuple[str, float, float]]:
    """(layer, dtype and layout; largest error over the largest true number, of y and all gradients; its bound).

    The truth is PyTorch's formula in float64, on the numbers that the dtype holds.
    """
    import torch

    references = _references(torch)
    for name, subject in subjects.items():
        for dtype, bound in BOUNDS.items():
            arguments = [np.asarray(a, dtype) for a in subject.draw(np.random.RandomState(1))]
            tensors = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in arguments]
            theirs = references[name.removesuffix("_fused").removesuffix("_alt")](*tensors)
            dout = np.asarray(np.random.RandomState(2).standard_normal(tuple(theirs.shape)), dtype)
            theirs.backward(torch.tensor(dout, dtype=torch.float64))
            truth = [theirs.detach().numpy(), *(tensor.grad.numpy() for tensor in tensors)]
            for layout in LAYOUTS:
                moved = laid_out(subject, layout)
                out, cache = moved.forward(*arguments)
                ours = [out, *moved.backward(dout, cache)]
                yield f"{name}, {dtype}, {layout}", max(map(_error, ours, truth)), bound


def _error(ours: Array, true: Array) -> float:
    return float(
        np.abs(np.asarray(ours, np.float64) - true).max() / max(np.abs(true).max(), 1e-300)
    )


def _references(torch: Any) -> dict[str, Callable[..., Any]]:
    """PyTorch's own formula for each subject, on tensors."""
    f = torch.nn.functional
    labels = torch.tensor(LABELS)
    running = (
        torch.linspace(-1, 1, 4, dtype=torch.float64),
        torch.linspace(0.2, 2, 4, dtype=torch.float64),
    )

    def mask(x: Any) -> Any:
        kept = torch.tensor(np.random.RandomState(SEED).rand(*x.shape) < KEEP)
        return torch.where(kept, x / KEEP, 0)

    return {
        "affine": lambda x, w, b: f.linear(x.flatten(1), w.T, b),
        "affine_relu": lambda x, w, b: f.relu(f.linear(x.flatten(1), w.T, b)),
        "relu": f.relu,
        "dropout": mask,
        "batchnorm": lambda x, g, b: f.batch_norm(x, None, None, g, b, training=True, eps=EPS),
        "batchnorm_test": lambda x, g, b: f.batch_norm(x, *running, g, b, training=False, eps=EPS),
        "layernorm": lambda x, g, b: f.layer_norm(x, x.shape[1:], g, b, eps=EPS),
        "rmsnorm": lambda x, g: f.rms_norm(x, x.shape[1:], g, eps=EPS),
        "groupnorm": lambda x, g, b: f.group_norm(x, 2, g, b, eps=EPS),
        "instancenorm": lambda x, g, b: f.instance_norm(x, None, None, g, b, eps=EPS),
        "localresponse": lambda x: f.local_response_norm(
            x, 3, alpha=0.9, beta=0.75, k=1.0
        ),  # alpha times the mean
        "meanvariance": lambda x: f.batch_norm(x, None, None, training=True, eps=EPS),
        **{f"lpnorm_{p}": lambda x, p=p: f.normalize(x, p, dim=-1) for p in (1, 2, 3)},
        "softmax_loss": lambda x: f.cross_entropy(x, labels),
        "svm_loss": lambda x: (
            x.shape[1] * f.multi_margin_loss(x, labels)
        ),  # theirs divides by the number of classes
        "nll_loss": lambda x: f.nll_loss(x, labels),
    }
