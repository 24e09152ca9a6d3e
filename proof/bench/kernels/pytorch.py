"""A child's work: PyTorch's own kernels behind its norms, called directly, without autograd's bookkeeping."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from proof.bench.kernels.cases import EPS, errors, inputs, seconds_a_call
from proof.bench.trainers import guest

torch: Any = guest("torch")
_inputs = lru_cache(maxsize=1)(inputs)


class PytorchKernels:
    """The kernels on the threads that the process was given."""

    def time(self, norm: str, which: str, n: int, d: int, dtype: str, least: float) -> float:
        """Seconds a call."""
        forward, backward, _ = _passes(norm, n, d, dtype, 0.0)
        return seconds_a_call(forward if which == "forward" else backward, least)

    def accuracy(self, norm: str, n: int, d: int, mean: float) -> tuple[float, float]:
        """Errors of y and dx in float32."""
        forward, backward, given = _passes(norm, n, d, "float32", mean)
        return errors(given, norm, forward()[0].numpy(), backward()[0].numpy())


def _passes(
    norm: str, n: int, d: int, dtype: str, mean: float
) -> tuple[Callable[[], Any], Callable[[], Any], Any]:
    """Both passes and their inputs."""
    given = _inputs(n, d, dtype, mean)
    x, dout, gamma, beta = (torch.from_numpy(array) for array in given)
    all_three = [True, True, True]
    if norm == "batchnorm":
        running = torch.zeros_like(gamma), torch.ones_like(gamma)

        def forward() -> Any:
            return torch.native_batch_norm(x, gamma, beta, *running, True, 0.1, EPS)

        _, mean_, rstd = forward()
        gradient = torch.ops.aten.native_batch_norm_backward
        return (
            forward,
            lambda: gradient(dout, x, gamma, *running, mean_, rstd, True, EPS, all_three),
            given,
        )

    def layer_forward() -> Any:
        return torch.native_layer_norm(x, [d], gamma, beta, EPS)

    _, mean_, rstd = layer_forward()
    gradient = torch.ops.aten.native_layer_norm_backward
    return layer_forward, lambda: gradient(dout, x, [d], mean_, rstd, gamma, beta, all_three), given
