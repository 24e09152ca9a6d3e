"""What an engine is: one record, which everything that trains looks up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from normlab.specs import History, RunSpec

if TYPE_CHECKING:
    from normlab.data.dataset import Dataset
    from normlab.nets import Net


@dataclass(frozen=True)
class Engine:
    """A way from a RunSpec to its History. Reasons are sentences for whoever asked for it."""

    name: str
    title: str
    why_not: Callable[[], str | None]
    """Why the engine cannot run on this machine; None where it can."""
    takes: Callable[[RunSpec], str | None]
    """Why it does not train a run, such as a setting that it does not know; None where it does."""
    train: Callable[[RunSpec, Dataset, Net | None], History]
    """The history of a run, on data that `prepared` has made for it. A net, if given, is left
    with the best parameters on validation data."""
    explain: Callable[[RunSpec], str]
    """How it trains a run, and how the history compares with the reference engine's."""
    provenance: Callable[[], dict[str, Any]] = dict
    """What its results depend on beside the versions and the machine, such as a compiler."""
    former_name: str | None = None
    """What it was called once; it is still found under that name."""
