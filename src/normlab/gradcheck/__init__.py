"""Gradient checks: the assignment's five functions, and normlab's own, which names what is wrong and where."""

from normlab.gradcheck.assignment import (
    eval_numerical_gradient,
    eval_numerical_gradient_array,
    eval_numerical_gradient_blobs,
    eval_numerical_gradient_net,
    grad_check_sparse,
)
from normlab.gradcheck.checks import check_gradient, check_layer, check_net
from normlab.gradcheck.reports import ArgumentCheck, GradientReport

__all__ = [
    "ArgumentCheck",
    "GradientReport",
    "check_gradient",
    "check_layer",
    "check_net",
    "eval_numerical_gradient",
    "eval_numerical_gradient_array",
    "eval_numerical_gradient_blobs",
    "eval_numerical_gradient_net",
    "grad_check_sparse",
]
