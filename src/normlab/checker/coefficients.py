"""From the three coefficients of a dx to the mistakes that leave them: the grammar of the
vocabulary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np

from normlab.checker.compare import distance
from normlab.checker.mistakes.norm_backward import TERMS
from normlab.checker.mistakes.record import Leaves
from normlab.checker.terms import FIT, Basis, Rows, Word, bases, read, regress, vocabulary
from normlab.typing import Array

Reading = Word | str | None
Powers = Mapping[str, float]
VARIES = "varies"


def _kind(leaves: Leaves) -> int:
    """What is spoiled: all three alike, all otherwise, both paths, the direct path, the mean's,
    the variance's."""
    a, b, c = leaves
    if a == b == c:
        return 0
    changed = (a != "1", b != "1", c != "1")
    return {
        (False, True, True): 2,
        (True, False, False): 3,
        (False, True, False): 4,
        (False, False, True): 5,
    }.get(changed, 1)


TABLE: tuple[tuple[str, Leaves], ...] = tuple(
    sorted(((m.key, leaves) for m in TERMS for leaves in m.leaves), key=lambda item: _kind(item[1]))
)
"""What each mistake multiplies the three right coefficients by; X stands for any size that is not
K."""


@dataclass(frozen=True)
class Reasons:
    """The mistakes found in a dx: their keys, and the coefficients as they were read."""

    keys: tuple[str, ...]
    readings: tuple[str, str, str]
    certain: bool


def written(reading: str, size: str) -> str:
    """A coefficient for a person: `size` is the name of the count that the means run over.

    >>> written("2^-1·K", "N")
    '1/2·N'
    """
    if reading in ("0", "1", "varies"):
        return reading
    parts = []
    for part in reading.split("·"):
        name, _, power = part.partition("^")
        name = {"K": size, "K/(K-1)": f"{size}/({size}−1)", "r": "√((var+ε)/var)"}.get(name, name)
        parts.append(f"1/{name}" if power == "-1" else f"{name}^{power}" if power else name)
    return "·".join(parts)


Seen = Sequence[tuple[Rows, Array]]


def reasons(seen: Seen, at_most: int = 3) -> Reasons | None:
    """Why these dx (R, K) are not the right ones; None where no basis with readable coefficients
    fits.

    Two mistakes are looked for first, then another ε, then three mistakes.
    """
    found, vague = _search(seen, 1, 2)
    if found is None and vague is not None:
        found = _with_another_eps(seen, vague)
    if found is None and at_most > 2:
        found, _ = _search(seen, 2, 3)
    return found or vague


def _search(seen: Seen, exchanged: int, at_most: int) -> tuple[Reasons | None, Reasons | None]:
    """The first certain reasons with so many exchanged ingredients, and what the right basis
    says."""
    vague: Reasons | None = None
    for several in zip(*(bases(rows, exchanged) for rows, _ in seen), strict=True):
        fitted = _fit(several, seen)
        if fitted is None:
            continue
        found = _interpret(several[0], fitted, [rows for rows, _ in seen])
        if found.certain and len(found.keys) <= at_most and not set(found.keys) & set(FACTORS):
            return found, vague
        if vague is None and not several[0].keys:
            vague = found
    return None, vague


def _fit(several: Sequence[Basis], seen: Seen) -> list[Array] | None:
    """Each draw's coefficients on a basis; None where its dx is no sum of these terms."""
    fitted = []
    for basis, (_, dx) in zip(several, seen, strict=True):
        if basis.terms is None:
            return None
        if distance(dx, sum(basis.terms, np.zeros(dx.shape))) < FIT:  # whatever the terms share
            fitted.append(np.ones((len(dx), 3)))
            continue
        coefficients, residual = regress(basis.terms, dx)
        if residual > FIT:
            return None
        fitted.append(coefficients)
    return fitted


