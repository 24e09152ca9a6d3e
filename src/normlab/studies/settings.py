"""What a study runs, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from normlab import inputs, starts
from normlab.optim import UPDATE_RULES
from normlab.specs import TrainingSpec
from normlab.studies.axes import Axis
from normlab.studies.study import Study

PHRASES: Mapping[str, str] = {
    "batch_size": "batches of {}",
    "num_epochs": "{} epochs",
    "weight_scale": "initial weights with standard deviation {}",
    "dropout": "units kept with probability {}",
    "reg": "L2 penalty {}",
    "lr_decay": "learning rate times {} after each epoch",
    "eps": "ε = {}",
    "activation": "activation {}",
    "schedule": "{} learning-rate schedule",
    "num_groups": "{} groups",
    "residual": "residual blocks, {}",
    "ghost_batch": "statistics of {} examples together",
    "norm_noise": "noise of standard deviation {} after each norm",
    "norm_momentum": "running statistics keep {} of themselves at a step",
    "weight_decay": "decoupled weight decay {}",
    "warmup_epochs": "{} epochs of warm-up",
}
"""How a fixed field is said; others by their own name."""
UNSAID = frozenset({"test", "dtype", "kind", "learning_rate", "update_rule"})
"""Fields that say nothing about the net, and those of the optimizer, which is said by itself."""
STARTS: Mapping[str, str] = {"he": "He initialization", "glorot": "Glorot initialization"}


def settings(study: Study) -> tuple[tuple[str, str], ...]:
    """What the study ran: for each grid what varies, its fixed settings, and its optimizer."""
    described = []
    for number, part in enumerate(study.grids, start=1):
        varied = [f"{_capital(axis.title or axis.name)}: {_values(axis)}" for axis in part.axes]
        fixed = [said for name, value in part.fixed.items() if (said := _said(name, value))]
        tags = "; ".join(str(value) for value in part.tags.values())
        title = f"Nets, part {number}" if len(study.grids) > 1 else "Nets"
        sentences = [_capital(tags), *varied, _capital(", ".join(fixed)), _optimizer(part)]
        described.append((title, ". ".join(filter(None, sentences)) + "."))
    described += [("Operations", _listed(shown.axis.values)) for shown in study.demonstrations]
    return tuple(described)


def _said(name: str, value: Any) -> str:
    """A fixed field in words; nothing for what is no setting of the net."""
    if name in UNSAID:
        return ""
    if name == "hidden_dims":
        return _layers(value)
    if name == "start":
        return STARTS.get(value, f"initial weights: {starts.BY_NAME[value].title}")
    if name == "inputs":
        return inputs.BY_NAME[value].title
    if name in PHRASES:
        return PHRASES[name].format(_plain(value))
    return f"{name.replace('_', ' ')} {_plain(value)}"


def _layers(widths: Sequence[int]) -> str:
    counted = "one hidden layer" if len(widths) == 1 else f"{len(widths)} hidden layers"
    if len(set(widths)) == 1:
        return f"{counted} of {widths[0]} units"
    return f"{counted} of {', '.join(map(str, widths))} units"


def _optimizer(part: Any) -> str:
    """The optimizer of a grid with its rate, unless an axis varies them."""
    varied = {name for axis in part.axes for setting in axis.settings for name in setting}
    words = []
    if "update_rule" not in varied:
        rule = part.fixed.get("update_rule", TrainingSpec().update_rule)
        words.append(f"Optimizer: {UPDATE_RULES[rule].title}")
    if "learning_rate" not in varied:
        rate = part.fixed.get("learning_rate", TrainingSpec().learning_rate)
        words.append(f"{'' if words else 'Optimizer: '}learning rate {_plain(rate)}")
    return ", ".join(words)


def _values(axis: Axis) -> str:
    """The values of an axis, each with what it sets where its name does not say so."""
    if len(axis.values) > 8:
        return _listed(axis.values)
    return ", ".join(
        _explained(value, setting)
        for value, setting in zip(axis.values, axis.settings, strict=True)
    )


def _explained(value: object, setting: Mapping[str, Any]) -> str:
    said = _plain(value)
    explained = [_said(name, field) for name, field in setting.items() if name in EXPLAINED]
    return f"{said} ({', '.join(explained)})" if explained and isinstance(value, str) else said


EXPLAINED = ("start", "weight_scale", "inputs")
"""Fields whose value on an axis goes by a name of the study's own."""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _listed(values: Sequence[object]) -> str:
    if len(values) > 8:
        return f"{_plain(values[0])} to {_plain(values[-1])} in {len(values)} steps"
    return ", ".join(map(_plain, values))


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return str(value)
