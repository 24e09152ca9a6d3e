"""What is done inside the kernel before the first cell of a notebook and after its last."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from pathlib import Path
from typing import Any

from normlab import compat
from normlab.notebooks import pictures, python2


def prepare(
    package: str | None,
    *,
    asked: bool,
    shadow: bool,
    python_2: bool,
    true_division: bool,
    shell: Any = None,
) -> None:
    """Let the notebook's imports find normlab under `package`, and the kernel read what older years wrote.

    A package of that name beside the notebook stays what is imported, unless `shadow`; where the
    name was `asked` for, that is an OptionError.
    """
    if package == compat.ORIGINAL:
        if shadow:
            _import_all_of_ours()
    elif package is not None and (asked or shadow or not beside(package)):
        compat.alias(package, shadow=shadow)
    pictures.install()
    if python_2:
        python2.install(shell, true_division=true_division)


def beside(package: str) -> bool:
    """Whether the notebook's folder, or another place on the path, has such a package with Python in it."""
    return bool(compat.place_of(package))


def whose(package: str | None) -> str:
    """Where the code lies that ran under that name; empty where it is normlab's own, or nothing was imported."""
    module = sys.modules.get(package or "")
    folders = [Path(folder) for folder in getattr(module, "__path__", [])]
    ours = Path(compat.__file__).parents[1]
    others = [folder for folder in folders if ours not in folder.parents]
    return str(others[0]) if others else ""


def _import_all_of_ours() -> None:
    """Every module of cs682, as it is installed beside normlab, whatever lies in the notebook's folder."""
    ours = str(Path(compat.__file__).parents[1])
    for name in [key for key in sys.modules if key.split(".")[0] == compat.ORIGINAL]:
        del sys.modules[name]
    sys.path.insert(0, ours)
    try:
        importlib.invalidate_caches()
        root = importlib.import_module(compat.ORIGINAL)
        for info in pkgutil.walk_packages(root.__path__, f"{compat.ORIGINAL}."):
            importlib.import_module(info.name)
    finally:
        sys.path.remove(ours)