def _with_another_eps(seen: Seen, vague: Reasons) -> Reasons | None:
    """The same reading with √((var + ε)/(var + ε′)) among the words, where one ε′ fits every
    group."""
    several = [next(bases(rows, 0)) for rows, _ in seen]
    fitted = _fit(several, seen)
    if fitted is None or "varies" not in vague.readings:
        return None
    rows = [r for r, _ in seen]
    for term in range(3):
        for power in (1, 2, 3):
            with np.errstate(all="ignore"):
                values = np.concatenate([
                    (r.var[:, 0] + r.eps) / c[:, term] ** (2 / power) - r.var[:, 0]
                    for c, r in zip(fitted, rows, strict=True)
                ])  # fmt: skip
            if np.all(np.isfinite(values)) and np.ptp(values) < 1e-6 and values.min() > -1e-6:
                found = _interpret(several[0], fitted, rows, float(values.mean()))
                return found if found.certain else None
    return None


def _interpret(
    basis: Basis, coefficients: Sequence[Array], rows: Sequence[Rows], eps: float | None = None
) -> Reasons:
    words = [vocabulary(r, eps) for r in rows]
    readings = tuple(read([c[:, term] for c in coefficients], words) for term in range(3))
    written = tuple("varies" if r is None else str(r) for r in readings)
    if any(written[term] in ("0", "varies") for term in basis.touched):
        return Reasons(basis.keys, _three(written), certain=False)
    whole = tuple(
        reading is None and _is_whole_array(term, [c[:, term] for c in coefficients], rows)
        for term, reading in enumerate(readings)
    )
    keys, certain = _keys(readings, whole)
    return Reasons(tuple(dict.fromkeys((*basis.keys, *keys))), _three(written), certain)


def _is_whole_array(term: int, coefficients: Sequence[Array], rows: Sequence[Rows]) -> bool:
    """Whether a coefficient that varies does so because one sum over all rows stands for each
    row's own.

    Then the coefficient times the row's own mean is one number for all rows, up to powers of s and
    γ.
    """
    if term == 0:
        return False
    for power in range(-4, 5):
        for gamma_power in (0, 1, -1) if rows[0].gamma.shape[1] == 1 else (0,):
            if all(
                _is_constant(term, c, r, power, gamma_power)
                for c, r in zip(coefficients, rows, strict=True)
            ):
                return True
    return False


def _is_constant(term: int, coefficient: Array, rows: Rows, power: int, gamma_power: int) -> bool:
    values = rows.dout * rows.gamma * (rows.normalized if term == 2 else 1.0)
    gamma = rows.gamma[:, 0] ** gamma_power if gamma_power else 1.0
    number = coefficient * values.mean(axis=1) * rows.scale[:, 0] ** power * gamma
    return float(np.ptp(number)) < 1e-7 * float(np.max(np.abs(number)))


Monomial = frozenset[tuple[str, float]]
Effect = tuple[str, tuple[Monomial, ...]]
FACTORS = ("first_path_factor", "mean_path_factor", "variance_path_factor")
MISSING = ("direct_path_missing", "mean_path_missing", "variance_path_missing")
KNOWN = {"-1", "2", "K", "K/(K-1)", "s", "γ", "r", "q", "0", VARIES}


def _keys(readings: tuple[Reading, ...], whole: tuple[bool, ...]) -> tuple[tuple[str, ...], bool]:
    """The fewest mistakes whose effects multiply to the readings; and whether they are certain."""
    seen = tuple(
        _monomial(VARIES if w else str(r)) if r is not None or w else None
        for r, w in zip(readings, whole, strict=True)
    )
    if any(monomial is None for monomial in seen):
        return ("direct_path_varies",), False
    sizes = tuple(sorted({name for m in seen if m is not None for name, _ in m} - KNOWN))
    effects = _effects(sizes)
    if seen == (_monomial("1"),) * 3:
        return (), True
    for key, effect in effects:
        if effect == seen:
            return (key,), True
    found = _pair(effects, seen) or _of_what_is_there(effects, seen) or _triple(effects, seen)
    if found is not None:
        return found, True
    zero, one = _monomial("0"), _monomial("1")
    left = [key for key, m in zip(FACTORS, seen, strict=True) if m not in (one, zero)]
    return (*_missing(seen), *left), True


