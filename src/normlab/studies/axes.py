"""The directions of a grid: what a reader sees at each point, and which fields of the specs it sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from normlab.errors import OptionError, not_one_of
from normlab.layers import norms

Value = str | int | float
"""What a reader sees at a point of an axis: 'batch norm', 50, 0.01."""


@dataclass(frozen=True)
class Axis:
    """A direction of a grid: its values, and the fields of NetSpec and TrainingSpec that each sets.

    `title` stands at the axis of a figure. `label` says a value in the name of a line: 'batch {}'
    makes 'batch 5'.
    """

    name: str
    values: tuple[Value, ...]
    settings: tuple[Mapping[str, Any], ...]
    title: str = ""
    label: str = "{}"

    def __post_init__(self) -> None:
        if len(self.values) != len(self.settings) or len(set(self.values)) != len(self.values):
            raise OptionError(
                f"the axis {self.name!r} has {len(self.values)} values and {len(self.settings)} "
                f"settings; it needs "
                f"as many of both, and no value twice"
            )


def over(
    name: str, settings: Mapping[Any, Mapping[str, Any]], title: str = "", label: str = "{}"
) -> Axis:
    """An axis from a table: each value with the fields it sets.

    >>> over("width", {2: {"hidden_dims": (2, 2)}, 4: {"hidden_dims": (4, 4)}}).values
    (2, 4)
    """
    return Axis(name, tuple(settings), tuple(settings.values()), title, label)


def over_field(
    name: str, field_name: str, values: Sequence[Value], title: str = "", label: str = "{}"
) -> Axis:
    """An axis whose values are one field's."""
    settings = tuple({field_name: value} for value in values)
    return Axis(name, tuple(values), settings, title, label)


def over_norms(*names: str | None, groups: int = 5) -> Axis:
    """The axis 'norm', under the titles a reader knows; None is a net without a norm.

    `groups` is for the norm that has them.

    >>> over_norms(None, "batchnorm").values
    ('no norm', 'batch norm')
    """
    settings: list[dict[str, Any]] = []
    titles = tuple(map(norm_title, names))
    for name in names:
        chosen: dict[str, Any] = {"normalization": name}
        settings.append(chosen | ({"num_groups": groups} if _has_groups(name) else {}))
    return Axis("norm", titles, tuple(settings), "Norm")


def _has_groups(name: str | None) -> bool:
    return name is not None and "num_groups" in norms.BY_NAME[name].options


def norm_title(name: str | None) -> str:
    """A norm as a reader knows it.

    >>> norm_title("rmsnorm")
    'RMS norm'
    """
    if name is not None and name not in norms.BY_NAME:
        raise not_one_of("norm", name, (None, *norms.BY_NAME))
    return norms.title_of(name)


def norm_titles() -> tuple[str, ...]:
    """Every norm there is, 'no norm' first: the place of each is its colour on the whole page."""
    return tuple(map(norm_title, (None, *norms.BY_NAME)))
