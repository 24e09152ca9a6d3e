"""Run every cell in a kernel of this very Python, in the notebook's own folder, and say which cell failed."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from normlab.files import write_atomically
from normlab.notebooks.reading import (
    NotebookError,
    divides_truly,
    is_python_2,
    libraries,
    package_of,
    read_notebook,
)

Progress = Callable[[int, int], None]

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_HINTS = {
    "TabError": "it mixes tabs and spaces, as Python 2 allowed",
    "bn_param[mode]": "the 2016 edition of batchnorm_forward has mode without quotes",
}


@dataclass(frozen=True)
class NotebookRun:
    """What became of a notebook."""

    cells: int
    """Code cells that ran to their end."""
    left_out: tuple[int, ...]
    """Numbers of the code cells that set up Google Colab; the first cell is 1."""
    failed: tuple[str, ...]
    """A sentence for each cell that failed, with `go_on`."""
    seconds: float
    out: Path | None
    package: str | None
    """What the notebook calls the assignment's package."""
    ran_in: str
    """The folder of a package of that name that ran instead of normlab; empty where normlab ran."""


def run_notebook(
    path: str | os.PathLike[str],
    *,
    package: str | None = None,
    out: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    shadow: bool = False,
    go_on: bool = False,
    progress: Progress | None = None,
) -> NotebookRun:
    """Execute every code cell of the notebook at `path`, and write it with its outputs to `out`, if given.

    Arguments:
        package: the name by which the notebook calls the assignment's package, by default what its
            imports say.
        shadow: hide a package of that name beside the notebook. Without it such a package runs
            instead of normlab, and the result says so; where `package` was given, that is refused.
        data_dir: where data sets are looked for.
        go_on: run the cells after one that fails, too.
        progress: `progress(done, cells)` is called before each code cell and at the end.

    Cells that set up Google Colab have nothing to do here and are left out. Cells for Python 2 are
    translated as they run; the notebook keeps their text.

    Raises NotebookError: for what is no notebook, for missing libraries, and, without `go_on`, for
    a cell that fails, which it names; what ran until then is in `out`.
    """
    nbformat, nbclient = libraries()
    path = Path(path)
    notebook = read_notebook(path)
    if out is not None and not os.access(Path(out).absolute().parent, os.W_OK):
        raise NotebookError(
            f"the folder of {str(out)!r} does not exist or cannot be written to; name another"
        )
    client = nbclient.NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,  # or text would be cut where the kernel happened to send it
        extra_arguments=["--log-level=CRITICAL"],  # ipykernel warns of its transport at every start
        resources={"metadata": {"path": str(path.resolve().parent)}},
    )
    client.reset_execution_trackers()
    cells = _Cells(client, path, package or package_of(notebook), asked=package is not None)
    start = time.perf_counter()
    with client.setup_kernel(env=_environment(data_dir)):
        cells.prepare(shadow)
        try:
            cells.run(go_on, progress)
        except NotebookError as error:
            kept = f". What ran until then is in {out}" if out else ""
            raise NotebookError(f"{error}{kept}") from None
        finally:
            if out is not None:
                write_atomically(out, (nbformat.writes(notebook) + "\n").encode())
        ran_in = cells.whose()
    code = sum(cell.cell_type == "code" for cell in notebook.cells)
    return NotebookRun(
        cells=code - len(cells.left_out) - len(cells.failed),
        left_out=tuple(cells.left_out),
        failed=tuple(cells.failed),
        seconds=time.perf_counter() - start,
        out=None if out is None else Path(out),
        package=cells.package,
        ran_in=ran_in,
    )


def _environment(data_dir: str | os.PathLike[str] | None) -> dict[str, str]:
    """This program's, with the data folder, absolute since the kernel works in the notebook's folder."""
    if data_dir is None:
        return dict(os.environ)
    folder = Path(data_dir).expanduser().resolve()
    if not folder.exists():
        raise NotebookError(f"the data folder {str(data_dir)!r} does not exist")
    return os.environ | {"NORMLAB_DATA": str(folder)}


