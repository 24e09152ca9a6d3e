"""A notebook as a file: its cells, what it calls the assignment's package, and which Python it was written for."""

from __future__ import annotations

import ast
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

from normlab.errors import UserError, need

_PACKAGE = re.compile(
    r"^\s*(?:from|import)\s+(\w+)\."
    r"(?:classifiers|layers|layer_utils|fast_layers|optim|solver|data_utils|gradient_check|vis_utils)\b",
    re.M,
)
_MAGIC = re.compile(r"^(\s*)[%!?].*$", re.M)


class NotebookError(UserError, RuntimeError):
    """A notebook that cannot be read, or a cell of it that fails."""


def libraries() -> tuple[Any, Any]:
    """nbformat and nbclient, which are loaded for this alone."""
    packages = ("ipykernel", "nbclient", "nbformat")
    need("running a notebook", {name: name for name in packages}, "'normlab[notebook]'")
    import nbclient
    import nbformat

    return nbformat, nbclient


def read_notebook(path: str | os.PathLike[str]) -> Any:
    """The notebook, its outputs removed. Raises NotebookError for what is none."""
    nbformat, _ = libraries()
    path = Path(path)
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        _, notebook = nbformat.validator.normalize(notebook)
        nbformat.validate(notebook)
    except OSError as error:
        raise NotebookError(f"cannot read {str(path)!r}: {error.strerror}") from error
    # nbformat lets through what its conversion of older formats, and json, raise for what is no
    # notebook
    except (
        AssertionError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
        nbformat.ValidationError,
    ) as error:
        raise NotebookError(f"{str(path)!r} is not a Jupyter notebook (an .ipynb file)") from error
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def package_of(notebook: Any) -> str | None:
    """What the notebook calls the assignment's package, by its own imports; None where it imports none.

    The name that most imports have; a name in a comment or a text does not count.
    """
    found = Counter(name for source in _sources(notebook) for name in _PACKAGE.findall(source))
    found.pop("normlab", None)
    return found.most_common(1)[0][0] if found else None


def is_python_2(notebook: Any) -> bool:
    """Whether the notebook says that it was written for Python 2, or has print statements."""
    metadata = notebook.metadata
    says = (
        metadata.get("kernelspec", {}).get("name") == "python2"
        or str(metadata.get("language_info", {}).get("version", "")).startswith("2.")
    )  # fmt: skip
    return says or any(_prints_by_statement(source) for source in _sources(notebook))


def divides_truly(notebook: Any) -> bool:
    """Whether a notebook for Python 2 asks for today's division."""
    return any(
        re.search(r"from\s+__future__\s+import\s.*\bdivision\b", s) for s in _sources(notebook)
    )


def _prints_by_statement(source: str) -> bool:
    if not re.search(r"^\s*print\s+[^\s(=]", source, re.M):
        return False
    try:
        ast.parse(_MAGIC.sub(r"\1pass", source))
    except SyntaxError as error:
        return "print" in str(error.msg)
    return False


def _sources(notebook: Any) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]
