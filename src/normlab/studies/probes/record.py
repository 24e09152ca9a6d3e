"""`Probe`: something measured on nets or images that a training history does not tell, as one record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from normlab.studies.measures import Curve, Measure


@dataclass(frozen=True)
class Probe:
    """What is looked at, the function that looks, and the measures it gives.

    looks_at            arguments of `measure`
    'a fresh net'       (spec, data), before the first update
    'a trained net'     (spec, data, net), with the net that the run has left
    'images'            (value, seed, images, with_pictures), without a net

    `measure` returns names with numbers, curves or pictures, ready for JSON; None stands for a
    number that is not finite. Raise `edition` with any change of what is measured: older results
    are then measured again.
    """

    name: str
    looks_at: Literal["a fresh net", "a trained net", "images"]
    measure: Callable[..., dict[str, Any]] | None = None
    gives: tuple[Measure | Curve, ...] = ()
    edition: int = 1
