"""Run a notebook of the assignment, its package name being whatever it is, and say which cell failed.

The notebook runs unchanged in a kernel of this very Python, in its own folder. Before its first cell the kernel
takes `normlab.compat.alias(name)`, so that `from cs231n.classifiers.fc_net import *` finds normlab.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from normlab.errors import UserError
from normlab.files import write_atomically

Progress = Callable[[int, int], None]

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PACKAGE = re.compile(
    r"^\s*(?:from|import)\s+(\w+)\.(?:classifiers|layers|layer_utils|optim|solver|data_utils|gradient_check)\b", re.M
)


class NotebookError(UserError, RuntimeError):
    """A notebook that cannot be read, or a cell of it that fails."""


@dataclass(frozen=True)
class NotebookRun:
    """What became of a notebook: how many code cells ran, which were left out, and where the result is."""

    cells: int
    left_out: tuple[int, ...]  # numbers of code cells, the first being 1
    seconds: float
    out: Path | None


def run_notebook(
    path: str | os.PathLike[str],
    *,
    package: str | None = None,
    out: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    shadow: bool = False,
    progress: Progress | None = None,
) -> NotebookRun:
    """Execute every code cell of the notebook at `path`, and write it with its outputs to `out`, if given.

    `package` is the name by which the notebook calls the assignment's package ('cs231n'); with `shadow` a package of
    that name beside the notebook is hidden. `data_dir` is where data sets are looked for. `progress(done, cells)`
    is called before each code cell and at the end. Cells that set up Google Colab have nothing to do here and are
    left out.

    Raises NotebookError: for what is no notebook, for missing libraries, and for a cell that fails, which it names;
    what ran until then is in `out`.
    """
    nbformat, nbclient = _libraries()
    path = Path(path)
    notebook = _read(path, nbformat)
    if out is not None and not os.access(Path(out).absolute().parent, os.W_OK):
        raise NotebookError(f"the folder of {str(out)!r} does not exist or cannot be written to; name another")
    client = nbclient.NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        record_timing=False,  # a second run of the same notebook gives the same file
        extra_arguments=["--log-level=CRITICAL"],  # ipykernel warns of its transport at every start
        resources={"metadata": {"path": str(path.resolve().parent)}},
    )
    client.reset_execution_trackers()
    start = time.perf_counter()
    with client.setup_kernel(env=_environment(data_dir)):
        _prepare(client, package, shadow)
        try:
            left_out = _run_cells(client, path, package, progress)
        except NotebookError as error:
            raise NotebookError(f"{error}. What ran until then is in {out}" if out else str(error)) from None
        finally:
            if out is not None:
                write_atomically(out, (nbformat.writes(notebook) + "\n").encode())
    ran = sum(cell.cell_type == "code" for cell in notebook.cells) - len(left_out)
    return NotebookRun(ran, left_out, time.perf_counter() - start, None if out is None else Path(out))


def _libraries() -> tuple[Any, Any]:
    """nbformat and nbclient, guests of this module alone."""
    try:
        import ipykernel  # noqa: F401  (the kernel that will run it)
        import nbclient
        import nbformat
    except ImportError as error:
        raise NotebookError(
            f"running a notebook needs {error.name}, which is not installed: pip install 'normlab[notebook]'"
        ) from None
    return nbformat, nbclient


def _read(path: Path, nbformat: Any) -> Any:
    """The notebook, its outputs removed."""
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        _, notebook = nbformat.validator.normalize(notebook)
        nbformat.validate(notebook)
    except OSError as error:
        raise NotebookError(f"cannot read {str(path)!r}: {error.strerror}") from error
    # nbformat lets through what its conversion of older formats, and json, raise for what is no notebook
    except (
        AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError, nbformat.ValidationError,
    ) as error:  # fmt: skip
        raise NotebookError(f"{str(path)!r} is not a Jupyter notebook (an .ipynb file)") from error
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def _environment(data_dir: str | os.PathLike[str] | None) -> dict[str, str]:
    """This program's, with the data folder, absolute since the kernel works in the notebook's folder."""
    if data_dir is None:
        return dict(os.environ)
    folder = Path(data_dir).expanduser().resolve()
    if not folder.exists():
        raise NotebookError(f"the data folder {str(data_dir)!r} does not exist")
    return os.environ | {"NORMLAB_DATA": str(folder)}


def _prepare(client: Any, package: str | None, shadow: bool) -> None:
    """Let the kernel know the package's name, by a cell that is taken out again."""
    source = "import normlab"
    if package is not None:
        source = f"import normlab.compat\nnormlab.compat.alias({package!r}, shadow={shadow!r})"
    from nbclient.exceptions import CellExecutionError
    from nbformat import v4

    cells = client.nb.cells
    cells.append(v4.new_code_cell(source))  # type: ignore[no-untyped-call]
    try:
        client.execute_cell(cells[-1], len(cells) - 1, store_history=False)
    except CellExecutionError as error:
        if error.ename == "ModuleNotFoundError":
            raise NotebookError(
                f"the Jupyter kernel 'python3' is not the Python of normlab ({sys.executable}): {error.evalue}. "
                "Run `python -m ipykernel install --sys-prefix` with that Python"
            ) from None
        raise NotebookError(error.evalue) from None
    finally:
        cells.pop()


def _run_cells(client: Any, path: Path, package: str | None, progress: Progress | None) -> tuple[int, ...]:
    """Run the code cells in order; the numbers of those left out. Raises NotebookError at the first that fails."""
    from nbclient.exceptions import CellExecutionError, DeadKernelError
    from nbformat import v4

    left_out = []
    code = [(place, cell) for place, cell in enumerate(client.nb.cells) if cell.cell_type == "code"]
    for number, (place, cell) in enumerate(code, start=1):
        if progress:
            progress(number - 1, len(code))
        if "google.colab" in cell.source:
            left_out.append(number)
            said = "normlab notebook run left this cell out: it sets up Google Colab.\n"
            cell.outputs = [v4.new_output("stream", name="stdout", text=said)]  # type: ignore[no-untyped-call]
            continue
        try:
            client.execute_cell(cell, place)
        except CellExecutionError as error:
            raise NotebookError(_sentence(path, number, len(code), cell, error, package)) from None
        except DeadKernelError:
            raise NotebookError(
                f"the kernel died in code cell {number} of {len(code)} of {path.name}; "
                "most often the machine has no memory left"
            ) from None
    if progress:
        progress(len(code), len(code))
    return tuple(left_out)


def _sentence(path: Path, number: int, cells: int, cell: Any, error: Any, package: str | None) -> str:
    """Which cell failed, at which of its lines, and why."""
    where = f"code cell {number} of {cells} of {path.name} failed"
    lines = cell.source.splitlines()
    # the traceback's first frame of this cell: "Cell In[7], line 2"
    found = re.search(rf"In\s?\[{cell.execution_count}\][^\n]*?line (\d+)", _COLOUR.sub("", error.traceback))
    if found and 1 <= int(found[1]) <= len(lines):
        where += f" at its line {found[1]}, `{lines[int(found[1]) - 1].strip()}`"
    said = f"{where}: {error.ename}: {_COLOUR.sub('', error.evalue)}"
    named = _PACKAGE.search(cell.source)
    if error.ename == "ModuleNotFoundError" and named and named[1] not in (package, "cs682"):
        said += f". If {named[1]} is the assignment's package, run it with --as {named[1]}"
    if error.ename == "SyntaxError" and "print" in error.evalue:
        said += " (it is written for Python 2)"
    return said
