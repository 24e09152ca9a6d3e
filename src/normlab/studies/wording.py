"""How numbers are said: with their unit, and no more digits than they deserve."""

from __future__ import annotations

import math
from collections.abc import Iterable

MINUS = "−"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def value_text(unit: str, value: float, difference: bool = False) -> str:
    """A measured value; a difference of accuracies is said in percentage points.

    >>> value_text("accuracy", 0.9123), value_text("accuracy", 0.05, difference=True), value_text("decades", -8.0)
    ('91.2 %', '5.0 points', '10⁻⁸')
    """
    if not math.isfinite(value):
        return "no finite value"
    match unit:
        case "accuracy" | "share" if difference:
            return f"{signed(100 * value, 1, plus=False)} points"
        case "accuracy":
            return f"{100 * value:.1f} %"
        case "share":
            return f"{100 * value:.0f} %" if value == 0 or value >= 0.1 else f"{100 * value:.2g} %"
        case "decades":
            return factor(value)
        case "correlation":
            return f"{signed(value, 2, plus=False)}"
        case _:
            return plain(value)


def effect_text(unit: str, value: float) -> str:
    """An effect, with its sign; decades are a factor.

    >>> effect_text("accuracy", -0.012), effect_text("loss", 0.5), effect_text("decades", 0.5)
    ('−1.2 points', '+0.50', '× 3.16')
    """
    if not math.isfinite(value):
        return "unbounded"
    match unit:
        case "accuracy" | "share":
            return f"{signed(100 * value, 1)} points"
        case "decades":
            return f"× {factor(value)}"
        case _:
            return (
                signed(value, 2)
                if abs(value) < 100
                else ("+" if value > 0 else MINUS) + plain(abs(value))
            )


def interval_text(low: str, high: str) -> str:
    """An interval from its bounds in words, the unit said once.

    >>> interval_text("+1.0 points", "+3.1 points"), interval_text("× 2", "× 4"), interval_text("11 %", "12 %")
    ('+1.0 to +3.1 points', '× 2 to × 4', '11 to 12 %')
    """
    for unit in (" points", " %"):
        if low.endswith(unit) and high.endswith(unit):
            low = low.removesuffix(unit)
    return f"{low} to {high}"


def factor(decades: float) -> str:
    """10 to this power: a plain number near 1, a power of ten far from it.

    >>> factor(0.301), factor(-2), factor(-12.3)
    ('2.00', '0.010', '10⁻¹²')
    """
    if -3 < decades < 4:
        return plain(10**decades)
    return "10" + f"{decades:.0f}".translate(SUPERSCRIPTS)


def plain(value: float) -> str:
    """Two or three significant digits; large numbers with separators, very large ones as powers of ten.

    >>> plain(0.0123), plain(2.3456), plain(12345.6), plain(3.2e9)
    ('0.012', '2.35', '12,346', '3.2 × 10⁹')
    """
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e6 or size < 1e-4:
        exponent = math.floor(math.log10(size))
        return f"{value / 10**exponent:.1f} × 10" + str(exponent).translate(SUPERSCRIPTS)
    if size >= 100:
        text = f"{value:,.0f}"
    elif size >= 10:
        text = f"{value:.1f}"
    elif size >= 1:
        text = f"{value:.2f}"
    else:
        text = f"{value:#.2g}"
    return text.replace("-", MINUS)


def signed(value: float, digits: int, plus: bool = True) -> str:
    """A number with its sign, never a negative zero."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return (MINUS if value < 0 else "+" if plus else "") + text


def duration(seconds: float) -> str:
    """A time as people say it.

    >>> duration(8.2), duration(75), duration(4000)
    ('8 s', '1 min 15 s', '1 h 07 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def listed(names: Iterable[str]) -> str:
    """Names in a sentence.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
