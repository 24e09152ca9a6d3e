"""An update rule that looks at the gradient's sign alone."""

from __future__ import annotations

import numpy as np

from normlab.typing import Array
from normlab.update_rule import Config, UpdateRule, with_defaults


def signsgd(w: Array, dw: Array, config: Config | None = None) -> tuple[Array, Config]:
    """w - learning_rate * sign(dw)."""
    config = with_defaults(config, SIGN_SGD)
    return w - config["learning_rate"] * np.sign(dw), config


SIGN_SGD = UpdateRule("signsgd", "sign SGD", signsgd, {"learning_rate": 1e-3})
