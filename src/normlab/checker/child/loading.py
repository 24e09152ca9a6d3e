"""A person's file or folder, imported as it was meant: any package name, any year, helpers present or not.

Every import that belongs to the assignment's package is served from the folder given, wherever in it the file
lies; third-party modules that are not installed become empty stand-ins. Each top-level statement runs by
itself, so that one that fails does not take the rest with it.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import os
import re
import sys
import types
from pathlib import Path
from typing import Any, NamedTuple

from . import machine, repair

SKIPPED = {"__pycache__", ".git", ".ipynb_checkpoints", "site-packages", "node_modules", ".env", "env", "venv"}
WANTED = ("layers", "layer_utils", "optim", "fc_net")
MAX_FILES = 2000


class Loaded(NamedTuple):
    """The names of all of a person's modules together, and what had to be done to get them."""

    namespace: dict[str, Any]
    notes: list[dict[str, Any]]


def load(order: dict[str, Any]) -> Loaded:
    """Import what the order names: a `path` (file or folder) or a `source` (the text of a cell)."""
    notes: list[dict[str, Any]] = []
    repair.give_old_names()
    if order.get("source") is not None:
        module = types.ModuleType("cell")
        sys.path.insert(0, order.get("folder") or os.getcwd())
        _run(module, order["source"], "<cell>", notes)
        return Loaded(vars(module), notes)
    path = Path(order["path"])
    layout = Layout.of(path, order["names"])
    finder = AssignmentFinder(layout, notes, tuple(order.get("refused", ())))
    sys.meta_path.insert(0, finder)
    # confined, nothing but NumPy and the standard library can be read: the rest is stood in for at once
    sys.meta_path.insert(1 if order.get("confine") else len(sys.meta_path), StandIns(notes))
    namespace: dict[str, Any] = {}
    wanted = [path.stem] if path.is_file() else [stem for stem in WANTED if stem in layout.files]
    if path.is_dir() and not any(
        name in text for stem in wanted for text in [layout.text(stem)] for name in order["names"]
    ):
        wanted += [stem for stem in layout.files if any(f"def {name}(" in layout.text(stem) for name in order["names"])]
    for stem in dict.fromkeys(wanted):
        try:
            module = importlib.import_module(layout.module_name(stem))
        except Exception as error:
            told = machine.describe_error(error)
            notes.append({"kind": "import", "file": str(layout.files[stem]), "line": told.get("line", 0) or 0,
                          "text": f"{told['type']}: {told['message']}", "function": ""})  # fmt: skip
            continue
        for name, value in vars(module).items():
            if not name.startswith("__"):
                namespace.setdefault(name, value)
    own = str(layout.root)
    for name in order["names"]:  # a name that came from elsewhere is not this person's work
        code = getattr(
            getattr(namespace.get(name), "__init__" if isinstance(namespace.get(name), type) else "__call__", None),
            "__code__",
            None,
        )
        code = getattr(namespace.get(name), "__code__", code)
        if code is not None and not os.path.abspath(code.co_filename).startswith(own):
            namespace.pop(name)
    return Loaded(namespace, notes)


class Layout(NamedTuple):
    """Where the assignment's modules lie: by file stem, with the package's possible names."""

    root: Path
    files: dict[str, Path]
    packages: tuple[str, ...]

    @classmethod
    def of(cls, path: Path, names: list[str]) -> Layout:
        """The layout of a folder, or of the folder that a file belongs to."""
        path = path.resolve()
        root = path if path.is_dir() else path.parent
        if path.is_file() and root.name == "classifiers":
            root = root.parent
        found: dict[str, list[Path]] = {}
        for count, file in enumerate(_python_files(root, depth=5 if path.is_dir() else 2)):
            if count >= MAX_FILES:
                break
            found.setdefault(file.stem, []).append(file)
        home = _home(found, names) if path.is_dir() else root

        def rank(file: Path) -> tuple[bool, int]:
            return (not file.is_relative_to(home), len(file.parts))

        files = {stem: min(candidates, key=rank) for stem, candidates in found.items()}
        if path.is_file():
            files[path.stem] = path
        packages: dict[str, None] = {}
        for stem in files:
            for name in re.findall(
                r"^\s*from\s+(\w+)\.[\w.]+\s+import|^\s*import\s+(\w+)\.\w+", _read(files[stem]), re.M
            ):
                first = name[0] or name[1]
                if _imports_ours(_read(files[stem]), first, files):
                    packages[first] = None
        if home.name.isidentifier() and home.name not in sys.stdlib_module_names:
            packages[home.name] = None
        return cls(root, files, tuple(packages) or ("submission",))

    def text(self, stem: str) -> str:
        """The source of the module with this file stem."""
        return _read(self.files[stem])

    def module_name(self, stem: str) -> str:
        """The full name under which a module is imported, so that relative imports mean what they meant."""
        middle = "classifiers." if self.files[stem].parent.name == "classifiers" or stem in ("fc_net", "cnn") else ""
        return f"{self.packages[0]}.{middle}{stem}"


class AssignmentFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Serves the assignment's package, under any of its names, from the folder given."""

    def __init__(self, layout: Layout, notes: list[dict[str, Any]], refused: tuple[str, ...]) -> None:
        self.layout, self.notes, self.refused = layout, notes, refused
        self.sources: dict[str, Path] = {}

    def find_spec(self, fullname: str, *more: Any) -> Any:
        del more
        first, _, rest = fullname.partition(".")
        if first in self.layout.packages:
            stem = fullname.rpartition(".")[2]
            if rest and stem in self.layout.files:
                self.sources[fullname] = self.layout.files[stem]
                return importlib.util.spec_from_loader(fullname, self, origin=str(self.layout.files[stem]))
            if rest and stem not in ("classifiers", "vis_utils"):
                self.notes.append(_missing(f"the module {fullname} is not there; what needs it cannot run"))
            return importlib.util.spec_from_loader(fullname, self, is_package=True)
        if first in self.refused:
            raise ImportError(f"the module {first} is not available here: a submission answers for itself")
        if not rest and first in self.layout.files and not _installed(first):
            self.sources[fullname] = self.layout.files[first]
            return importlib.util.spec_from_loader(fullname, self, origin=str(self.layout.files[first]))
        return None

    def create_module(self, spec: Any) -> types.ModuleType:
        if spec.name in self.sources:
            return types.ModuleType(spec.name)
        module = _StandIn(spec.name)
        module.__path__ = []
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        file = self.sources.get(module.__name__)
        if file is not None:
            module.__file__ = str(file)
            _run(module, _read(file), str(file), self.notes)


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The last finder asked: a module that is not installed becomes a stand-in that complains when it is used."""

    def __init__(self, notes: list[dict[str, Any]]) -> None:
        self.notes = notes

    def find_spec(self, fullname: str, *more: Any) -> Any:
        del more
        first = fullname.partition(".")[0]
        if first in ("numpy", "child") or (first in sys.stdlib_module_names and first not in ("imp",)):
            return None
        if "." not in fullname or isinstance(sys.modules.get(first), _StandIn) or first == "scipy":
            return importlib.util.spec_from_loader(fullname, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> types.ModuleType:
        module = _StandIn(spec.name)
        module.__path__ = []
        if spec.name not in ("past", "past.builtins", "future", "builtins", "six", "six.moves"):
            self.notes.append(_missing(f"the module {spec.name} is not installed; what needs it cannot run"))
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        vars(module).update(xrange=range, range=range)


class _StandIn(types.ModuleType):
    """A module that is not there: its names can be imported, and say so when they are called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        where = self.__name__

        def missing(*_: Any, **__: Any) -> Any:
            raise NameError(f"{name!r} comes from {where}, which is not here")

        return missing


def _missing(text: str) -> dict[str, Any]:
    return {"kind": "missing", "file": "", "line": 0, "function": "", "text": text}


def _run(module: types.ModuleType, source: str, name: str, notes: list[dict[str, Any]]) -> None:
    """Run the source in the module, a statement at a time."""
    for node in repair.parse(source, name, notes).body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            continue  # a statement that stands alone cannot carry it; division is true division anyway
        try:
            exec(compile(ast.Module([node], type_ignores=[]), name, "exec", dont_inherit=True), vars(module))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit too: the rest of the file may still be good
            told = machine.describe_error(error)
            notes.append({"kind": "statement", "file": name, "line": node.lineno, "function": getattr(node, "name", ""),
                          "text": f"{told['type']}: {told['message']}"})  # fmt: skip


def _python_files(root: Path, depth: int) -> Any:
    try:
        entries = sorted(root.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.suffix == ".py" and entry.is_file():
            yield entry
    for entry in entries:
        if depth and entry.is_dir() and not entry.is_symlink() and entry.name not in SKIPPED and entry.name[0] != ".":
            yield from _python_files(entry, depth - 1)


def _home(found: dict[str, list[Path]], names: list[str]) -> Path:
    """The package's folder: of several, the one whose layers.py defines most of the names."""
    for stem in WANTED:
        if stem in found:
            best = max(found[stem], key=lambda file: (sum(f"def {n}(" in _read(file) for n in names), -len(file.parts)))
            return best.parent.parent if best.parent.name == "classifiers" else best.parent
    return next(iter(found.values()))[0].parent if found else Path()


def _imports_ours(text: str, first: str, files: dict[str, Path]) -> bool:
    parts = re.findall(rf"(?:from|import)\s+{re.escape(first)}\.([\w.]+)", text)
    # cs682 may be installed (this project ships it), and still means the person's own package here
    ours = first == "cs682" or not _installed(first)
    return ours and any(p.rpartition(".")[2] in files for p in parts)


def _installed(name: str) -> bool:
    return name in sys.stdlib_module_names or importlib.machinery.PathFinder.find_spec(name) is not None


def _read(file: Path) -> str:
    try:
        return file.read_bytes()[: 4 * 2**20].decode("utf-8", errors="replace")
    except OSError:
        return ""
