"""The code under examination, seen from outside: names, calls and what came back.

Probes are written once, against `Subject`. `ChildSubject` (process.py) runs a file or folder in a
process of its own, under limits; `LocalSubject` serves a module that this process already holds (a
notebook's own code).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from normlab.checker.child import machine
from normlab.checker.child.framing import Kept
from normlab.checker.names import NAMES


class Raised(NamedTuple):
    """An exception of the person's code.

    Its type, message, and the innermost line that is theirs.
    """

    type: str
    message: str
    file: str = ""
    line: int = 0
    text: str = ""

    def __str__(self) -> str:
        place = f", in line {self.line}: {self.text.strip()}" if self.line else ""
        return f"{self.type}: {self.message}{place}"


class Outcome(NamedTuple):
    """What a call gave: its value, the arguments afterwards, and which kept ones it changed."""

    value: Any
    error: Raised | None
    args: tuple[Any, ...]
    changed: tuple[bool, ...]


class Known(NamedTuple):
    """A function or class that is there.

    Where, with which parameters (name, default as text), documented how.
    """

    file: str
    line: int
    parameters: tuple[tuple[str, str | None], ...]
    doc: str

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The parameters' names, in order."""
        return tuple(name for name, _ in self.parameters)


class Note(NamedTuple):
    """Something about the file itself.

    Old Python, a missing module, a block that does not parse.
    """

    kind: str
    file: str
    line: int
    text: str
    function: str


class Stranger(NamedTuple):
    """A function or class that is there and that no probe asks about: its name, file and line."""

    name: str
    file: str
    line: int


class SubjectLost(Exception):
    """The process ended or was ended: too slow, crashed, or sent something that is no answer.

    `function` is what was being called, empty where that is not known.
    """

    def __init__(self, reason: str, function: str = "") -> None:
        super().__init__(reason)
        self.function = function


class OutOfTime(SubjectLost):
    """The whole check has taken as long as it may; nothing more can be asked."""


class Subject(ABC):
    """Calls into a person's code. Nothing they raise is raised here, except `SubjectLost`."""

    inventory: Mapping[str, Known]
    notes: tuple[Note, ...]
    held: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    root: Path | None = (
        None  # below it lie the files whose lines may be quoted; none: a notebook's own cells
    )
    passed_over: tuple[str, ...] = ()
    strangers: tuple[Stranger, ...] = ()
    latest: tuple[str, Any] = ("", None)  # what was asked last, and the value that came back

    def call(
        self,
        name: str,
        *args: Any,
        keep: Iterable[int] | str = (),
        numpy_seed: int | None = None,
        **kwargs: Any,
    ) -> Outcome:
        """Call a function; results at the positions in `keep` (or 'all') stay there as `Kept`."""
        return self._ask("call", name, args, keep=keep, seed=numpy_seed, kwargs=kwargs)

    def method(
        self, of: Kept, name: str, *args: Any, numpy_seed: int | None = None, **kwargs: Any
    ) -> Outcome:
        """Call a method of an object that is kept."""
        return self._ask("method", name, args, of=of, seed=numpy_seed, kwargs=kwargs)

    def get(self, of: Kept, name: str) -> Outcome:
        """An attribute of an object that is kept."""
        return self._ask("get", name, (), of=of)

    def set(self, of: Kept, name: str, value: Any) -> Outcome:
        """Set an attribute of an object that is kept."""
        return self._ask("set", name, (value,), of=of)

    def update(self, of: Kept, name: str, values: Mapping[str, Any]) -> Outcome:
        """Update a dict that an object holds, key by key."""
        return self._ask("update", name, (dict(values),), of=of)

    def examine(self, entry: str, order: Mapping[str, Any]) -> Outcome:
        """What the doctor (child/doctor.py) finds about a model."""
        return self._ask("doctor", entry, (dict(order),))

    def forget(self) -> None:
        """Let go of every kept object."""
        self._ask("forget", "", ())

    def close(self) -> None:  # noqa: B027  (a local one holds nothing)
        """Release what the subject holds; it cannot be called afterwards."""

    def __enter__(self) -> Subject:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _ask(self, do: str, name: str, args: tuple[Any, ...], **more: Any) -> Outcome:
        request = {
            "do": do,
            "name": name,
            "args": tuple(args),
            **{k: v for k, v in more.items() if v is not None},
        }
        if "keep" in request and request["keep"] != "all":
            request["keep"] = tuple(request["keep"])
        answer = self._exchange(request)
        try:
            raised = None if answer["error"] is None else _raised(answer["error"])
            self.latest = (name, answer["value"])
            return Outcome(answer["value"], raised, tuple(answer["args"]), tuple(answer["changed"]))
        except (TypeError, KeyError, ValueError, AttributeError):
            raise SubjectLost("the process sent something that is no answer") from None

    @abstractmethod
    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        """What the code answers to a request."""


class LocalSubject(Subject):
    """A module or namespace that this process already holds. No limits: only for one's own code."""

    def __init__(self, namespace: ModuleType | Mapping[str, Any]) -> None:
        names = dict(vars(namespace)) if isinstance(namespace, ModuleType) else dict(namespace)
        self._machine = machine.Machine(names, NAMES)
        self.inventory = known_from(machine.inventory(names, list(NAMES)))
        self.notes = ()

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        state = np.random.get_state()
        try:
            return self._machine.answer(request)
        finally:
            np.random.set_state(state)


def _raised(error: Mapping[str, Any]) -> Raised:
    """What the process says was raised, each part of its own kind and of bounded length."""
    return Raised(
        str(error["type"])[:100],
        str(error["message"])[:500],
        str(error.get("file", ""))[:1000],
        int(error.get("line") or 0),
        str(error.get("text", ""))[:200],
    )


def known_from(told: Mapping[str, Any]) -> dict[str, Known]:
    known = {}
    for name, about in told.items():
        if name in NAMES:
            parameters = tuple(
                (str(p[0]), None if p[1] is None else str(p[1])) for p in about["parameters"]
            )
            known[name] = Known(
                str(about["file"]), int(about["line"]), parameters, str(about["doc"])
            )
    return known
