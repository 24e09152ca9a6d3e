"""Run a notebook of the assignment as it is: of any year, under any package name, and say whose code ran."""

from normlab.notebooks.reading import NotebookError, read_notebook
from normlab.notebooks.running import NotebookRun, run_notebook

__all__ = ["NotebookError", "NotebookRun", "read_notebook", "run_notebook"]
