"""A row of layers, as a file with an architecture tells it, read as one of normlab's nets or refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from normlab.conversion.errors import ForeignNetError
from normlab.conversion.parts import Affine, Dropout, Layer, Norm, Relu


class Named(NamedTuple):
    """A layer, what the file calls it, and for a norm its kind."""

    layer: Layer
    name: str
    kind: str = ""


class Row(NamedTuple):
    """The affine layers, the norms with their one kind (None without norms), and dropout's chance to keep."""

    affines: list[Affine]
    norms: list[Norm]
    kind: str | None
    keep: float


def read_row(layers: Sequence[Named]) -> Row:
    """{affine, [norm], ReLU, [dropout]} × (L - 1), affine. Raises ForeignNetError naming the first other layer."""
    row = Row([], [], None, 1.0)
    keeps: list[float] = []
    rest = list(layers)

    def next_is(*kinds: type[Layer]) -> bool:
        return bool(rest) and isinstance(rest[0].layer, kinds)

    while rest:
        if not next_is(Affine):
            raise _unexpected(rest[0], "an affine layer")
        affine = rest.pop(0).layer
        assert isinstance(affine, Affine)
        row.affines.append(affine)
        if not rest:
            break
        if next_is(Norm):
            named = rest.pop(0)
            assert isinstance(named.layer, Norm)
            if row.kind not in (None, named.kind) or len(row.norms) != len(row.affines) - 1:
                raise _unexpected(named, f"the same kind of norm in every hidden layer, or none ({row.kind})")
            row.norms.append(named.layer)
            row = row._replace(kind=named.kind)
        elif row.norms:
            raise _unexpected(rest[0], f"a norm ({row.kind}), as in the hidden layers before")
        if not next_is(Relu):
            raise _unexpected(rest[0] if rest else None, "a ReLU after a hidden layer and no norm after the last")
        rest.pop(0)
        if next_is(Dropout):
            dropout = rest.pop(0).layer
            assert isinstance(dropout, Dropout)
            keeps.append(dropout.keep)
    if not row.affines:
        raise ForeignNetError("the file holds no affine layer")
    if layers and not isinstance(layers[-1].layer, Affine):
        raise _unexpected(layers[-1], "an affine layer at the end, which gives the scores")
    if keeps and (len(set(keeps)) > 1 or len(keeps) != len(row.affines) - 1):
        raise ForeignNetError(
            f"the net drops units with different chances in its hidden layers, keeping {keeps}; normlab's nets have "
            f"one for all"
        )
    return row._replace(keep=keeps[0] if keeps else 1.0)


def _unexpected(found: Named | None, expected: str) -> ForeignNetError:
    what = "the end" if found is None else f"{type(found.layer).__name__} {found.name!r}"
    return ForeignNetError(
        f"found {what}, expected {expected}: normlab's nets are affine, [norm], ReLU, [dropout] for each hidden layer, "
        f"then affine"
    )
