"""A child's work: `normlab.kernels`, timed and measured."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from normlab import kernels
from normlab.kernels.sharing import empty_like
from proof.bench.kernels.cases import EPS, errors, inputs, seconds_a_call

_inputs = lru_cache(maxsize=1)(inputs)


class OurKernels:
    """The kernels on so many threads; None lets them choose, up to all cores."""

    def __init__(self, threads: int | None) -> None:
        self.threads = threads

    def time(
        self, norm: str, which: str, n: int, d: int, dtype: str, least: float, reuse: bool = False
    ) -> float:
        """Seconds a call; with `reuse`, the result goes to an array that is there already."""
        forward, backward, given = self._passes(norm, n, d, dtype, 0.0)
        call = forward if which == "forward" else backward
        out = empty_like(given.x) if reuse else None
        return seconds_a_call(lambda: call(out), least)

    def accuracy(self, norm: str, n: int, d: int, mean: float) -> tuple[float, float]:
        """Errors of y and dx in float32."""
        forward, backward, given = self._passes(norm, n, d, "float32", mean)
        return errors(given, norm, forward(None)[0], backward(None)[0])

    def _passes(
        self, norm: str, n: int, d: int, dtype: str, mean: float
    ) -> tuple[Callable[[Any], Any], Callable[[Any], Any], Any]:
        """Both passes, to be called with `out`, and their inputs."""
        given = _inputs(n, d, dtype, mean)
        x, dout, gamma, beta = given
        threads = self.threads

        def forward(out: Any) -> Any:
            if norm == "batchnorm":
                param = {"mode": "train", "eps": EPS}
                return kernels.batchnorm_forward(x, gamma, beta, param, threads=threads, out=out)
            return kernels.layernorm_forward(x, gamma, beta, {"eps": EPS}, threads=threads, out=out)

        cache = forward(None)[1]
        backward = kernels.batchnorm_backward if norm == "batchnorm" else kernels.layernorm_backward
        return forward, lambda out: backward(dout, cache, threads=threads, out=out), given
