"""Reading an HDF5 file that anybody may have written: in a process of its own.

libhdf5 is a large C library, and a broken file may make it crash, loop, take all memory, open other
files or load plug-ins. A child process (`h5_child`) with limits reads the file from a pipe and
writes plain arrays to another; whatever happens to it is a sentence here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import safetensors.numpy

from normlab.conversion.errors import ForeignNetError
from normlab.typing import Array

CHILD = Path(__file__).with_name(
    "h5_child.py"
)  # by its path: importing it by name would load all of normlab
SECONDS = 60
REFUSED = 3  # the child's exit code with a sentence on its standard error
FIXED = {"HDF5_PLUGIN_PRELOAD": "::", "HDF5_USE_FILE_LOCKING": "FALSE", "OPENBLAS_NUM_THREADS": "1"}


def read_h5(content: bytes, name: str) -> dict[str, Array]:
    """The datasets of an HDF5 file by their paths. Raises ForeignNetError for what is none, or more than that."""
    if not content.startswith(b"\x89HDF\r\n\x1a\n"):
        raise ForeignNetError(f"{name} is not an HDF5 file, or a damaged one")
    try:
        child = subprocess.run(
            [sys.executable, "-P", str(CHILD)],
            input=content,
            capture_output=True,
            timeout=SECONDS,
            check=False,
            env=os.environ | FIXED,
        )
    except subprocess.TimeoutExpired as error:
        raise ForeignNetError(
            f"{name} keeps HDF5 busy for more than {SECONDS} s; it is damaged, or made to"
        ) from error
    if child.returncode == REFUSED:
        raise ForeignNetError(f"{name}: {child.stderr.decode(errors='replace').strip()}")
    if child.returncode != 0:
        raise ForeignNetError(
            f"{name} makes HDF5 fail (exit code {child.returncode}); the file is damaged"
        )
    return dict(safetensors.numpy.load(child.stdout))
