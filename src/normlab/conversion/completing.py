"""From the layers found in a file to a net: what the file does not say is taken from its label, the caller, or the
library's defaults, and what cannot be known is asked for, never guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from normlab.conversion.conventions import complement
from normlab.conversion.errors import ForeignNetError
from normlab.conversion.label import Label, contradiction, read_label, read_var
from normlab.conversion.parts import TITLES, Affine, Norm, Parts
from normlab.errors import OptionError, not_one_of, quoted
from normlab.specs import NORMALIZATIONS


@dataclass(frozen=True)
class Told:
    """What the caller says of a file, where the file does not; None is nothing.

    `normalization` and `num_groups` are normlab's words; `eps`, `momentum` and `dropout` are the numbers as the other
    library's code has them (PyTorch's momentum=0.1 is 0.1); `unbiased_for` is the batch size for which running
    variances are brought from PyTorch's convention to the biased one; `layers` are the affine layers' names, first to
    last.
    """

    normalization: str | None = None
    num_groups: int | None = None
    eps: float | None = None
    momentum: float | None = None
    dropout: float | None = None
    unbiased_for: int | None = None
    layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.normalization not in NORMALIZATIONS:
            raise not_one_of("normalization", self.normalization, NORMALIZATIONS)
        for name, low, high in (("momentum", 0, 1), ("dropout", 0, 1), ("eps", 0, 1e30)):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise OptionError(f"{name}={value!r} is not a number from {low} to {high:g}")


@dataclass(frozen=True)
class Defaults:
    """What a library's layers do if not told otherwise, momentum as the weight of the old value."""

    title: str
    eps: Mapping[str, float]
    momentum: float
    weighs_the_new: bool = False


@dataclass
class Found:
    """The layers of a file, first to last. `candidates` are the normalizations that its norm layers may be.

    `says` names the settings that the file holds itself, among 'eps', 'momentum', 'dropout' and 'num_groups'.
    """

    affines: list[Affine]
    norms: list[Norm]
    candidates: tuple[str, ...]
    label: str | None = None
    keep: float = 1.0
    num_groups: int | None = None
    says: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)


def complete(found: Found, told: Told, defaults: Defaults) -> tuple[Parts, list[str]]:
    """The net, and what was taken for granted, in sentences. Raises ForeignNetError where something must be told."""
    label = read_label(found.label, found.norms)
    normalization = _normalization(found, told, label)
    notes = list(found.notes)
    norms = [_named(norm, normalization) for norm in found.norms]
    if label is not None:
        norms = [
            label.exact(number, norm)._replace(eps=label.eps[number], momentum=label.momentum[number])
            for number, norm in enumerate(norms)
        ]
    elif told.unbiased_for is not None:
        norms = [
            norm if norm.running_var is None else norm._replace(running_var=read_var(norm, told.unbiased_for))
            for norm in norms
        ]
    if normalization is not None:
        norms = _with_eps(norms, normalization, found, told, label, defaults, notes)
    if normalization == "batchnorm":
        norms = _with_momentum(norms, found, told, label, defaults, notes)
    num_groups = None
    if normalization == "groupnorm":
        num_groups = told.num_groups or found.num_groups or (label.num_groups if label else None)
        if num_groups is None:
            raise ForeignNetError("the file does not say into how many groups its group norm divides: say --num-groups")
    keep = found.keep if "dropout" in found.says or label is None else label.keep
    keep = complement(told.dropout) if told.dropout is not None else keep
    parts = Parts(
        tuple(found.affines), tuple(norms), normalization, num_groups, keep, label.reg if label is not None else 0.0
    )
    return parts, notes


def _normalization(found: Found, told: Told, label: Label | None) -> str | None:
    if not found.norms:
        if told.normalization is not None:
            raise ForeignNetError(f"the file has no norm layer that could be {TITLES[told.normalization]}")
        return None
    wanted = told.normalization or ("groupnorm" if told.num_groups else None)
    if wanted is None and label is not None:
        wanted = label.normalization
        if wanted not in found.candidates:
            raise contradiction(repr(wanted), quoted(found.candidates))
    if wanted is None and len(found.candidates) == 1:
        return found.candidates[0]
    if wanted is None:
        options = " or ".join(
            "--num-groups G" if c == "groupnorm" else f"--normalization {c}" for c in found.candidates
        )
        raise ForeignNetError(
            f"the file does not say whether its norm layers are {' or '.join(TITLES[c] for c in found.candidates)}; "
            f"say {options}"
        )
    if wanted not in found.candidates:
        raise ForeignNetError(
            f"the norm layers of the file cannot be {TITLES[wanted]}: their tensors are those of "
            f"{' or '.join(TITLES[c] for c in found.candidates)}"
        )
    return wanted


def _named(norm: Norm, normalization: str | None) -> Norm:
    """The norm with the parameters that its kind has here: layer norm without a bias gets one of zeros."""
    if normalization != "rmsnorm" and norm.beta is None:
        return norm._replace(beta=np.zeros_like(norm.gamma))
    return norm


def _with_eps(
    norms: Sequence[Norm],
    normalization: str,
    found: Found,
    told: Told,
    label: Label | None,
    defaults: Defaults,
    notes: list[str],
) -> list[Norm]:
    eps = told.eps
    if eps is None and (label is not None or "eps" in found.says):
        return list(norms)
    if eps is None:
        eps = defaults.eps[normalization]
        notes.append(f"eps={eps:g}, {defaults.title}'s default (--eps says another)")
    return [norm._replace(eps=eps) for norm in norms]


def _with_momentum(
    norms: Sequence[Norm], found: Found, told: Told, label: Label | None, defaults: Defaults, notes: list[str]
) -> list[Norm]:
    momentum = told.momentum
    if momentum is not None:
        momentum = complement(momentum) if defaults.weighs_the_new else momentum
    elif label is not None or "momentum" in found.says:
        return list(norms)
    else:
        momentum = defaults.momentum
        shown = complement(momentum) if defaults.weighs_the_new else momentum
        notes.append(f"momentum={shown:g}, {defaults.title}'s default (--momentum says another)")
    return [norm._replace(momentum=momentum) for norm in norms]


def dropped(keep: float) -> float:
    """The probability of dropping a unit, as the other libraries have it."""
    return complement(keep)