def _pair(effects: Sequence[Effect], seen: Sequence[Monomial | None]) -> tuple[str, ...] | None:
    """Two mistakes; what a 0 or a 'varies' hides of the other is assumed only as a last resort."""
    hiding: tuple[str, ...] | None = None
    for (one_key, first), (other_key, second) in combinations(effects, 2):
        if all(_times(f, s) == w for f, s, w in zip(first, second, seen, strict=True)):
            both = zip(first, second, strict=True)
            if not any((_swallows(f) and s) or (_swallows(s) and f) for f, s in both):
                return tuple(dict.fromkeys((one_key, other_key)))
            hiding = hiding or tuple(dict.fromkeys((one_key, other_key)))
    return hiding


def _missing(seen: Sequence[Monomial | None]) -> tuple[str, ...]:
    """The paths whose coefficient is zero, in one word where both statistics are constants."""
    gone = [m == _monomial("0") for m in seen]
    if gone == [False, True, True]:
        return ("both_paths_missing",)
    return tuple(key for key, is_gone in zip(MISSING, gone, strict=True) if is_gone)


def _of_what_is_there(
    effects: Sequence[Effect], seen: Sequence[Monomial | None]
) -> tuple[str, ...] | None:
    """The missing paths, and up to two mistakes that are seen in those that are there."""
    missing = _missing(seen)
    places = [i for i, m in enumerate(seen) if m != _monomial("0")]
    if not missing or not places:
        return None
    wanted = tuple(seen[i] for i in places)
    there = [
        (key, tuple(effect[i] for i in places))
        for key, effect in effects
        if not any(_swallows(m) for m in effect)
    ]
    for key, effect in there:
        if effect == wanted:
            return (*missing, key)
    for (one_key, first), (other_key, second) in combinations(there, 2):
        if all(_times(f, s) == w for f, s, w in zip(first, second, wanted, strict=True)):
            return (*missing, *dict.fromkeys((one_key, other_key)))
    return None


def _triple(effects: Sequence[Effect], seen: Sequence[Monomial | None]) -> tuple[str, ...] | None:
    """Three mistakes: the third is what two leave over."""
    plain = [(k, e) for k, e in effects if not any(_swallows(m) for m in e)]
    by_effect = {effect: key for key, effect in reversed(plain)}
    if any(m is None or _swallows(m) for m in seen):
        return None
    for (one_key, first), (other_key, second) in combinations(plain, 2):
        rest = tuple(
            _over(w, _times(f, s))
            for f, s, w in zip(first, second, seen, strict=True)
            if w is not None
        )
        third = by_effect.get(rest)
        if third is not None:
            return tuple(dict.fromkeys((one_key, other_key, third)))
    return None


def _over(one: Monomial, other: Monomial) -> Monomial:
    """A monomial divided by another."""
    return _times(
        one, frozenset((name, power if name == "-1" else -power) for name, power in other)
    )


@lru_cache(maxsize=16)
def _effects(sizes: tuple[str, ...]) -> tuple[Effect, ...]:
    """The table as monomials, with each size that occurs in the place of X."""
    effects = []
    for key, texts in TABLE:
        for size in sizes if any("X" in text for text in texts) else ("",):
            effects.append((key, tuple(_monomial(text.replace("X", size)) for text in texts)))
    return tuple(effects)


@lru_cache(maxsize=1024)
def _monomial(text: str) -> Monomial:
    if text == "1":
        return frozenset()
    parts = (part.partition("^") for part in text.split("·"))
    return frozenset((name, float(power or 1)) for name, _, power in parts)


def _swallows(monomial: Monomial) -> bool:
    return (VARIES, 1.0) in monomial or ("0", 1.0) in monomial


@lru_cache(maxsize=65536)
def _times(one: Monomial, other: Monomial) -> Monomial:
    """The product of two monomials; 0 and 'varies' swallow what they meet."""
    for swallow in ("0", VARIES):
        if (swallow, 1.0) in one or (swallow, 1.0) in other:
            return frozenset({(swallow, 1.0)})
    powers = dict(one)
    for name, power in other:
        powers[name] = powers.get(name, 0.0) + power
    powers["-1"] = powers.get("-1", 0.0) % 2
    return frozenset((name, power) for name, power in powers.items() if power)


def _three(texts: Sequence[str]) -> tuple[str, str, str]:
    return texts[0], texts[1], texts[2]
