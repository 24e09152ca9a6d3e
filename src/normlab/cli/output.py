"""Output that any terminal, pipe or file can take.

Where a letter has no code, plain letters stand for it.
"""

from __future__ import annotations

import codecs
import sys
import unicodedata

PLAIN = {
    "✓": "+", "✗": "x", "○": "o", "…": "...", "−": "-", "–": "-", "—": "-", "·": "*", "×": "x",
    "²": "^2", "½": "1/2",
    "√": "sqrt ", "Σ": "sum ", "∂": "d", "∞": "inf", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~",
    "→": "->", "←": "<-",
    "±": "+-", "∇": "grad ", "ᵀ": "^T", "ᵗ": "^t", "ₙ": "_n", "‖": "||", "∈": " in ",
    "α": "alpha", "β": "beta",
    "γ": "gamma", "δ": "delta", "Δ": "Delta", "ε": "eps", "η": "eta", "λ": "lambda", "μ": "mu",
    "ρ": "rho",
    "σ": "sigma", "Γ": "Gamma", "│": "|", "─": "-", "┌": "+", "┐": "+", "└": "+", "┘": "+",
    "├": "+", "┤": "+",
    "┬": "+", "┴": "+", "┼": "+", "━": "-", "•": "*",
    "“": '"', "”": '"', "‘": "'", "’": "'", "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "\N{ZERO WIDTH SPACE}": "", "\N{NO-BREAK SPACE}": " ",
}  # fmt: skip


def plain(text: str) -> str:
    """The text in ASCII: signs by their names, accents taken off, else a question mark.

    >>> plain("✗ ∂L/∂γ = Σ dout·x̂")
    'x dL/dgamma = sum  dout*x^'
    """
    signs = (PLAIN.get(letter) for letter in text)
    return "".join(
        _letter(letter) if sign is None else sign for letter, sign in zip(text, signs, strict=True)
    )


def _letter(letter: str) -> str:
    base = unicodedata.normalize("NFKD", letter)
    return "".join(c for c in base if c.isascii()) or "?"


def _handler(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return plain(error.object[error.start : error.end]), error.end


def fit_any_terminal() -> None:
    """Let standard output and error write what their encoding lacks in plain letters."""
    codecs.register_error("normlab-plain", _handler)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(
            stream, "reconfigure", None
        )  # a notebook's streams have none, and take anything
        if reconfigure is not None:
            reconfigure(errors="normlab-plain")


def is_utf8(stream: object) -> bool:
    """Whether a stream takes every letter."""
    return str(getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
