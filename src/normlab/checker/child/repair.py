"""Old code made to run: Python 2's relics, removed names of NumPy, parts that do not parse.

Each repair leaves a note, so that the person learns what would make the file run by itself.
"""

from __future__ import annotations

import ast
import builtins
import functools
import itertools
import re
from typing import Any

import numpy as np

REMOVED = {
    "product": np.prod, "cumproduct": np.cumprod, "alltrue": np.all, "sometrue": np.any,
    "int": int, "float": float, "bool": bool, "object": object, "complex": complex, "str": str,
    "float_": np.float64, "asfarray": lambda a: np.asarray(a, dtype=float), "Inf": np.inf,
    "infty": np.inf,
    "NaN": np.nan, "in1d": np.isin, "row_stack": np.vstack,
    "asscalar": lambda a: np.asarray(a).item(),
    "round_": np.round, "PINF": np.inf, "NINF": -np.inf, "Infinity": np.inf, "mat": np.asmatrix,
    "string_": np.bytes_,
    "unicode_": np.str_, "trapz": getattr(np, "trapezoid", None),
    "msort": lambda a: np.sort(a, axis=0),
}  # fmt: skip

RELICS = (
    (re.compile(r"\.iteritems\(\)"), ".items()", "dict.iteritems()"),
    (re.compile(r"\.itervalues\(\)"), ".values()", "dict.itervalues()"),
    (re.compile(r"\.iterkeys\(\)"), ".keys()", "dict.iterkeys()"),
)
BROKEN_RELICS = (
    (
        re.compile(r"^(\s*)print[ \t]+(?!\()(.+?),?[ \t]*$", re.M),
        r"\1print(\2)",
        "the print statement",
    ),
    (re.compile(r"^(\s*)print[ \t]*$", re.M), r"\1print()", "the print statement"),
    (
        re.compile(r"^(\s*)print[ \t]+(\(.*\)[ \t]*%.*)$", re.M),
        r"\1print(\2)",
        "the print statement",
    ),
    (
        re.compile(r"except[ \t]+([\w.]+)[ \t]*,[ \t]*(\w+)[ \t]*:"),
        r"except \1 as \2:",
        "'except X, e'",
    ),
    (
        re.compile(r"^(\s*)raise[ \t]+(\w+)[ \t]*,[ \t]*(.+)$", re.M),
        r"\1raise \2(\3)",
        "'raise X, message'",
    ),
)

# lines without indentation that still belong to the statement before them
CONTINUES = re.compile(r"#|(else|elif|except|finally)\b|[)\]}]")
# what the parser says where more lines could help
INCOMPLETE = re.compile("never closed|unterminated triple|unexpected EOF|expected an indented "
                        "block|incomplete|"
                        "expected 'except'|invalid syntax. Perhaps you forgot a comma")  # fmt: skip
MAX_GROWTH = 60
UNPARSED = (
    SyntaxError,
    ValueError,
    MemoryError,
    RecursionError,
)  # the last two for what is nested too deeply


def give_old_names() -> None:
    """Put back, in this process alone, what Python 3 and NumPy 2 took away."""
    for name, value in REMOVED.items():
        if name not in vars(
            np
        ):  # hasattr would ask NumPy, which warns or raises for its removed names
            setattr(np, name, value)
    builtins.__dict__.setdefault("xrange", range)
    builtins.__dict__.setdefault("unicode", str)
    builtins.__dict__.setdefault("reduce", __import__("functools").reduce)
    itertools.__dict__.setdefault("izip", zip)
    itertools.__dict__.setdefault("imap", map)
    original = (
        getattr(np.reshape, "__wrapped__", np.reshape)
        if np.reshape.__module__ == __name__
        else np.reshape
    )

    @functools.wraps(original)
    def reshape(a: Any, *args: Any, **kwargs: Any) -> Any:
        """`newshape` is NumPy's word up to 2.0, `shape` its later one; both are taken."""
        for name in ("newshape", "shape"):
            if name in kwargs and not args:
                args = (kwargs.pop(name),)
        return original(a, *args, **kwargs)

    np.reshape = reshape


