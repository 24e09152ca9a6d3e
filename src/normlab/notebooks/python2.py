"""Cells of Python 2, read by Python 3: inside the kernel, so that the notebook itself stays as it was written.

Statements and names are translated by fissix, the maintained copy of Python's own 2to3; division
keeps what it meant, whole numbers for whole numbers, which no translation of the text can know.
"""

from __future__ import annotations

import ast
import functools
import operator
from typing import Any

import numpy as np

FIXES = (
    "dict except exec execfile filter funcattrs has_key idioms imports itertools long map ne next "
    "numliterals print raise raw_input reduce repr ws_comma xrange zip"
)
DIVISION = "__division_of_python_2__"


def translate(lines: list[str]) -> list[str]:
    """The lines of a cell in Python 3; as they are where they are that already, or no Python at all.

    >>> translate(["print 'a', 1\\n", "for i in xrange(3): pass\\n"])
    ["print('a', 1)\\n", 'for i in range(3): pass\\n']
    """
    source = "".join(lines)
    from fissix.pgen2.parse import ParseError
    from fissix.pgen2.tokenize import TokenError

    try:
        tree = _translator().refactor_string(
            source if source.endswith("\n") else source + "\n", "cell"
        )
    except (ParseError, TokenError):
        return lines
    return str(tree).splitlines(keepends=True)


def division(a: Any, b: Any) -> Any:
    """a / b as Python 2 had it: rounded down where both are whole numbers.

    >>> division(7, 2), division(7, 2.0)
    (3, 3.5)
    """
    return operator.floordiv(a, b) if _whole(a) and _whole(b) else operator.truediv(a, b)


class Division(ast.NodeTransformer):
    """Every `/` and `/=` of a cell by `division`."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Div):
            return node
        return ast.copy_location(_call(node.left, node.right), node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        if not (isinstance(node.op, ast.Div) and isinstance(node.target, ast.Name)):
            return node  # into a place of an array, both mean the same but for whole numbers, which NumPy refuses
        value = _call(ast.Name(node.target.id, ast.Load()), node.value)
        return ast.copy_location(ast.Assign([node.target], value), node)


def install(shell: Any, *, true_division: bool) -> None:
    """Let an IPython shell read Python 2 from its next cell on."""
    shell.input_transformers_post.append(translate)
    if not true_division:
        shell.user_global_ns[DIVISION] = division
        shell.ast_transformers.append(Division())


def _call(a: ast.expr, b: ast.expr) -> ast.expr:
    call = ast.Call(ast.Name(DIVISION, ast.Load()), [a, b], [])
    return ast.fix_missing_locations(ast.copy_location(call, a))


def _whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) or (
        isinstance(value, np.ndarray) and value.dtype.kind in "iub"
    )


@functools.cache
def _translator() -> Any:
    from fissix.refactor import RefactoringTool

    return RefactoringTool([f"fissix.fixes.fix_{name}" for name in FIXES.split()])
