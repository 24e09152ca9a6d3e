"""What the Solver refuses before its first step: settings and data that cannot work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from normlab import schedules
from normlab.errors import MissingKeyError, OptionError, ShapeError, not_one_of
from normlab.optim import UPDATE_RULES
from normlab.typing import Array
from normlab.validation import finite_number, truth, whole_number

DATA = ("X_train", "y_train", "X_val", "y_val")


def check_settings(settings: Mapping[str, Any]) -> None:
    if settings["update_rule"] not in UPDATE_RULES:
        raise not_one_of("update_rule", settings["update_rule"], UPDATE_RULES)
    for name in ("batch_size", "num_epochs", "print_every"):
        whole_number(name, settings[name], 1)
    for name in ("num_train_samples", "num_val_samples"):
        if settings[name] is not None:
            whole_number(name, settings[name], 1)
    if not isinstance(settings["checkpoint_name"], str | None):
        raise OptionError(
            f"checkpoint_name={settings['checkpoint_name']!r} is neither None nor a path"
        )
    finite_number("weight_decay", settings["weight_decay"], 0)
    truth("test", settings["test"])
    if settings["schedule"] not in schedules.BY_NAME:
        raise not_one_of("schedule", settings["schedule"], schedules.BY_NAME)
    whole_number("warmup_epochs", settings["warmup_epochs"], 0)
    schedules.check_warmup(settings["schedule"], settings["warmup_epochs"], settings["num_epochs"])
    if finite_number("lr_decay", settings["lr_decay"], 0) == 0:
        raise OptionError("lr_decay=0 is not above 0; 1.0 keeps the learning rate as it is")


def checked_data(data: Mapping[str, Array], model: Any) -> list[Array]:
    """X_train, y_train, X_val, y_val; refused where training on them would go wrong."""
    return [*checked_part(data, "train", model), *checked_part(data, "val", model)]


def checked_part(data: Mapping[str, Array], part: str, model: Any) -> tuple[Array, Array]:
    for name in (f"X_{part}", f"y_{part}"):
        if name not in data:
            needed = DATA if part != "test" else (*DATA, "X_test", "y_test")
            raise MissingKeyError(f"data has no {name!r}; the Solver needs {', '.join(needed)}")
    X, y = np.asarray(data[f"X_{part}"]), np.asarray(data[f"y_{part}"])
    if len(X) != len(y) or len(X) == 0 or y.ndim != 1:
        raise ShapeError(
            f"X_{part} of shape {X.shape} and y_{part} of shape {y.shape} do not fit; expected as "
            "many labels as examples, at least one"
        )
    if y.dtype.kind not in "iu":
        raise ShapeError(f"y_{part} has type {y.dtype}; labels are whole numbers from 0")
    classes = getattr(model, "num_classes", None)
    if y.min() < 0 or (classes is not None and y.max() >= classes):
        labels = f"from 0 to {classes - 1}" if classes is not None else "from 0"
        raise ShapeError(
            f"y_{part} has labels from {y.min()} to {y.max()}; the model takes labels {labels}"
        )
    expected = getattr(model, "input_dim", None)  # a number of values, or an image's shape
    given = X.shape[1:] if isinstance(expected, tuple) else int(np.prod(X.shape[1:]))
    if expected is not None and given != expected:
        raise ShapeError(
            f"X_{part} has {given} values an example, and the model takes {expected}; build it "
            f"with input_dim={given}"
        )
    return X, y
