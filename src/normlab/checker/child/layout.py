"""Which of a person's files hold the assignment.

Of any package name, any year, one folder or several.
"""

from __future__ import annotations

import ast
import functools
import importlib.machinery
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from . import notebooks

SKIPPED = {
    "__pycache__",
    ".git",
    ".ipynb_checkpoints",
    "site-packages",
    "node_modules",
    ".env",
    "env",
    "venv",
}
WANTED = ("layers", "layer_utils", "optim", "fc_net")
MAX_FILES = 2000
# calls that a starter makes already: they are no sign that a function is written
STARTER_CALLS = {"get", "pop", "setdefault", "zeros", "zeros_like", "seed", "astype", "copy",
                 "items", "append",
                 "format", "print", "ValueError", "NotImplementedError", "range", "len",
                 "sorted"}  # fmt: skip


class Layout(NamedTuple):
    """Where the assignment's modules lie: by file stem, with the package's possible names.

    `passed_over` are files that define functions of the assignment and belong to another copy of
    it.
    """

    root: Path
    files: dict[str, Path]
    packages: tuple[str, ...]
    passed_over: tuple[Path, ...] = ()

    @classmethod
    def of(cls, path: Path, names: list[str]) -> Layout:
        """The layout of a folder, or of the folder that a file belongs to."""
        path = path.resolve()
        root = path if path.is_dir() else path.parent
        if path.is_file() and root.name == "classifiers":
            root = root.parent
        found: dict[str, list[Path]] = {}
        for count, file in enumerate(code_files(root, depth=5 if path.is_dir() else 2)):
            if count >= MAX_FILES:
                break
            found.setdefault(stem_of(file), []).append(file)
        home, others = _home(found, names) if path.is_dir() else (root, ())

        def rank(file: Path) -> tuple[bool, bool, int]:
            return (not file.is_relative_to(home), file.suffix != ".py", len(file.parts))

        files = {stem: min(candidates, key=rank) for stem, candidates in found.items()}
        if path.is_file():
            files[stem_of(path)] = path
        packages: dict[str, None] = {}
        for file in files.values():
            text = read(file)
            for name in re.findall(
                r"^\s*from\s+(\w+)\.[\w.]+\s+import|^\s*import\s+(\w+)\.\w+", text, re.M
            ):
                first = name[0] or name[1]
                if _imports_ours(text, first, files):
                    packages[first] = None
        if home.name.isidentifier() and home.name not in sys.stdlib_module_names:
            packages[home.name] = None
        passed = tuple(file for other in others for file in other if _defined(read(file), names))
        return cls(root, files, tuple(packages) or ("submission",), passed)

    def text(self, stem: str) -> str:
        """The source of the module with this file stem."""
        return read(self.files[stem])

    def wanted(self, path: Path, names: list[str]) -> list[str]:
        """The stems of the modules to load.

        The file itself, or those of a folder that define what is asked for.
        """
        if path.is_file():
            return [stem_of(path.resolve())]
        chosen = [stem for stem in WANTED if stem in self.files]
        apart = set(self.passed_over)
        more = [
            s
            for s, file in self.files.items()
            if file not in apart and _defined(self.text(s), names)
        ]
        if any(_defined(self.text(stem), names) for stem in chosen):
            homes = {self.files[stem].parent for stem in chosen}
            homes |= {home.parent for home in homes if home.name == "classifiers"}
            more = [
                s for s in more if self.files[s].parent in homes or self.files[s].suffix == ".ipynb"
            ]
        return list(dict.fromkeys([*chosen, *more]))

    def module_name(self, stem: str) -> str:
        """A module's full name, so that relative imports mean what they meant."""
        middle = (
            "classifiers."
            if self.files[stem].parent.name == "classifiers" or stem in ("fc_net", "cnn")
            else ""
        )
        return f"{self.packages[0]}.{middle}{stem}"


