"""The one family of errors that people are meant to read.

An error is a sentence for the person who can fix it: what was given, what was expected, what to
try. Everything the library refuses on purpose is a `UserError`; the command line catches that one
type, prints the sentence and exits with status 2. Each member also is the built-in exception that a
NumPy programmer would expect, so that `except ValueError` keeps working in notebooks.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from importlib.util import find_spec


class UserError(Exception):
    """Something the caller can fix; its message says how."""


class ShapeError(UserError, ValueError):
    """Arrays whose shapes, types or sizes do not fit together."""


class OptionError(UserError, ValueError):
    """An option, name or value that is not one of the possible ones."""


class MissingKeyError(UserError, KeyError):
    """A dictionary without a key that is needed."""

    def __str__(self) -> str:  # KeyError prints its argument's repr, quotes and all
        return str(self.args[0])


class DataError(UserError, ValueError):
    """A data set that is missing, damaged, mislabelled or not what its name says."""


class RecordsError(UserError, RuntimeError):
    """A results file or checkpoint that cannot be read, written or trusted."""


class MissingPackageError(UserError, ImportError):
    """An optional package that is not installed."""


class NonFiniteWarning(RuntimeWarning):
    """NaN or infinity met where work went on without it."""


def quoted(names: Iterable[object]) -> str:
    """`'a', 'b', None` from the names, in their order."""
    return ", ".join(repr(name) for name in names)


def did_you_mean(given: object, choices: Iterable[object]) -> str:
    """`; did you mean 'batchnorm'?` where a choice resembles what was given, otherwise nothing."""
    names = [choice for choice in choices if isinstance(choice, str)]
    near = difflib.get_close_matches(str(given).lower(), names, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def not_one_of(what: str, given: object, choices: Iterable[object]) -> OptionError:
    """The error for a choice that does not exist.

    >>> print(not_one_of("normalization", "batch", [None, "batchnorm", "layernorm"]))
    normalization='batch' is not one of None, 'batchnorm', 'layernorm'; did you mean 'batchnorm'?
    """
    choices = list(choices)
    return OptionError(
        f"{what}={given!r} is not one of {quoted(choices)}{did_you_mean(given, choices)}"
    )


def need(what: str, modules: Mapping[str, str], install: str) -> None:
    """Raise a MissingPackageError unless all modules (title by name) are installed.

    >>> need("reading minds", {"json": "JSON", "telepathy": "Telepathy"}, "telepathy")
    Traceback (most recent call last):
    ...
    normlab.errors.MissingPackageError: reading minds needs Telepathy: install with  \
pip install telepathy
    """
    missing = [title for module, title in modules.items() if find_spec(module) is None]
    if missing:
        raise MissingPackageError(
            f"{what} needs {', '.join(missing)}: install with  pip install {install}"
        )


def refuse_unknown_keywords(where: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise an OptionError that names the first keyword `where` does not know.

    >>> refuse_unknown_keywords("Solver", ["batchsize"], ["batch_size", "num_epochs"])
    Traceback (most recent call last):
    ...
    normlab.errors.OptionError: Solver has no keyword 'batchsize'; did you mean 'batch_size'? \
It knows 'batch_size', 'num_epochs'
    """
    known = list(known)
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known) or ";"
            raise OptionError(f"{where} has no keyword {name!r}{hint} It knows {quoted(known)}")