def parse(source: str, name: str, notes: list[dict[str, Any]]) -> ast.Module:
    """The module's tree: repaired where it is Python 2, without the blocks that do not parse."""
    source = (
        source.replace("\r\n", "\n")
        .replace("\r", "\n")
        .lstrip("\ufeff")
        .replace("\0", " ")
        .replace("\f", "")
    )
    for pattern, new, what in RELICS:
        match = pattern.search(source)
        if match:
            line = source.count("\n", 0, match.start()) + 1
            notes.append(
                _note(
                    "python2",
                    name,
                    line,
                    f"{what} is Python 2; write {new!r} to run it on Python 3",
                )
            )
            source = pattern.sub(new, source)
    try:
        tree = ast.parse(source, name)
    except UNPARSED as error:
        tree = _parse_repaired(source, name, notes, error)
    _note_old_names(tree, name, notes)
    return tree


def _parse_repaired(
    source: str, name: str, notes: list[dict[str, Any]], error: Exception
) -> ast.Module:
    repaired, done = source, []
    for pattern, new, what in BROKEN_RELICS:
        changed = pattern.sub(new, repaired)
        if changed != repaired:
            done.append(what)
            repaired = changed
    if isinstance(error, TabError) or "\t" in source:
        repaired = repaired.expandtabs(8)
    try:
        tree = ast.parse(repaired, name)
    except UNPARSED:
        return _parse_blocks(repaired, name, notes)
    line = getattr(error, "lineno", None) or 1
    what = (
        f"{' and '.join(dict.fromkeys(done))} is Python 2" if done else "tabs and spaces are mixed"
    )
    notes.append(
        _note(
            "python2",
            name,
            line,
            f"{what}; it was read as it was meant, but Python 3 refuses the file",
        )
    )
    return tree


def _parse_blocks(source: str, name: str, notes: list[dict[str, Any]]) -> ast.Module:
    """Top-level statements one by one; those that do not parse are left out, and named.

    A statement begins where a line begins without indentation. It grows by the lines up to the next
    such line until it parses; where nothing that is missing could help, it is taken away alone.
    """
    lines = source.split("\n")
    starts = [i for i, line in enumerate(lines) if line[:1].strip() and not CONTINUES.match(line)]
    starts.append(len(lines))
    body: list[ast.stmt] = []
    at = 0
    while at < len(starts) - 1:
        first: Exception | None = None
        for stop in range(at + 1, min(at + MAX_GROWTH, len(starts))):
            try:
                body += _parsed(lines, starts[at], starts[stop], name)
            except UNPARSED as error:
                first = first or error
                if not (lines[starts[at]].startswith("@") or INCOMPLETE.search(str(error))):
                    break
            else:
                at, first = stop, None
                break
        if first is not None:
            end = starts[at + 1]
            header = starts[at]
            while header < end - 1 and not re.match(
                r"\s*(?:async\s+def|def|class)\s", lines[header]
            ):
                header += 1
            match = re.match(r"(?:def|class)\s+(\w+)", lines[header])
            line = min(starts[at] + (getattr(first, "lineno", None) or 1), end)
            text = f"{getattr(first, 'msg', first)} in line {line}"
            notes.append(
                _note("syntax", name, line, text, function=match.group(1) if match else "")
            )
            at += 1
    return ast.Module(body, type_ignores=[])


def _parsed(lines: list[str], start: int, stop: int, name: str) -> list[ast.stmt]:
    """The statements of some lines, with the line numbers of the file."""
    tree = ast.parse("\n".join(lines[start:stop]), name)
    ast.increment_lineno(tree, start)
    return tree.body


def _note_old_names(tree: ast.Module, name: str, notes: list[dict[str, Any]]) -> None:
    """A note for each use of a name that NumPy or SciPy has removed."""
    seen = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in ("np", "numpy")
        ):
            old = node.attr
            if old in REMOVED and old not in ("bool", "str") and old not in seen:
                seen.add(old)
                notes.append(
                    _note("removed", name, node.lineno, f"np.{old} is no longer part of NumPy")
                )
        elif (
            isinstance(node, ast.Name)
            and node.id in ("xrange", "izip", "unicode")
            and node.id not in seen
        ):
            seen.add(node.id)
            notes.append(_note("python2", name, node.lineno, f"{node.id} is Python 2"))
        elif isinstance(node, ast.keyword) and node.arg == "newshape" and "newshape" not in seen:
            seen.add("newshape")
            notes.append(
                _note(
                    "removed",
                    name,
                    node.value.lineno,
                    "np.reshape(newshape=...) is now np.reshape(shape=...)",
                )
            )


def _note(kind: str, file: str, line: int, text: str, function: str = "") -> dict[str, Any]:
    return {"kind": kind, "file": file, "line": line, "text": text, "function": function}
