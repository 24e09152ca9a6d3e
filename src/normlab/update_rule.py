"""What an update rule is: one record, beside its formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from normlab.typing import Array

Config = dict[str, Any]


@dataclass(frozen=True)
class UpdateRule:
    """An update rule as the Solver, specs and engines look it up in `UPDATE_RULES`."""

    name: str
    """In specs and on the command line: 'sgd_momentum'."""
    title: str
    """In sentences and figures: 'SGD with momentum'."""
    step: Callable[..., tuple[Array, Config]]
    """The rule: (w, dw, config) -> (next_w, config)."""
    defaults: dict[str, float]
    """Its settings, the learning rate among them."""


def with_defaults(config: Config | None, rule: UpdateRule) -> Config:
    """The config itself, its missing entries filled in."""
    config = {} if config is None else config
    for name, value in rule.defaults.items():
        config.setdefault(name, value)
    return config
