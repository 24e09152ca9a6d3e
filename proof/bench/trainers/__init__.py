"""The trainers that are compared. Each lives in a process of its own, in which it alone is loaded.

All train the same runs: the same weights to start from, the same minibatches in the same order, the
same steps and the same accuracies measured. For all but normlab these are drawn ahead, outside the
clock.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def guest(name: str) -> Any:
    """The module of that name, or None where its package is not installed, and its trainer is never made."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:
            raise
        return None
