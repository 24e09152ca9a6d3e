"""From the three coefficients of a dx to the mistakes that leave them: the grammar of the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from normlab.checker.terms import FIT, Basis, Rows, Word, bases, read, regress, vocabulary
from normlab.typing import Array

Reading = Word | str | None
ONE = Word(())
ALONE = {
    # a factor that the whole of dx carries
    "all": {
        "γ^-1": "gamma_missing", "γ": "gamma_twice", "-1": "dx_sign", "s^-1": "std_missing", "s": "std_twice",
        "K^-1": "extra_one_over_n", "K": "outer_one_over_n_missing", "0": "dx_zero", "2": "dx_factor", "2^-1": "dx_factor",
        "s^-3·r^-2": "variance_for_std", "s^-3": "variance_for_std", "r": "eps_missing", "s^-2": "multiplied_by_std",
    },
    "first": {
        "0": "direct_path_missing", "s^-2": "multiplied_by_std", "s": "divided_by_variance", "s^-1": "std_missing",
        "-1": "direct_path_sign", "γ^-1": "direct_path_from_dout", "r": "eps_missing", "K": "direct_path_n",
    },
    "mean": {
        "0": "mean_path_missing", "-1": "mean_path_sign", "K": "mean_path_one_over_n_missing",
        "K^-1": "mean_path_mean_for_sum", "γ^-1": "mean_path_from_dout", "r": "eps_missing",
        "s": "mean_path_std", "s^-1": "mean_path_std", "s^-2": "mean_path_std",
    },
    "variance": {
        "0": "variance_path_missing", "-1": "variance_path_sign", "K": "variance_path_one_over_n_missing",
        "K^-1": "variance_path_mean_for_sum", "2^-1": "factor_two_missing", "2": "factor_half_missing",
        "γ^-1": "variance_path_from_dout", "s": "normalized_for_centred", "s^-1": "normalized_for_centred",
        "s^-2": "variance_path_power", "s^2": "variance_path_power", "s^-3": "variance_path_power",
        "s^3": "variance_path_power", "2·s^-1": "root_derivative_missing", "-1·2": "half_and_sign_missing",
        "K·s^-1·γ^-1": "precedence",
    },
}  # fmt: skip
BOTH = {
    "0": "both_paths_missing", "K": "both_paths_one_over_n_missing", "K/(K-1)": "n_minus_one",
    "γ^-1": "gamma_only_first", "-1": "both_paths_sign", "K^-1": "both_paths_mean_for_sum",
}  # fmt: skip


@dataclass(frozen=True)
class Reasons:
    """The mistakes found in a dx: their keys, and the coefficients as they were read."""

    keys: tuple[str, ...]
    readings: tuple[str, str, str]
    certain: bool


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
        reading is None and _is_whole_array(term, [c[:, term] for c in coefficients], rows) for term, reading in enumerate(readings)
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
            if all(_is_constant(term, c, r, power, gamma_power) for c, r in zip(coefficients, rows, strict=True)):
                return True
    return False


def _is_constant(term: int, coefficient: Array, rows: Rows, power: int, gamma_power: int) -> bool:
    values = rows.dout * rows.gamma * (rows.normalized if term == 2 else 1.0)
    gamma = rows.gamma[:, 0] ** gamma_power if gamma_power else 1.0
    number = coefficient * values.mean(axis=1) * rows.scale[:, 0] ** power * gamma
    return float(np.ptp(number)) < 1e-7 * float(np.max(np.abs(number)))


def _keys(readings: tuple[Reading, ...], whole: tuple[bool, ...]) -> tuple[tuple[str, ...], bool]:
    """The mistakes behind three readings, the fewest first."""
    a, b, c = readings
    texts = ["varies" if r is None else str(r) for r in readings]
    if texts == ["1", "1", "1"]:
        return (), True
    if all(isinstance(r, Word) and _is_ratio(r) for r in readings):  # nothing but powers of (var+ε)/var
        return (("eps_missing",) if texts[0] != "1" or texts[1] != "1" else ("eps_missing_in_variance_path",)), True
    if a == b == c and isinstance(a, Word):
        return (ALONE["all"].get(texts[0]) or _wrong_size(a) or "dx_factor",), True
    if texts[0] == "1" and b == c and texts[1] != "varies":
        if texts[1] in BOTH:
            return (BOTH[texts[1]],), True
        if isinstance(b, Word) and _wrong_size(b):
            return ("wrong_count",), True
    singles = [
        _single("first", a, whole[0]), _single("mean", b, whole[1]), _single("variance", c, whole[2]),
    ]  # fmt: skip
    found = [key for key, _ in singles if key]
    if len(found) > 1 and isinstance(a, Word) and texts[0] != "1" and texts[0] in ALONE["all"]:
        # a factor on everything and one more mistake is the simpler story than two or three unrelated ones
        rest = [_single("mean", _divide(b, a), whole[1]), _single("variance", _divide(c, a), whole[2])]
        fewer = [key for key, _ in rest if key]
        if len(fewer) < len(found) - 1 or (len(fewer) == 1 and len(found) >= 2):
            return (ALONE["all"][texts[0]], *fewer), all(sure for _, sure in rest)
    return tuple(found), all(sure for _, sure in singles)


def _single(path: str, reading: Reading, whole: bool) -> tuple[str, bool]:
    """The mistake that one coefficient tells of, and whether it is named for certain."""
    if reading is None:
        return (f"{path}_path_whole_array", True) if whole else ("direct_path_varies", False)
    text = str(reading)
    if text == "1":
        return "", True
    if text in ALONE[path]:
        return ALONE[path][text], True
    if isinstance(reading, Word):
        if _is_ratio(reading):
            return "eps_missing_in_variance_path" if path == "variance" else "eps_missing", True
        if _wrong_size(reading):
            return f"{path}_path_wrong_count", True
    return f"{path}_path_factor", True


def _is_ratio(word: Word) -> bool:
    return all(name == "r" for name, _ in word.powers)


def _wrong_size(word: Word) -> str:
    """'wrong_count' for K divided by another size, as when N and D are confused."""
    powers = dict(word.powers)
    others = [n for n in powers if n not in ("K", "s", "2", "-1", "r", "γ", "K/(K-1)")]
    if len(powers) <= 2 and others and powers.get("K", 0) in (0, 1, -1):
        return "wrong_count"
    return "n_minus_one" if set(powers) == {"K/(K-1)"} else ""


def _divide(reading: Reading, by: Word) -> Reading:
    if not isinstance(reading, Word):
        return reading
    powers = dict(reading.powers)
    for name, power in by.powers:
        powers[name] = (powers.get(name, 0) + power) % 2 if name == "-1" else powers.get(name, 0) - power
    return Word(tuple((n, p) for n, p in powers.items() if p))


def _three(texts: Sequence[str]) -> tuple[str, str, str]:
    return texts[0], texts[1], texts[2]
