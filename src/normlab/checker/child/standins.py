"""Import statements of a person's own files.

What is not there is stood in for, so that the rest can run.

Only they see it. Their modules have builtins of their own, whose `__import__` this is; a library
that asks for a module that is not there gets Python's ImportError, and so does a `try` that handles
it.
"""

from __future__ import annotations

import ast
import builtins
import functools
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

HANDLED = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


def _unchanged(*args: Any, **settings: Any) -> Any:
    """A decorator with or without settings that leaves the function as it is."""
    del settings
    if len(args) == 1 and callable(args[0]):
        return args[0]
    return lambda function: function


# decorators whose absence changes nothing but speed or checking
HARMLESS: dict[str, dict[str, Any]] = {
    "numba": {"njit": _unchanged, "jit": _unchanged, "prange": range},
    "beartype": {"beartype": _unchanged},
    "typeguard": {"typechecked": _unchanged},
    "jaxtyping": {"jaxtyped": _unchanged},
    "line_profiler": {"profile": _unchanged},
}
OLD_NAMES = ("past", "past.builtins", "future", "builtins", "six", "six.moves")


class StandIn(types.ModuleType):
    """A module that is not there: its names can be imported, and say so when they are called."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        vars(self).update(HARMLESS.get(name, {}))
        if name in OLD_NAMES:
            vars(self).update(xrange=range, range=range)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(name, self.__name__)


class Package(types.ModuleType):
    """A package of the person's own: a name under which their modules are found."""


class Missing:
    """A name of a module that is not there.

    It may be named, decorated with its parts, and inherited from.
    """

    def __init__(self, name: str, module: str) -> None:
        self._name, self._module = name, module

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(f"{self._name}.{name}", self._module)

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise NameError(f"{self._name!r} comes from {self._module}, which is not here")

    def __mro_entries__(self, _: Any) -> tuple[type, ...]:
        return ()

    def __getitem__(self, _: Any) -> Any:  # Float[Array, "N D"] in an annotation
        return self

    def __setitem__(self, _: Any, __: Any) -> None:  # plt.rcParams["image.cmap"] = "gray"
        pass

    def __or__(self, _: Any) -> Any:
        return self

    __ror__ = __or__


class Importer:
    """Serves the import statements of a person's own modules, by builtins of their own."""

    def __init__(
        self, say: Callable[[str], None], open_to: Callable[[str, tuple[str, ...]], Any]
    ) -> None:
        """`say` is told of each module that is not there.

        `open_to` lets the person's own modules be found.
        """
        self.say, self.open_to = say, open_to
        self.made: dict[str, StandIn] = {}
        self.handled: dict[str, list[tuple[int, int]]] = {}
        self.names = {**vars(builtins), "__import__": self.import_, "print": _print_nothing}

    def note_tries(self, tree: ast.AST, file: str) -> None:
        """Remember the lines of a file on which a failing import is handled by the file itself."""
        self.handled.setdefault(file, []).extend(_handled_lines(tree))

    def import_(
        self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        """Python's own `__import__`, and a stand-in for what is missing and not handled."""
        frame = sys._getframe(1)
        whole = _absolute(name, globals, level)
        try:
            with self.open_to(whole, tuple(fromlist or ())):
                module = __import__(name, globals, locals, fromlist, level)
        except ImportError as error:
            if self._is_handled(frame):
                raise
            missing = getattr(error, "name", None) or ""
            if not (
                isinstance(error, ModuleNotFoundError)
                and (whole == missing or whole.startswith(f"{missing}."))
            ):
                raise
            return self._stand_in(whole, bool(fromlist))
        if isinstance(module, Package) and not self._is_handled(frame):
            for part in fromlist or ():
                if part != "*" and not hasattr(module, part):
                    setattr(module, part, self._stand_in(f"{whole}.{part}", True))
        return module

    def _stand_in(self, name: str, last: bool) -> Any:
        """Stand-ins for each part of a dotted name that is not there.

        The first or the last of them.
        """
        modules: list[Any] = []
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            part = ".".join(parts[:count])
            module = sys.modules.get(part)
            if module is None:
                if part not in self.made:
                    self.made[part] = StandIn(part)
                    if part not in OLD_NAMES:
                        self.say(part)
                module = self.made[part]
                if modules and isinstance(modules[-1], StandIn):
                    setattr(modules[-1], parts[count - 1], module)
            modules.append(module)
        return modules[-1] if last else modules[0]

    def _is_handled(self, frame: types.FrameType) -> bool:
        lines = self.handled.get(frame.f_code.co_filename, ())
        return any(first <= frame.f_lineno <= last for first, last in lines)


def _absolute(name: str, globals: Any, level: int) -> str:
    if not level:
        return name
    package = (globals or {}).get("__package__") or (
        (globals or {}).get("__name__") or ""
    ).rpartition(".")[0]
    base = package.rsplit(".", level - 1)[0] if level > 1 else package
    return f"{base}.{name}" if name else base


def _handled_lines(tree: ast.AST) -> Iterator[tuple[int, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and any(_handles(handler.type) for handler in node.handlers):
            yield node.body[0].lineno, node.body[-1].end_lineno or node.body[-1].lineno
        elif isinstance(node, ast.With):
            calls = [
                item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)
            ]
            if any(
                _last(call.func) == "suppress" and any(map(_handles, call.args)) for call in calls
            ):
                yield node.lineno, node.end_lineno or node.lineno


def _handles(kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(_last(each) in HANDLED for each in kinds)


def _last(node: ast.expr) -> str:
    return (
        node.attr
        if isinstance(node, ast.Attribute)
        else node.id
        if isinstance(node, ast.Name)
        else ""
    )


@functools.wraps(print)
def _print_nothing(*values: Any, file: Any = None, **settings: Any) -> None:
    """Prints go nowhere, and cost nothing: thousands of arrays need not be written out."""
    if file is not None and file not in (sys.stdout, sys.stderr):
        print(*values, file=file, **settings)
