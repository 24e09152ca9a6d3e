"""What the house knows of a normalization layer: one record, at the end of the layer's own file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from normlab.typing import Array

Over: TypeAlias = Literal["batch", "features", "groups"]
RUNNING = ("running_mean", "running_var")
MOMENTUM = 0.9  # the weight of a running statistic's old value


@dataclass(frozen=True)
class Parameter:
    """A trained parameter: its name without the layer's number, the value it starts from, and how many there are."""

    name: str
    start: float
    each: Literal["feature", "layer"] = "feature"

    def size(self, features: int) -> int:
        """How many numbers a layer of so many features has: its shape is (size,)."""
        return features if self.each == "feature" else 1


GAMMA, BETA = Parameter("gamma", 1.0), Parameter("beta", 0.0)


def _takes_any(hidden_dims: Sequence[int], options: Mapping[str, Any]) -> None:
    """The check of a norm that fits every net."""


@dataclass(frozen=True)
class Norm:
    """A normalization layer as nets, specs, studies, engines and exporters look it up in `norms.BY_NAME`.

    `forward(x, *parameters, settings)` gives `(out, cache)`, and `backward(dout, cache)` gives dx
    and the gradients of the parameters, in their order. `settings` is a dictionary: `mode`, `eps`,
    the norm's own options, and, where it is `running`, `momentum` and the running statistics, which
    forward writes back.
    """

    name: str
    """In specs and on the command line: 'batchnorm'."""
    title: str
    """In sentences and figures: 'batch norm'."""
    parameters: tuple[Parameter, ...]
    over: Over | None
    """What its statistics are taken over; None where it takes none."""
    forward: Callable[..., tuple[Array, Any]]
    backward: Callable[[Array, Any], tuple[Array, ...]]
    centred: bool = True
    """Whether it subtracts a mean."""
    running: bool = False
    """Whether it keeps running statistics (RUNNING) for test mode."""
    options: tuple[str, ...] = ()
    """Settings of NetSpec that belong to this norm alone."""
    check: Callable[[Sequence[int], Mapping[str, Any]], None] = _takes_any
    """Given hidden_dims and the options, raises OptionError where they make no net."""
    foreign: Mapping[str, str] = field(default_factory=dict)
    """Its name in other libraries: 'pytorch', 'keras', 'onnx'. A library that has no such layer is left out."""

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters)
