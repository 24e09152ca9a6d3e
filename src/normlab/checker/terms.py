"""Regression on the terms of the derivation.

Every normalization layer's dx is, in each group of K values that were normalized together,

    dx = a·T1 + b·T2 + c·T3      T1 = dx̂·s      T2 = −mean(dx̂)·s      T3 = −x̂·mean(dx̂·x̂)·s

with dx̂ = dout·γ and s = 1/√(var + ε); right is a = b = c = 1. The coefficients of somebody's dx are found by
least squares and read in a vocabulary of monomials: each factor that is lost, doubled or misplaced leaves its
own. Where the residual is large the terms themselves are other ones: the same regression is tried on bases in
which one of the ingredients is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations, product
from typing import NamedTuple

import numpy as np

from normlab.typing import Array

FIT = 1e-8
"""Relative residual below which dx lies in the span of three terms; those that do not are off by 1e-3 or more."""


class Rows(NamedTuple):
    """What a normalization saw, arranged so that each row (R of them) was normalized over its K values.

    `gamma` is (R, 1) or (1, K) or (R, K); `mean` and `var` are (R, 1). `others` are the sizes that a
    wrong count may be: R and whatever else the layout has.
    """

    x: Array
    dout: Array
    gamma: Array
    beta: Array
    eps: float
    others: Mapping[str, int]

    @property
    def mean(self) -> Array:
        return np.asarray(self.x.mean(axis=1, keepdims=True))

    @property
    def var(self) -> Array:
        return np.asarray(self.x.var(axis=1, keepdims=True))

    @property
    def scale(self) -> Array:
        """s = 1/√(var + ε), (R, 1)."""
        return 1.0 / np.sqrt(self.var + self.eps)

    @property
    def normalized(self) -> Array:
        """x̂, (R, K)."""
        return (self.x - self.mean) * self.scale


class Basis(NamedTuple):
    """Three terms, and the keys of the mistakes that make them differ from the right ones.

    No terms where the ingredients do not fit together at these sizes.
    """

    keys: tuple[str, ...]
    terms: tuple[Array, Array, Array] | None
    touched: tuple[int, ...]


SLOTS: Mapping[str, tuple[str, ...]] = {
    "upstream": ("", "gamma_missing", "gamma_twice", "roles_swapped"),
    "mean_upstream": ("", "mean_path_from_dout", "mean_path_gamma_outside"),
    "variance_upstream": ("", "variance_path_from_dout", "variance_path_gamma_outside"),
    "mean_reduction": ("", "mean_path_no_sum", "mean_path_wrong_axis", "mean_path_wrong_axis#inside",
                       "mean_path_wrong_axis#square", "mean_path_wrong_axis#square#inside", 
                       "mean_path_keepdims_missing", "mean_path_whole_array"),
    "variance_reduction": ("", "variance_path_no_sum", "variance_path_wrong_axis",
                           "variance_path_wrong_axis#inside", "variance_path_wrong_axis#square",
                           "variance_path_wrong_axis#square#inside", "variance_path_keepdims_missing",
                           "variance_path_whole_array"),
    "inner": ("", "x_for_centred#inner", "out_for_normalized#inner"),
    "outer": ("", "x_for_centred#outer", "out_for_normalized#outer"),
    "through": ("", "x_for_centred#through"),
    "scale": ("", "std_as_variance", "std_as_variance#everywhere"),
}  # fmt: skip

TOGETHER = (
    {"mean_upstream": "mean_path_gamma_outside", "variance_upstream": "variance_path_gamma_outside"},
    {"mean_upstream": "mean_path_from_dout", "variance_upstream": "variance_path_from_dout"},
    {"mean_reduction": "mean_path_wrong_axis", "variance_reduction": "variance_path_wrong_axis"},
    {"mean_reduction": "mean_path_wrong_axis#square", "variance_reduction": "variance_path_wrong_axis#square"},
    {"mean_reduction": "mean_path_keepdims_missing", "variance_reduction": "variance_path_keepdims_missing"},
    {"mean_reduction": "mean_path_no_sum", "variance_reduction": "variance_path_no_sum"},
    {"inner": "x_for_centred#inner", "outer": "x_for_centred#outer"},
    {"inner": "x_for_centred#inner", "outer": "x_for_centred#outer", "through": "x_for_centred#through"},
    {"outer": "x_for_centred#outer", "through": "x_for_centred#through"},
    {"inner": "x_for_centred#inner", "through": "x_for_centred#through"},
    {"inner": "out_for_normalized#inner", "outer": "out_for_normalized#outer"},
)
"""Replacements that one mistake makes at once; each counts as a single fault."""

NAMES_TOGETHER = (
    "gamma_outside", "gamma_only_first", "wrong_axis", "wrong_axis", "keepdims_missing", "no_sums",
    "x_for_centred", "x_for_centred", "x_for_centred", "x_for_centred", "out_for_normalized",
)  # fmt: skip


def basis(rows: Rows, choice: Mapping[str, str]) -> tuple[Array, Array, Array]:
    """The three terms with the ingredients that a choice names; no choice gives the right ones, each (R, K)."""
    pick = {slot: choice.get(slot, "") for slot in SLOTS}
    xhat, s, size = rows.normalized, rows.scale, rows.x.shape
    if pick["scale"]:
        wrong = 1.0 / np.sqrt(np.sqrt(rows.var + rows.eps) + rows.eps)
        if pick["scale"].endswith("everywhere"):
            xhat = (rows.x - rows.mean) * wrong
        s = wrong
    gamma = np.broadcast_to(rows.gamma, size)
    out = gamma * xhat + rows.beta
    dxhat = {"": gamma, "gamma_missing": 1.0, "gamma_twice": gamma**2, "roles_swapped": rows.x - rows.mean}[
        pick["upstream"]
    ] * rows.dout
    ones = np.ones(size)

    def ingredient(name: str) -> Array:
        return {"": xhat, "x": rows.x * s, "out": out}[name.partition("_")[0]]

    def path(values: Array, upstream: str, reduction: str) -> Array:
        """mean(dx̂·values), with γ and the sum where the choice has them."""
        source = rows.dout if upstream.endswith(("from_dout", "outside")) else dxhat
        product_ = source * values
        # s varies along a wrong axis: then it matters whether it stands inside the sum (dx̂·(x−μ)·s³) or outside
        inside = reduction.endswith("#inside")
        weight = s if values is ones else s * s
        product_ = product_ * weight if inside else product_
        reduction = reduction.removesuffix("#inside")
        if reduction.endswith("no_sum"):
            reduced = product_ / size[1]
        elif reduction.endswith("whole_array"):
            reduced = product_.sum() * ones / size[1]
        elif reduction.endswith("wrong_axis"):  # kept apart: each of the K positions has its own sum
            reduced = product_.mean(axis=0)[None, :] * ones
        elif reduction.endswith("wrong_axis#square"):  # a vector of the wrong length, which broadcasts when R == K
            reduced = product_.mean(axis=0)[:, None] * ones
        elif reduction.endswith("keepdims_missing"):
            reduced = product_.mean(axis=1)[None, :] * ones
        else:
            reduced = product_.mean(axis=1, keepdims=True) * ones
        reduced = reduced / weight if inside else reduced
        return np.asarray(reduced * gamma if upstream.endswith("outside") else reduced)

    inner, outer = ingredient(pick["inner"]), ingredient(pick["outer"])
    first = dxhat * s
    second = -path(ones, pick["mean_upstream"], pick["mean_reduction"]) * s
    reduced = path(inner, pick["variance_upstream"], pick["variance_reduction"])
    third = -outer * reduced * s
    if pick["through"]:  # the variance's own path through the mean, which is zero only for centred values
        third = third + rows.mean * s * reduced * s
    return first, second, third


def bases(rows: Rows, at_most: int) -> Iterator[Basis]:
    """The right basis, then those with one mistake's ingredients, then with two's."""
    yield Basis((), basis(rows, {}), ())
    singles: list[tuple[str, dict[str, str]]] = [
        (name, dict(choice)) for name, choice in zip(NAMES_TOGETHER, TOGETHER, strict=True)
    ]
    singles += [(option.partition("#")[0], {slot: option}) for slot, options in SLOTS.items() for option in options[1:]]
    if at_most >= 1:
        for name, choice in singles:
            yield Basis((name,), _possible(rows, choice), _touched(choice))
    if at_most >= 2:
        for (one, first), (other, second) in combinations(singles, 2):
            if not first.keys() & second.keys():
                choice = {**first, **second}
                yield Basis((one, other), _possible(rows, choice), _touched(choice))


def _possible(rows: Rows, choice: Mapping[str, str]) -> tuple[Array, Array, Array] | None:
    try:
        return basis(rows, choice)
    except ValueError:
        return None


def _touched(choice: Mapping[str, str]) -> tuple[int, ...]:
    """Which of the three terms a choice changes: their coefficients must not be zero for it to be seen."""
    where = {"upstream": (0, 1, 2), "scale": (0, 1, 2), "mean_upstream": (1,), "mean_reduction": (1,)}
    return tuple(sorted({term for slot in choice for term in where.get(slot, (2,))}))


def regress(terms: Sequence[Array], dx: Array) -> tuple[Array, float]:
    """Coefficients of each row, (R, 3), by least squares, and the largest relative residual of a row."""
    design = np.stack(terms, axis=-1)
    norms = np.sqrt((design**2).sum(axis=1, keepdims=True))
    norms[norms == 0] = 1.0
    coefficients = np.einsum("rck,rk->rc", np.linalg.pinv(design / norms, rcond=1e-11), dx)
    fitted = np.einsum("rkc,rc->rk", design / norms, coefficients)
    scale = np.max(np.abs(dx)) or 1.0
    return coefficients / norms[:, 0, :], float(np.max(np.abs(fitted - dx)) / scale)


ORDER = ("-1", "2", "K", "K/(K-1)", "s", "γ", "r")
"""How a monomial is written; other sizes come after the sign."""


class Word(NamedTuple):
    """A monomial of the vocabulary: its exponents by name, and how it is written."""

    powers: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        if not self.powers:
            return "1"
        ordered = sorted(self.powers, key=lambda item: ORDER.index(item[0]) if item[0] in ORDER else 0.5)
        return "·".join(name if power == 1 else f"{name}^{power:g}" for name, power in ordered)


def vocabulary(rows: Rows) -> Mapping[str, Array]:
    """The quantities that a coefficient may be made of, each (R,) or a scalar."""
    ratio = (rows.var + rows.eps) / rows.var
    words: dict[str, Array] = {
        "K": np.array(float(rows.x.shape[1])),
        "s": rows.scale[:, 0],
        "2": np.array(2.0),
        "-1": np.array(-1.0),
        "r": np.sqrt(ratio)[:, 0],
        "K/(K-1)": np.array(rows.x.shape[1] / max(1, rows.x.shape[1] - 1)),
    }
    if rows.gamma.shape[1] == 1:
        words["γ"] = np.broadcast_to(rows.gamma, (rows.x.shape[0], 1))[:, 0]
    for name, size in rows.others.items():
        words[name] = np.array(float(size))
    return words


POWERS: Mapping[str, tuple[float, ...]] = {
    "-1": (0, 1), "2": (0, 1, -1, 2, -2), "K": (0, 1, -1, 2, -2), "s": (0, 1, 2, -1, -2, 3, -3, -4, 4),
    "γ": (0, 1, -1, 2, -2), "r": (0, 1, 2, 3, -1, -2, -3), "K/(K-1)": (0, 1, -1), "other": (0, 1, -1, 2, -2),
}  # fmt: skip


def read(coefficients: Sequence[Array], words: Sequence[Mapping[str, Array]]) -> Word | str | None:
    """The simplest monomial that a coefficient is, in every row of every draw.

    "0" where it vanishes everywhere, None where no monomial of three different quantities fits.
    """
    if all(np.all(np.abs(c) < 1e-8) for c in coefficients):
        return "0"
    if any(np.any(np.abs(c) < 1e-12) for c in coefficients):
        return None
    names = tuple(words[0])
    logs = np.concatenate([np.log(np.abs(c)) for c in coefficients])
    signs = np.concatenate([np.sign(c) for c in coefficients])

    def spread(name: str, of: Callable[[Array], Array]) -> Array:
        return np.concatenate([np.broadcast_to(of(w[name]), c.shape) for c, w in zip(coefficients, words, strict=True)])

    columns = np.stack([spread(name, lambda value: np.log(np.abs(value))) for name in names])
    exponents = _monomials(names)
    for index in np.flatnonzero(np.max(np.abs(exponents @ columns - logs), axis=1) < 1e-7):
        powers = tuple((n, float(p)) for n, p in zip(names, exponents[index], strict=True) if p)
        sign = np.prod([spread(n, np.sign) ** int(abs(p)) for n, p in powers] or [np.ones_like(signs)], axis=0)
        if np.array_equal(sign, signs):
            return Word(powers)
        if np.array_equal(-sign, signs):
            return Word((("-1", 1.0), *powers))
    return None


@lru_cache(maxsize=16)
def _monomials(names: tuple[str, ...]) -> Array:
    """Exponents of every monomial of up to three quantities, (M, names), the simplest first."""
    rows = []
    for count in range(4):
        for chosen in combinations([i for i, name in enumerate(names) if name != "-1"], count):
            for powers in product(*(POWERS.get(names[i], POWERS["other"])[1:] for i in chosen)):
                row = np.zeros(len(names))
                row[list(chosen)] = powers
                rows.append(row)
    return np.array(rows)
