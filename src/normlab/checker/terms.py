"""Regression on the terms of the derivation.

Every normalization layer's dx is, in each group of K values that were normalized together,

    dx = a·T1 + b·T2 + c·T3      T1 = dx̂·s      T2 = −mean(dx̂)·s      T3 = −x̂·mean(dx̂·x̂)·s

with dx̂ = dout·γ and s = 1/√(var + ε); right is a = b = c = 1. The coefficients of somebody's dx
are found by
least squares and read in a vocabulary of monomials: each factor that is lost, doubled or misplaced
leaves its
own. Where the residual is large the terms themselves are other ones: the same regression is tried
on bases in
which one of the ingredients is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations, product
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from normlab.checker.mistakes.norm_backward import TERMS
from normlab.checker.mistakes.record import Spoiled
from normlab.typing import Array

FIT = 1e-8
"""Relative residual below which dx lies in the span of three terms; those that do not are off by
1e-3 or more."""


class Rows(NamedTuple):
    """What a normalization saw, arranged so that each row (R of them) was normalized over its K
    values.

    `gamma` is (R, 1) or (1, K) or (R, K); `mean` and `var` are (R, 1). `others` are the sizes that
    a
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


def _mean(products: Array, weight: Array) -> Array:
    return np.asarray(products.mean(axis=1, keepdims=True))


RIGHT: Mapping[str, Any] = {
    "upstream": lambda rows: rows.gamma,
    "mean_upstream": lambda rows, dxhat: (dxhat, 1.0),
    "variance_upstream": lambda rows, dxhat: (dxhat, 1.0),
    "mean_reduction": _mean,
    "variance_reduction": _mean,
    "inner": lambda rows, xhat, s: xhat,
    "outer": lambda rows, xhat, s: xhat,
    "through": lambda rows, s, reduced, third: 0.0,
    "scale": lambda rows: (rows.normalized, rows.scale),
}
"""The ingredients of the three terms, and what is right in each place."""

TOUCHES = {"upstream": (0, 1, 2), "scale": (0, 1, 2), "mean_upstream": (1,), "mean_reduction": (1,)}
"""Which of the three terms an ingredient changes; the others change the third alone."""


def basis(rows: Rows, wrong: Spoiled = MappingProxyType({})) -> tuple[Array, Array, Array]:
    """The three terms with the ingredients that a mistake has; without one the right ones, each
    (R, K)."""
    pick = {**RIGHT, **wrong}
    ones = np.ones(rows.x.shape)
    xhat, s = pick["scale"](rows)
    dxhat = pick["upstream"](rows) * rows.dout

    def path(values: Array, weight: Array, name: str) -> Array:
        """mean(dx̂·values), with γ and the sum where the mistake has them."""
        source, outside = pick[f"{name}_upstream"](rows, dxhat)
        return np.asarray(
            pick[f"{name}_reduction"](source * values * ones, weight) * ones * outside
        )

    first = dxhat * s
    second = -path(ones, s, "mean") * s
    reduced = path(pick["inner"](rows, xhat, s), s * s, "variance")
    third = -pick["outer"](rows, xhat, s) * reduced * s
    third = third + pick["through"](rows, s, reduced, third)
    return first, second, third


@lru_cache(maxsize=1)
def _singles() -> tuple[tuple[str, Spoiled], ...]:
    """Every mistake that has ingredients of its own: those that change several at once come
    first."""
    position = {slot: index for index, slot in enumerate(RIGHT)}
    ways = [(m.key, way) for m in TERMS for way in m.ways if way]
    several = [pair for pair in ways if len(pair[1]) > 1]
    alone = sorted(
        (pair for pair in ways if len(pair[1]) == 1), key=lambda pair: position[next(iter(pair[1]))]
    )
    return (*several, *alone)


def bases(rows: Rows, at_most: int) -> Iterator[Basis]:
    """The right basis, then those with one mistake's ingredients, then with two's."""
    yield Basis((), basis(rows), ())
    if at_most >= 1:
        for name, wrong in _singles():
            yield Basis((name,), _possible(rows, wrong), _touched(wrong))
    if at_most >= 2:
        plain = [pair for pair in _singles() if "through" not in pair[1]]
        for (one, first), (other, second) in combinations(plain, 2):
            if not first.keys() & second.keys():
                wrong = {**first, **second}
                yield Basis((one, other), _possible(rows, wrong), _touched(wrong))


def _possible(rows: Rows, wrong: Spoiled) -> tuple[Array, Array, Array] | None:
    try:
        return basis(rows, wrong)
    except ValueError:
        return None


def _touched(wrong: Spoiled) -> tuple[int, ...]:
    """Which of the three terms a mistake changes: their coefficients must not be zero for it to be
    seen."""
    return tuple(sorted({term for slot in wrong for term in TOUCHES.get(slot, (2,))}))


def regress(terms: Sequence[Array], dx: Array) -> tuple[Array, float]:
    """Coefficients of each row, (R, 3), by least squares, and the largest relative residual of a
    row."""
    design = np.stack(terms, axis=-1)
    norms = np.sqrt((design**2).sum(axis=1, keepdims=True))
    norms[norms == 0] = 1.0
    coefficients = np.einsum("rck,rk->rc", np.linalg.pinv(design / norms, rcond=1e-11), dx)
    fitted = np.einsum("rkc,rc->rk", design / norms, coefficients)
    scale = np.max(np.abs(dx)) or 1.0
    return coefficients / norms[:, 0, :], float(np.max(np.abs(fitted - dx)) / scale)


ORDER = ("-1", "2", "K", "K/(K-1)", "s", "γ", "r", "q")
"""How a monomial is written; other sizes come after the sign."""


class Word(NamedTuple):
    """A monomial of the vocabulary: its exponents by name, and how it is written."""

    powers: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        if not self.powers:
            return "1"
        ordered = sorted(
            self.powers, key=lambda item: ORDER.index(item[0]) if item[0] in ORDER else 0.5
        )
        return "·".join(name if power == 1 else f"{name}^{power:g}" for name, power in ordered)


def vocabulary(rows: Rows, other_eps: float | None = None) -> Mapping[str, Array]:
    """The quantities that a coefficient may be made of, each (R,) or a scalar.

    `r` and `q` are what another ε in the standard deviation leaves: none at all, and `other_eps`.
    """
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
    if other_eps is not None:
        words["q"] = np.sqrt((rows.var + rows.eps) / (rows.var + other_eps))[:, 0]
    return words


POWERS: Mapping[str, tuple[float, ...]] = {
    "-1": (0, 1), "2": (0, 1, -1, 2, -2), "K": (0, 1, -1, 2, -2),
    "s": (0, 1, 2, -1, -2, 3, -3, -4, 4),
    "γ": (0, 1, -1, 2, -2), "r": (0, 1, 2, 3, -1, -2, -3), "q": (0, 1, 2, 3, -1, -2, -3),
    "K/(K-1)": (0, 1, -1),
    "other": (0, 1, -1, 2, -2),
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
        return np.concatenate(
            [
                np.broadcast_to(of(w[name]), c.shape)
                for c, w in zip(coefficients, words, strict=True)
            ]
        )

    columns = np.stack([spread(name, lambda value: np.log(np.abs(value))) for name in names])
    exponents = _monomials(names)
    for index in np.flatnonzero(np.max(np.abs(exponents @ columns - logs), axis=1) < 1e-7):
        powers = tuple((n, float(p)) for n, p in zip(names, exponents[index], strict=True) if p)
        sign = np.prod(
            [spread(n, np.sign) ** int(abs(p)) for n, p in powers] or [np.ones_like(signs)], axis=0
        )
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
