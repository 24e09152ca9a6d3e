"""A person's file or folder, imported as it was meant.

Any package name, any year, helpers present or not.

Every import that belongs to the assignment's package is served from the folder given, wherever in
it the file lies; modules that are not there are stood in for (standins.py). Each top-level
statement runs by itself, so that one that fails does not take the rest with it.
"""

from __future__ import annotations
import __future__

import ast
import contextlib
import functools
import importlib.abc
import importlib.util
import inspect
import os
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from . import adapters, layout, machine, notebooks, repair
from .layout import Layout
from .standins import Importer, Package

MAX_LISTED = 100
EXPORTED = re.compile(
    r"^# In\[[ \d]*\]:", re.M
)  # a notebook that was exported as a program: its cells train and plot
# what is there to test, plot or run, and what the starter itself brings
TOOLS = re.compile(r"_|main$|test|check|grad_check|rel_error|eval_numerical|plot|show|print|demo|"
                   r"conv_(bn_)?relu_(pool_)?(forward|backward)$")  # fmt: skip


class Defined(NamedTuple):
    """A function or class that a person's file defines at its top level."""

    file: str
    line: int
    has_work: bool
    failed: str
    uses: frozenset[str]


class Loaded(NamedTuple):
    """The names of all of a person's modules together, and what had to be done to get them.

    `read` are the files that were run, `passed_over` those of another copy of the assignment,
    `strangers` the public functions that nothing judged uses and that nobody asked for: their
    names, files and lines.
    """

    namespace: dict[str, Any]
    notes: list[dict[str, Any]]
    read: list[str]
    passed_over: list[str]
    strangers: list[tuple[str, str, int]]


def load(order: dict[str, Any]) -> Loaded:
    """Import what the order names: a `path`, a file or a folder."""
    repair.give_old_names()
    layout.read.cache_clear()  # the files may be others than at the last load of this process
    path = Path(order["path"])
    names = order["names"]
    found = Layout.of(path, names)
    running = Running(found, tuple(order.get("refused", ())))
    sys.meta_path.insert(0, running)
    namespace: dict[str, Any] = {}
    origin: dict[str, Defined] = {}
    for stem in found.wanted(path, names):
        module = running.module(stem)
        if module is None:
            continue
        own = running.defined.get(str(found.files[stem]), {})
        for name, value in vars(module).items():
            better = (
                name in own and own[name].has_work and name in origin and not origin[name].has_work
            )
            if not name.startswith("__") and (name not in namespace or better):
                namespace[name] = value
                if name in own:
                    origin[name] = own[name]
    courses = adapters.course_functions(namespace)
    namespace.update(courses)
    running.used |= adapters.COURSE_CLASSES.keys() if courses else set()
    root = str(found.root)
    main = [str(found.files[stem]) for stem in found.wanted(path, names)]
    everything = {name for names_of in running.defined.values() for name in names_of}
    for name in names:  # a name that came from elsewhere is not this person's work
        if name in namespace and name not in everything and not _is_theirs(namespace[name], root):
            namespace.pop(name)
    strangers = _strangers(running, main, names)
    if order.get("entry"):
        strangers = []
        try:
            namespace = adapters.functions(namespace, order["entry"])
        except adapters.AdapterError as error:
            running.notes.append(
                {"kind": "import", "file": "", "line": 0, "function": "", "text": str(error)}
            )
            namespace = {}
    return Loaded(
        namespace,
        running.notes + _failed(running, namespace, names),
        [os.path.relpath(file, root) for file in running.read],
        [os.path.relpath(file, root) for file in found.passed_over],
        strangers,
    )


