"""What the two spatial norms share: images, their rows, and a search over layouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from normlab.checker.compare import agrees
from normlab.checker.exam import Case
from normlab.checker.probes import norm_forward
from normlab.typing import Array

CHANNELS_LAST = (0, 2, 3, 1)
ORDERS = (CHANNELS_LAST, *(p for p in permutations(range(4)) if p != CHANNELS_LAST))
LAST = tuple(p for p in ORDERS if p[3] == 1)


@dataclass(frozen=True, eq=False)
class Images:
    """Images (N, C, H, W) with all four sizes different, parameters a channel, dout, and the
    running state."""

    x: Array
    dout: Array
    flat: norm_forward.Draw
    groups: int

    @property
    def param(self) -> dict[str, Any]:
        return self.flat.param()


def draw(rng: np.random.Generator, shape: tuple[int, int, int, int], groups: int = 1) -> Images:
    """A draw; `flat` is the same as rows (N*H*W, C), whose batch norm is the spatial one."""
    c = shape[1]
    x = rng.normal(size=shape) * rng.uniform(0.5, 2, size=(1, c, 1, 1)) + rng.normal(
        size=(shape[0], c, 1, 1)
    )
    x += 0.5 * rng.normal(size=(1, 1, *shape[2:]))
    base = norm_forward.draw(rng, 2, c, 0)
    return Images(x, rng.normal(size=shape) + 0.3, base._replace(x=rows(x, CHANNELS_LAST)), groups)


def rows(x: Array, order: tuple[int, ...] = CHANNELS_LAST) -> Array:
    """Images as rows of one pixel each, C wide."""
    return x.transpose(order).reshape(-1, x.shape[1])


def as_images(flat: Array, shape: tuple[int, ...], order: tuple[int, ...]) -> Array:
    """Rows as images again."""
    return flat.reshape([shape[i] for i in order]).transpose(np.argsort(order))


Candidates = Callable[[Images], Iterator[tuple[str, Array]]]


def first_of(draws: list[Images], values: list[Any], candidates: Candidates) -> str | None:
    """The key of the first candidate that every draw agrees with; '' is right, None is none of
    them."""
    for several in zip(*(candidates(d) for d in draws), strict=True):
        if all(agrees(v, c) for v, (_, c) in zip(values, several, strict=True)):
            return str(several[0][0])
    return None


def report(case: Case, keys: tuple[str, ...] | None, depends: str, what: str) -> None:
    """Name the keys; wait for the function this one is built on; or say that the cause is
    unknown."""
    if keys:
        for key in keys:
            (case.remark if key == "running_unbiased" else case.wrong)(key, what)
    elif keys is None and case.exam.fine.get(depends) is False:
        case.waiting([depends])
    elif keys is None:
        case.wrong("unexplained", what, named=False, what=what)


def gradients(case: Case, d: Images, forward: str, *args: Any) -> tuple[Any, ...]:
    """dx, dgamma and dbeta of a person's own forward and backward."""
    cache = case.forward(forward, d.x, *args)[1]
    outcome = case.call(case.function, d.dout, cache)
    if not case.untouched((d.dout,), outcome, ("dout",), key=""):
        case.remark("dout_overwritten")
    return case.results(outcome.value, ("dx", "dgamma", "dbeta"))
