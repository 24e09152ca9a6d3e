"""The code under examination, seen from outside: names, calls and what came back.

Probes are written once, against `Subject`. `ChildSubject` runs a file or folder in a process of its own, under
limits; `LocalSubject` serves a module that this process already holds (a notebook's own code).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from normlab.checker.child import framing, machine
from normlab.checker.child.framing import FrameError, Kept
from normlab.checker.names import NAMES
from normlab.errors import UserError


class Raised(NamedTuple):
    """An exception of the person's code: its type, message, and the innermost line that is theirs."""

    type: str
    message: str
    file: str = ""
    line: int = 0
    text: str = ""

    def __str__(self) -> str:
        place = f", in line {self.line}: {self.text.strip()}" if self.line else ""
        return f"{self.type}: {self.message}{place}"


class Outcome(NamedTuple):
    """What a call gave: its value, the arguments as they are afterwards, and which kept ones it changed."""

    value: Any
    error: Raised | None
    args: tuple[Any, ...]
    changed: tuple[bool, ...]


class Known(NamedTuple):
    """A function or class that is there: where, with which parameters (name, default as text), documented how."""

    file: str
    line: int
    parameters: tuple[tuple[str, str | None], ...]
    doc: str

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The parameters' names, in order."""
        return tuple(name for name, _ in self.parameters)


class Note(NamedTuple):
    """Something about the file itself: old Python, a missing module, a block that does not parse."""

    kind: str
    file: str
    line: int
    text: str
    function: str


class SubjectLost(Exception):
    """The process ended or was ended: too slow, crashed, or sent something that is no answer.

    `function` is what was being called, empty where that is not known.
    """

    def __init__(self, reason: str, function: str = "") -> None:
        super().__init__(reason)
        self.function = function


class NoSandbox(UserError):
    """Landlock or seccomp is asked for, and this machine does not have them."""


class OutOfTime(SubjectLost):
    """The whole check has taken as long as it may; nothing more can be asked."""


@dataclass(frozen=True)
class Limits:
    """What a person's code may use. Seconds are wall-clock a call; memory and file size are bytes."""

    seconds_a_call: float = 5.0
    seconds_to_load: float = 30.0
    seconds_in_all: float = 120.0
    memory: int = 4 * 2**30
    file_size: int = 0
    processes: int | None = None

    def as_order(self) -> dict[str, Any]:
        """The part that the child sets for itself before it loads anything."""
        return {
            "memory": self.memory,
            "seconds": int(self.seconds_in_all) + 5,
            "file_size": self.file_size,
            "processes": self.processes,
        }


class Subject:
    """Calls into a person's code. Nothing they raise is raised here, except `SubjectLost`."""

    inventory: Mapping[str, Known]
    notes: tuple[Note, ...]
    held: tuple[str, ...] = ()

    def call(
        self, name: str, *args: Any, keep: Iterable[int] | str = (), numpy_seed: int | None = None, **kwargs: Any
    ) -> Outcome:
        """Call a function; results at the positions in `keep` (or 'all' of it) stay there as `Kept`."""
        return self._ask("call", name, args, keep=keep, seed=numpy_seed, kwargs=kwargs)

    def method(self, of: Kept, name: str, *args: Any, numpy_seed: int | None = None, **kwargs: Any) -> Outcome:
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

    def forget(self) -> None:
        """Let go of every kept object."""
        self._ask("forget", "", ())

    def close(self) -> None:
        """Release what the subject holds; it cannot be called afterwards."""

    def __enter__(self) -> Subject:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _ask(self, do: str, name: str, args: tuple[Any, ...], **more: Any) -> Outcome:
        request = {"do": do, "name": name, "args": tuple(args), **{k: v for k, v in more.items() if v is not None}}
        if "keep" in request and request["keep"] != "all":
            request["keep"] = tuple(request["keep"])
        answer = self._exchange(request)
        try:
            error = answer["error"]
            raised = Raised(**{k: error[k] for k in Raised._fields if k in error}) if error is not None else None
            return Outcome(answer["value"], raised, tuple(answer["args"]), tuple(answer["changed"]))
        except (TypeError, KeyError, ValueError):
            raise SubjectLost("the process sent something that is no answer") from None

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError


class LocalSubject(Subject):
    """A module or namespace that this process already holds. No limits: only for one's own code."""

    def __init__(self, namespace: ModuleType | Mapping[str, Any]) -> None:
        names = dict(vars(namespace)) if isinstance(namespace, ModuleType) else dict(namespace)
        self._machine = machine.Machine(names)
        self.inventory = _known(machine.inventory(names, list(NAMES)))
        self.notes = ()

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        state = np.random.get_state()
        try:
            return self._machine.answer(request)
        finally:
            np.random.set_state(state)


