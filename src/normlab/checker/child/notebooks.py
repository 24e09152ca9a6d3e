"""Notebooks as code: the definitions of their cells, without what the cells run, plot or train.

A notebook is JSON; its code cells are Python with lines for IPython in between (`%timeit`, `!pip`).
Definitions are imports, functions, classes, and assignments of constants: what a cell computes is
not done again.
"""

from __future__ import annotations

import ast
import json
import re
from typing import NamedTuple

# what an assignment at the top of a cell may call and still be a definition
PLAIN_CALLS = {
    *(
        "np",
        "numpy",
        "math",
        "functools",
        "collections",
        "typing",
        "partial",
        "namedtuple",
        "TypeVar",
    ),
    *("float", "int", "str", "bool", "tuple", "list", "dict", "set", "range", "len", "frozenset"),
    "staticmethod",
}
# lines at the top of a cell that make the whole cell something else than Python of this notebook
FOREIGN = re.compile(
    r"\s*%%(bash|sh|html|HTML|javascript|js|latex|markdown|svg|script|perl|ruby|writefile|system|cmd)\b"
)


class Cell(NamedTuple):
    """A code cell: its name as a file's name, and its source as Python."""

    name: str
    source: str


def cells(text: str, name: str) -> list[Cell]:
    """The code cells of a notebook, named `work.ipynb, cell 3` and so on.

    Raises ValueError for another file.
    """
    try:
        content = json.loads(text)
        found = content["cells"] if "cells" in content else content["worksheets"][0]["cells"]
        sources = []
        for count, cell in enumerate(found, start=1):
            if cell["cell_type"] == "code":
                source = cell["source"] if "source" in cell else cell["input"]
                sources.append((count, source if isinstance(source, str) else "".join(source)))
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        raise ValueError("this notebook cannot be read: its JSON is not a notebook's") from None
    return [Cell(f"{name}, cell {count}", without_magics(source)) for count, source in sources]


def without_magics(source: str) -> str:
    """A cell without IPython's own lines; every other line keeps its number."""
    if FOREIGN.match(source):
        return ""
    lines = source.split("\n")
    for number, line in enumerate(lines):
        if re.match(r"\s*(%|!|\?)|^[\w.\[\]]+\?{1,2}\s*$", line):
            indent = line[: len(line) - len(line.lstrip())]
            lines[number] = f"{indent}pass" if indent else ""
    return "\n".join(lines)


def is_definition(node: ast.stmt) -> bool:
    """Whether a statement only defines something, so that running it costs nothing."""
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)):
        return True
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        return node.value is not None and all(
            _root(call.func) in PLAIN_CALLS
            for call in ast.walk(node.value)
            if isinstance(call, ast.Call)
        )
    if isinstance(node, ast.Try):
        parts = [*node.body, *node.orelse, *node.finalbody]
        parts += [inner for handler in node.handlers for inner in handler.body]
        return all(is_definition(inner) or isinstance(inner, ast.Pass) for inner in parts)
    if isinstance(node, ast.If):
        return all(
            is_definition(inner) or isinstance(inner, ast.Pass)
            for inner in [*node.body, *node.orelse]
        )
    return False


def _root(node: ast.expr) -> str:
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
