"""What an update rule is: one record, beside its formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from normlab.errors import OptionError, ShapeError
from normlab.typing import Array
from normlab.validation import finite_number

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
    state: tuple[str, ...] = ()
    """What it keeps in the config from step to step."""


def with_defaults(config: Config | None, rule: UpdateRule) -> Config:
    """The config itself, its missing entries filled in."""
    config = {} if config is None else config
    for name, value in rule.defaults.items():
        config.setdefault(name, value)
    return config


def check_config(config: Any, rule: UpdateRule, shape: tuple[int, ...] | None = None) -> None:
    """Raise an OptionError, or for arrays a ShapeError, for a config that `rule` cannot work with.

    `shape` is that of the parameter; without it, arrays of any shape are taken.
    """
    if not isinstance(config, dict):
        raise OptionError(
            f"the config of {rule.name} is {config!r}; expected a dictionary, or None for the "
            "defaults"
        )
    for name, value in config.items():
        if name in rule.defaults:
            finite_number(name, value)
        elif name in rule.state and not isinstance(value, np.ndarray | np.generic | float | int):
            raise OptionError(
                f"{name}={value!r} in the config of {rule.name} is no array of numbers"
            )
        elif name in rule.state and shape is not None and np.shape(value) not in ((), shape):
            raise ShapeError(
                f"{name} in the config of {rule.name} has shape {np.shape(value)}; the parameter "
                f"has {shape}"
            )


def ready(w: Array, dw: Array, config: Config | None, rule: UpdateRule) -> Config:
    """The config itself, missing entries filled in; refused where no rule can use it."""
    for name, value in (("w", w), ("dw", dw)):
        if not isinstance(value, np.ndarray | np.generic | float):
            raise ShapeError(
                f"{name}, given to {rule.name}, is of type {type(value).__name__}; expected an "
                "array of numbers"
            )
    if np.shape(w) != np.shape(dw):
        raise ShapeError(
            f"{rule.name} got w of shape {np.shape(w)} and dw of shape {np.shape(dw)}; a gradient "
            "has the shape of its parameter"
        )
    if config is not None:
        check_config(config, rule, np.shape(w))
    return with_defaults(config, rule)