@dataclass
class ChildSubject(Subject):
    """A file, folder or cell, loaded by a fresh interpreter with its own limits.

    After `SubjectLost` the next call starts a fresh process; what was kept is gone.
    """

    path: Path | None = None
    source: str | None = None
    limits: Limits = field(default_factory=Limits)
    confine: dict[str, Any] | None = None
    refused: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    working_folder: Path | None = None

    def __post_init__(self) -> None:
        if self.path is not None and not self.path.exists():
            raise UserError(f"there is no file or folder {str(self.path)!r} to check")
        self._ends = time.monotonic() + self.limits.seconds_in_all
        self._process: subprocess.Popen[bytes] | None = None
        self._start()

    def close(self) -> None:
        """End the process and all that it started in its own session."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        except (ProcessLookupError, PermissionError):
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def _start(self) -> None:
        entrance = Path(__file__).parent / "child" / "__main__.py"
        # one thread in BLAS: small arrays gain nothing, and threads count as processes for the limits
        threads = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        kept = {k: os.environ[k] for k in ("PATH", "SYSTEMROOT", "LANG", "LD_LIBRARY_PATH") if k in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(entrance)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**kept, **threads, **self.environment},
            cwd=self.working_folder,
            start_new_session=True,
        )
        order = {
            "path": None if self.path is None else str(self.path.resolve()),
            "source": self.source,
            "names": list(NAMES),
            "limits": self.limits.as_order(),
            "confine": self.confine,
            "refused": list(self.refused),
        }
        begun = self._send_and_read(order, self.limits.seconds_to_load, "to start")
        if "refused" in begun:
            self.close()
            raise NoSandbox(str(begun["refused"])[:200])
        self.held = tuple(str(name) for name in begun["held"])
        loaded = self._send_and_read(None, self.limits.seconds_to_load, "to load")
        try:
            self.inventory = _known(loaded["inventory"])
            self.notes = tuple(Note(**note) for note in loaded["notes"])[:200]
        except (TypeError, KeyError, ValueError):
            self.close()
            raise SubjectLost("the process sent something that is no answer") from None

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        if time.monotonic() > self._ends:
            self.close()
            raise OutOfTime(f"the whole check took more than {self.limits.seconds_in_all:g} seconds")
        if self._process is None:
            self._start()
        try:
            answer = self._send_and_read(request, self.limits.seconds_a_call, "for one call")
        except SubjectLost as lost:
            lost.function = str(request["name"])
            raise
        return answer if isinstance(answer, dict) else {}

    def _send_and_read(self, request: dict[str, Any] | None, seconds: float, what: str) -> Any:
        """Send a request (None: there is nothing to send) and read the next frame, within so many seconds."""
        process = self._process
        assert process is not None
        deadline = min(time.monotonic() + seconds, self._ends + 1)
        pipe = _Pipe(process, deadline)
        try:
            if request is not None:
                pipe.give(framing.encode(request))
            return framing.read(pipe.take)
        except TimeoutError:
            self.close()
            raise SubjectLost(f"it took more than {seconds:g} seconds {what} (an endless loop?)") from None
        except (EOFError, OSError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=2)
            code = process.returncode
            self.close()
            raise SubjectLost(_how_it_ended(code)) from None
        except FrameError as error:
            self.close()
            raise SubjectLost(f"the process sent something that is no answer ({error})") from None
        except BaseException:  # Ctrl-C above all: the child has a session of its own and would not hear it
            self.close()
            raise
        finally:
            pipe.done()


class _Pipe:
    """Both ends of the child's pipes, with one deadline for whatever is read or written."""

    def __init__(self, process: subprocess.Popen[bytes], deadline: float) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.incoming, self.outgoing, self.deadline = process.stdout.fileno(), process.stdin.fileno(), deadline
        self.late = False
        self.watchdog: threading.Timer | None = None
        if os.name == "nt":  # select() knows no pipes there: the process is killed, and the pipe breaks
            self.watchdog = threading.Timer(max(0.0, deadline - time.monotonic()), self._kill, (process,))
            self.watchdog.start()
        else:
            os.set_blocking(self.outgoing, False)

    def give(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            self._wait([], [self.outgoing])
            view = view[os.write(self.outgoing, view[: 1 << 16]) :]

    def take(self, count: int) -> bytes:
        parts, missing = [], count
        while missing:
            self._wait([self.incoming], [])
            part = os.read(self.incoming, min(missing, 1 << 20))
            if not part:
                raise TimeoutError if self.late else EOFError
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def done(self) -> None:
        if self.watchdog is not None:
            self.watchdog.cancel()

    def _wait(self, readable: list[int], writable: list[int]) -> None:
        if self.watchdog is None:
            ready = select.select(readable, writable, [], max(0.0, self.deadline - time.monotonic()))
            if not (ready[0] or ready[1]):
                raise TimeoutError

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        self.late = True
        process.kill()


def _known(told: Mapping[str, Any]) -> dict[str, Known]:
    known = {}
    for name, about in told.items():
        if name in NAMES:
            parameters = tuple((str(p[0]), None if p[1] is None else str(p[1])) for p in about["parameters"])
            known[name] = Known(str(about["file"]), int(about["line"]), parameters, str(about["doc"]))
    return known


def _how_it_ended(code: int | None) -> str:
    if code is None:
        return "the process closed its pipe"
    if code < 0:
        names = {signal.SIGKILL: "killed", getattr(signal, "SIGXCPU", 24): "out of its processor time"}
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"the process was {names.get(-code, 'ended')} ({name})"
    return f"the process ended by itself with status {code}"