def stem_of(file: Path) -> str:
    """The name a file is known by.

    Its stem, or, where that is no name of Python's, the stem made into one.
    """
    return file.stem if file.stem.isidentifier() else "file_" + re.sub(r"\W", "_", file.stem)


@functools.cache
def read(file: Path) -> str:
    """A file's text, whatever its encoding; for a notebook, that of its definitions' cells."""
    try:
        content = file.read_bytes()[: 4 * 2**20]
    except OSError:
        return ""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    text = content.decode(encoding, errors="replace")
    if file.suffix.lower() == ".ipynb":
        try:
            return "\n".join(cell.source for cell in notebooks.cells(text, file.name))
        except ValueError:
            return ""
    return text


def installed(name: str) -> bool:
    """Whether Python finds a module of this name by itself."""
    return (
        name in sys.stdlib_module_names
        or importlib.machinery.PathFinder.find_spec(name) is not None
    )


def code_files(root: Path, depth: int) -> Iterator[Path]:
    """The Python files and notebooks below a folder, nearest first.

    What cannot be looked at is passed over.
    """
    try:
        with os.scandir(root) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        return
    folders = []
    for entry in entries:
        try:
            if entry.name.lower().endswith((".py", ".ipynb")) and entry.is_file():
                yield Path(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(entry)
        except OSError:
            continue
    for entry in folders:
        if depth and entry.name not in SKIPPED and entry.name[0] != ".":
            yield from code_files(Path(entry.path), depth - 1)


def _home(found: dict[str, list[Path]], names: list[str]) -> tuple[Path, tuple[list[Path], ...]]:
    """The package's folder, and the files of each other one.

    The most functions that are written, then the fewest
    that are not, then a BatchNormalization notebook beside it."""
    folders: dict[Path, list[Path]] = {}
    for stem in WANTED:
        for file in found.get(stem, ()):
            folder = file.parent.parent if file.parent.name == "classifiers" else file.parent
            folders.setdefault(folder, []).append(file)
    if not folders:
        return (next(iter(found.values()))[0].parent if found else Path()), ()

    def rank(folder: Path) -> tuple[int, int, bool, int]:
        counts = [_written(read(file), names) for file in folders[folder]]
        beside = any(
            os.path.exists(place / "BatchNormalization.ipynb") for place in (folder, folder.parent)
        )
        return (sum(w for w, _ in counts), -sum(u for _, u in counts), beside, -len(folder.parts))

    best = max(folders, key=rank) if len(folders) > 1 else next(iter(folders))
    return best, tuple(files for folder, files in folders.items() if folder != best)


def _written(text: str, names: list[str]) -> tuple[int, int]:
    """How many of the assignment's functions a text has with work in them, and without."""
    try:
        nodes = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        count = len(_defined(text, names))
        return count, 0
    ours = [
        node
        for node in nodes
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in names
    ]
    done = sum(has_work(node) for node in ours)
    return done, len(ours) - done


def has_work(function: ast.AST) -> bool:
    """Whether a function computes anything beyond what a starter's placeholder does."""
    for node in ast.walk(function):
        if isinstance(node, (ast.BinOp, ast.AugAssign)) and not isinstance(
            getattr(node, "op", None), ast.Mod
        ):
            return True
        if isinstance(node, ast.Call):
            name = (
                node.func.attr
                if isinstance(node.func, ast.Attribute)
                else getattr(node.func, "id", "")
            )
            if name not in STARTER_CALLS:
                return True
    return False


def _defined(text: str, names: list[str]) -> set[str]:
    found = re.findall(r"^(?:def|class)\s+(\w+)|^(\w+)\s*=", text, re.M)
    return {one or other for one, other in found} & set(names)


def _imports_ours(text: str, first: str, files: dict[str, Path]) -> bool:
    parts = re.findall(rf"(?:from|import)\s+{re.escape(first)}\.([\w.]+)", text)
    # cs682 may be installed (this project ships it), and still means the person's own package here
    ours = first == "cs682" or not installed(first)
    return ours and any(p.rpartition(".")[2] in files for p in parts)
