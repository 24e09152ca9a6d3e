"""From the three coefficients of a dx to the mistakes that leave them: the grammar of the vocabulary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np

from normlab.checker.mistakes.norm_backward import TERMS
from normlab.checker.mistakes.record import Leaves
from normlab.checker.terms import FIT, Basis, Rows, Word, bases, read, regress, vocabulary
from normlab.typing import Array

Reading = Word | str | None
Powers = Mapping[str, float]
VARIES = "varies"


def _kind(leaves: Leaves) -> int:
    """What is spoiled: all three alike, all otherwise, both paths, the direct path, the mean's, the variance's."""
    a, b, c = leaves
    if a == b == c:
        return 0
    changed = tuple(text != "1" for text in leaves)
    return {
        (False, True, True): 2,
        (True, False, False): 3,
        (False, True, False): 4,
        (False, False, True): 5,
    }.get(changed, 1)


TABLE: tuple[tuple[str, Leaves], ...] = tuple(
    sorted(((m.key, leaves) for m in TERMS for leaves in m.leaves), key=lambda item: _kind(item[1]))
)
"""What each mistake multiplies the three right coefficients by; X stands for any size that is not K."""


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


def reasons(seen: Sequence[tuple[Rows, Array]], at_most: int = 2) -> Reasons | None:
    """Why these dx (R, K) are not the right ones; None where no basis with readable coefficients fits."""
    candidates = zip(*(bases(rows, at_most - 1) for rows, _ in seen), strict=True)
    vague: Reasons | None = None
    for several in candidates:
        fitted = []
        for basis, (_, dx) in zip(several, seen, strict=True):
            if basis.terms is None:
                break
            fitted.append(regress(basis.terms, dx))
            if fitted[-1][1] > FIT:
                break
        if len(fitted) < len(seen) or fitted[-1][1] > FIT:
            continue
        found = _interpret(several[0], [c for c, _ in fitted], [rows for rows, _ in seen])
        if found.certain and len(found.keys) <= at_most:
            return found
        if vague is None and not several[0].keys:
            vague = found
    return vague


def _interpret(basis: Basis, coefficients: Sequence[Array], rows: Sequence[Rows]) -> Reasons:
    words = [vocabulary(r) for r in rows]
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
    """Whether a coefficient that varies does so because one sum over all rows stands for each row's own.

    Then the coefficient times the row's own mean is one number for all rows, up to powers of s and γ.
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


def _keys(readings: tuple[Reading, ...], whole: tuple[bool, ...]) -> tuple[tuple[str, ...], bool]:
    """The fewest mistakes whose effects, multiplied, are the three readings; and whether they are named for certain."""
    seen = tuple(
        _monomial(VARIES if w else str(r)) if r is not None or w else None
        for r, w in zip(readings, whole, strict=True)
    )
    if any(monomial is None for monomial in seen):
        return ("direct_path_varies",), False
    sizes = tuple(sorted({name for m in seen if m is not None for name, _ in m} - KNOWN))
    effects = _effects(sizes)
    one = (_monomial("1"),) * 3
    if seen == one:
        return (), True
    for key, effect in effects:
        if effect == seen:
            return (key,), True
    for strict in (
        True,
        False,
    ):  # what a 0 or a 'varies' hides of the other mistake is assumed only as a last resort
        for (one_key, first), (other_key, second) in combinations(effects, 2):
            if all(
                _times(f, s) == wanted for f, s, wanted in zip(first, second, seen, strict=True)
            ):
                hidden = any(
                    (_swallows(f) and s) or (_swallows(s) and f)
                    for f, s in zip(first, second, strict=True)
                )
                if not (strict and hidden):
                    return tuple(dict.fromkeys((one_key, other_key))), True
    factors = ("first_path_factor", "mean_path_factor", "variance_path_factor")
    return tuple(
        key for key, monomial in zip(factors, seen, strict=True) if monomial != one[0]
    ), True


KNOWN = {"-1", "2", "K", "K/(K-1)", "s", "γ", "r", "0", VARIES}


@lru_cache(maxsize=16)
def _effects(
    sizes: tuple[str, ...],
) -> tuple[tuple[str, tuple[frozenset[tuple[str, float]], ...]], ...]:
    """The table as monomials, with each size that occurs in the place of X."""
    effects = []
    for key, texts in TABLE:
        for size in sizes if any("X" in text for text in texts) else ("",):
            effects.append((key, tuple(_monomial(text.replace("X", size)) for text in texts)))
    return tuple(effects)


def _monomial(text: str) -> frozenset[tuple[str, float]]:
    if text == "1":
        return frozenset()
    parts = (part.partition("^") for part in text.split("·"))
    return frozenset((name, float(power or 1)) for name, _, power in parts)


def _swallows(monomial: frozenset[tuple[str, float]]) -> bool:
    return (VARIES, 1.0) in monomial or ("0", 1.0) in monomial


@lru_cache(maxsize=65536)
def _times(
    one: frozenset[tuple[str, float]], other: frozenset[tuple[str, float]]
) -> frozenset[tuple[str, float]]:
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