class _Cells:
    """The cells of a notebook in a kernel that is running."""

    def __init__(self, client: Any, path: Path, package: str | None, asked: bool) -> None:
        self.client, self.path, self.package, self.asked = client, path, package, asked
        self.left_out: list[int] = []
        self.failed: list[str] = []

    def prepare(self, shadow: bool) -> None:
        """Let the kernel know the package's name and its notebook's Python."""
        notebook = self.client.nb
        options = (
            f"asked={self.asked}, shadow={shadow}, python_2={is_python_2(notebook)}, "
            f"true_division={divides_truly(notebook)}, shell=get_ipython()"
        )
        error, _ = self._aside(
            f"import normlab.notebooks.kernel\n"
            f"normlab.notebooks.kernel.prepare({self.package!r}, {options})"
        )
        if error is None:
            return
        if error.ename == "ModuleNotFoundError":
            raise NotebookError(
                f"the Jupyter kernel 'python3' is not the Python of normlab ({sys.executable}): "
                f"{error.evalue}. Run `python -m ipykernel install --sys-prefix` with that Python"
            ) from None
        raise NotebookError(error.evalue) from None

    def run(self, go_on: bool, progress: Progress | None) -> None:
        """Run the code cells in order. Raises NotebookError at the first that fails, unless told to go on."""
        from nbclient.exceptions import CellExecutionError, DeadKernelError
        from nbformat import v4

        cells = [
            (at, cell) for at, cell in enumerate(self.client.nb.cells) if cell.cell_type == "code"
        ]
        for number, (place, cell) in enumerate(cells, start=1):
            if progress:
                progress(number - 1, len(cells))
            if "google.colab" in cell.source:
                self.left_out.append(number)
                text = "normlab notebook run left this cell out: it sets up Google Colab.\n"
                cell.outputs = [v4.new_output("stream", name="stdout", text=text)]  # type: ignore[no-untyped-call]
                continue
            try:
                self.client.execute_cell(cell, place)
            except CellExecutionError as error:
                sentence = self._sentence(number, len(cells), cell, error)
                if not go_on:
                    raise NotebookError(sentence) from None
                self.failed.append(sentence)
            except DeadKernelError:
                raise NotebookError(
                    f"the kernel died in code cell {number} of {len(cells)} of {self.path.name}; "
                    "most often the machine has no memory left"
                ) from None
        if progress:
            progress(len(cells), len(cells))

    def whose(self) -> str:
        """The folder of the package that ran, where it was not normlab's."""
        error, text = self._aside(
            f"print(normlab.notebooks.kernel.whose({self.package!r}), end='')"
        )
        return "" if error is not None else text

    def _aside(self, source: str) -> tuple[Any, str]:
        """Execute a cell that is taken out again: its error, if any, and what it printed."""
        from nbclient.exceptions import CellExecutionError
        from nbformat import v4

        cells = self.client.nb.cells
        cell = v4.new_code_cell(source)  # type: ignore[no-untyped-call]
        cells.append(cell)
        try:
            self.client.execute_cell(cell, len(cells) - 1, store_history=False)
        except CellExecutionError as error:
            return error, ""
        finally:
            cells.pop()
        return None, "".join(output.get("text", "") for output in cell.outputs)

    def _sentence(self, number: int, cells: int, cell: Any, error: Any) -> str:
        """Which cell failed, at which of its lines, and why."""
        where = f"code cell {number} of {cells} of {self.path.name} failed"
        lines = cell.source.splitlines()
        # the traceback's first frame of this cell: "Cell In[7], line 2"
        traceback = _COLOUR.sub("", error.traceback)
        found = re.search(rf"In\s?\[{cell.execution_count}\][^\n]*?line (\d+)", traceback)
        if found and 1 <= int(found[1]) <= len(lines):
            where += f" at its line {found[1]}, `{lines[int(found[1]) - 1].strip()}`"
        said = f"{where}: {error.ename}: {_COLOUR.sub('', error.evalue)}"
        hints = [hint for sign, hint in _HINTS.items() if sign in error.ename or sign in traceback]
        if error.ename == "ModuleNotFoundError" and self.package not in (None, "cs682"):
            hints.append(
                f"if that is the assignment's package, run it with --as NAME, not {self.package}"
            )
        return f"{said} ({'; '.join(hints)})" if hints else said