class Running(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds and runs a person's modules, for import statements of their own files alone."""

    def __init__(self, found: Layout, refused: tuple[str, ...]) -> None:
        self.layout, self.refused = found, refused
        self.notes: list[dict[str, Any]] = []
        self.sources: dict[str, Path] = {}
        self.defined: dict[str, dict[str, Defined]] = {}
        self.read: list[str] = []
        self.used: set[str] = set()
        self.asked: list[set[str]] = []
        self.importer = Importer(self._say_missing, self.open_to)

    def module(self, stem: str) -> types.ModuleType | None:
        """The module with this stem, run; None, with a note, where it cannot be."""
        name = self.layout.module_name(stem)
        try:
            with self.open_to(name):
                return importlib.import_module(name)
        except Exception as error:
            told = machine.describe_error(error)
            self.notes.append({"kind": "import", "file": str(self.layout.files[stem]),
                               "line": told.get("line", 0) or 0,
                               "text": f"{told['type']}: {told['message']}",
                               "function": ""})  # fmt: skip
            return None

    @contextlib.contextmanager
    def open_to(self, name: str, parts: tuple[str, ...] = ()) -> Iterator[None]:
        """While this is open the module `name`, its packages and these parts of it are found."""
        pieces = name.split(".")
        asked = {".".join(pieces[:count]) for count in range(1, len(pieces) + 1)}
        self.asked.append(asked | {f"{name}.{part}" for part in parts})
        try:
            yield
        finally:
            self.asked.pop()

    def find_spec(self, fullname: str, *more: Any) -> Any:
        """The person's module or package of this name, if one of their own files asks for it."""
        del more
        if not (self.asked and fullname in self.asked[-1]):
            return None
        first, _, rest = fullname.partition(".")
        if first in self.layout.packages:
            stem = fullname.rpartition(".")[2]
            if rest and stem in self.layout.files:
                return self._own(fullname, stem)
            if rest and stem not in ("classifiers",):
                return None
            return importlib.util.spec_from_loader(fullname, self, is_package=True)
        if first in self.refused:
            raise ImportError(
                f"the module {first} is not available here: a submission answers for itself"
            )
        if not rest and first in self.layout.files and not layout.installed(first):
            return self._own(fullname, first)
        return None

    def create_module(self, spec: Any) -> types.ModuleType:
        """An empty module, or a package that holds whatever the folder does."""
        if spec.name in self.sources:
            return types.ModuleType(spec.name)
        module = Package(spec.name)
        module.__path__ = []
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the module's file, a statement at a time."""
        file = self.sources.get(module.__name__)
        if file is not None:
            module.__file__ = str(file)
            self.read.append(str(file))
            if file.suffix.lower() == ".ipynb":
                self._run_notebook(module, file)
            else:
                text = layout.read(file)
                exported = EXPORTED.search(text) is not None
                self._run(module, text, str(file), str(file), definitions_only=exported)

    def _own(self, fullname: str, stem: str) -> Any:
        self.sources[fullname] = self.layout.files[stem]
        return importlib.util.spec_from_loader(fullname, self, origin=str(self.layout.files[stem]))

    def _run_notebook(self, module: types.ModuleType, file: Path) -> None:
        content = file.read_bytes()[: 64 * 2**20].decode("utf-8", errors="replace")
        try:
            found = notebooks.cells(content, str(file))
        except ValueError as error:
            self.notes.append(
                {"kind": "import", "file": str(file), "line": 0, "text": str(error), "function": ""}
            )
            return
        for cell in found:
            self._run(module, cell.source, cell.name, str(file), definitions_only=True)

    def _run(
        self,
        module: types.ModuleType,
        source: str,
        name: str,
        file: str,
        *,
        definitions_only: bool = False,
    ) -> None:
        """Run the source in the module, a statement at a time."""
        tree = repair.parse(source, name, self.notes)
        self.importer.note_tries(tree, name)
        vars(module)["__builtins__"] = self.importer.names
        flags = 0
        own = self.defined.setdefault(file, {})
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                for feature in node.names:
                    flags |= getattr(getattr(__future__, feature.name, None), "compiler_flag", 0)
                continue
            if definitions_only and not notebooks.is_definition(node):
                continue
            failed = ""
            try:
                exec(
                    compile(
                        ast.Module([node], type_ignores=[]), name, "exec", flags, dont_inherit=True
                    ),
                    vars(module),
                )
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # SystemExit too: the rest of the file may still be good
                told = machine.describe_error(error)
                failed = f"{told['type']}: {told['message']}"
                self.notes.append({"kind": "statement", "file": name, "line": node.lineno,
                                   "function": getattr(node, "name", ""),
                                   "text": failed})  # fmt: skip
            uses = frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name))
            if isinstance(node, ast.Assign):
                self.used |= uses
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                own[node.name] = Defined(name, node.lineno, layout.has_work(node), failed, uses)

    def _say_missing(self, name: str) -> None:
        first, _, rest = name.partition(".")
        what = "not there" if first in self.layout.packages and rest else "not installed"
        text = f"the module {name} is {what}; what needs it cannot run"
        self.notes.append({"kind": "missing", "file": "", "line": 0, "function": "", "text": text})


def _is_theirs(thing: Any, root: str, depth: int = 0) -> bool:
    """Whether a function, or what it wraps, is written in a file below `root`."""
    with contextlib.suppress(Exception):
        thing = inspect.unwrap(thing)
    if isinstance(thing, functools.partial):
        return depth < 8 and _is_theirs(thing.func, root, depth + 1)
    code = getattr(thing, "__code__", None)
    if code is None and isinstance(thing, type):
        code = getattr(getattr(thing, "__init__", None), "__code__", None)
    if code is None:
        code = getattr(vars(type(thing)).get("__call__"), "__code__", None)
    if code is None or os.path.abspath(code.co_filename).startswith(root):
        return True
    cells = [
        cell.cell_contents for cell in getattr(thing, "__closure__", None) or () if _is_full(cell)
    ]
    return depth < 8 and any(
        _is_theirs(inner, root, depth + 1) for inner in cells if hasattr(inner, "__code__")
    )


def _is_full(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _failed(running: Running, namespace: dict[str, Any], names: list[str]) -> list[dict[str, Any]]:
    """A note for each function of the assignment whose definition raised."""
    return [
        {"kind": "failed", "file": one.file, "line": one.line, "function": name, "text": one.failed}
        for own in running.defined.values()
        for name, one in own.items()
        if one.failed and name in names and name not in namespace
    ]


def _strangers(running: Running, main: list[str], names: list[str]) -> list[tuple[str, str, int]]:
    """Public functions that are not asked about, and that nothing asked about stands on."""
    defined = {name: one for own in running.defined.values() for name, one in own.items()}
    used, waiting = set(running.used), [name for name in names if name in defined]
    waiting += [name for name in used if name in defined]
    while waiting:
        for name in defined[waiting.pop()].uses:
            if name in defined and name not in used:
                used.add(name)
                waiting.append(name)
    listed = {name: one for file in main for name, one in running.defined.get(file, {}).items()}
    found = [(name, one.file, one.line) for name, one in listed.items()
             if name not in names and name not in used and not TOOLS.match(name)]  # fmt: skip
    return found[:MAX_LISTED]
