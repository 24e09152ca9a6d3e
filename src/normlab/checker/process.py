"""A file, folder or cell in a process of its own, under limits and, where asked for, confined.

The process is started by `-I` from this package's own folder: nothing that lies beside the file, in
the current folder or in the environment can be imported in the place of Python's modules or of
ours.
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
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from normlab.checker.child import framing
from normlab.checker.child.framing import FrameError
from normlab.checker.names import NAMES
from normlab.checker.subject import Note, OutOfTime, Stranger, Subject, SubjectLost, known_from
from normlab.errors import UserError

HOME = Path(__file__).parent / "child"  # the working folder of whatever this package starts
# one thread in BLAS: small arrays gain nothing, and threads count as processes for the limits
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
PACKAGES = str(Path(np.__file__).parents[1])


class NoSandbox(UserError):
    """Landlock or seccomp is asked for, and this machine does not have them."""


@dataclass(frozen=True)
class Limits:
    """What a person's code may use.

    Seconds are wall-clock a call; memory and file size are bytes.
    """

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


@dataclass
class ChildSubject(Subject):
    """A file, folder or cell, loaded by a fresh interpreter with its own limits.

    After `SubjectLost` the next call starts a fresh process; what was kept is gone.
    """

    path: Path
    entry: str = ""
    limits: Limits = field(default_factory=Limits)
    confine: dict[str, Any] | None = None
    refused: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    working_folder: Path | None = None

    def __post_init__(self) -> None:
        if not self.path.exists():
            raise UserError(f"there is no file or folder {str(self.path)!r} to check")
        self.root = self.path
        self._ends = time.monotonic() + self.limits.seconds_in_all
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = bytearray()
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
        threads = dict.fromkeys(ONE_THREAD, "1")
        self._ready.clear()
        kept = {
            k: os.environ[k]
            for k in ("PATH", "SYSTEMROOT", "LANG", "LD_LIBRARY_PATH")
            if k in os.environ
        }
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(HOME / "__main__.py"), PACKAGES],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**kept, **threads, **self.environment},
            cwd=HOME,
            start_new_session=True,
        )
        order = {
            "path": str(self.path.resolve()),
            "entry": self.entry,
            "names": list(NAMES),
            "limits": self.limits.as_order(),
            "confine": self.confine,
            "folder": None if self.confine else str((self.working_folder or Path.cwd()).resolve()),
            "refused": list(self.refused),
        }
        begun = self._send_and_read(order, self.limits.seconds_to_load, "to start")
        if "refused" in begun:
            self.close()
            raise NoSandbox(str(begun["refused"])[:200])
        self.held = tuple(str(name) for name in begun["held"])
        loaded = self._send_and_read(None, self.limits.seconds_to_load, "to load")
        try:
            self.inventory = known_from(loaded["inventory"])
            self.notes = tuple(_note(note) for note in loaded["notes"][:200])
            self.read = tuple(str(file)[:300] for file in loaded["read"][:100])
            self.passed_over = tuple(str(file)[:300] for file in loaded["passed_over"][:100])
            self.strangers = tuple(
                Stranger(str(name)[:100], str(file)[:1000], int(line))
                for name, file, line in loaded["strangers"][:100]
            )
        except (TypeError, KeyError, ValueError, AttributeError):
            self.close()
            raise SubjectLost("the process sent something that is no answer") from None

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        if time.monotonic() > self._ends:
            self.close()
            raise OutOfTime(
                f"the whole check took more than {self.limits.seconds_in_all:g} seconds"
            )
        if self._process is None:
            self._start()
        try:
            answer = self._send_and_read(request, self.limits.seconds_a_call, "for one call")
        except SubjectLost as lost:
            lost.function = str(request["name"])
            raise
        return answer if isinstance(answer, dict) else {}

    def _send_and_read(self, request: dict[str, Any] | None, seconds: float, what: str) -> Any:
        """Send a request (None: nothing to send) and read the next frame, within these seconds."""
        process = self._process
        assert process is not None
        deadline = min(time.monotonic() + seconds, self._ends + 1)
        pipe = _Pipe(process, deadline, self._ready)
        try:
            if request is not None:
                pipe.give(framing.encode(request))
            return framing.read(pipe.take, strip=True)
        except TimeoutError:
            self.close()
            raise SubjectLost(
                f"it took more than {seconds:g} seconds {what} (an endless loop?)"
            ) from None
        except (EOFError, OSError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=2)
            code = process.returncode
            self.close()
            raise SubjectLost(_how_it_ended(code)) from None
        except FrameError as error:
            self.close()
            raise SubjectLost(f"the process sent something that is no answer ({error})") from None
        except (
            BaseException
        ):  # Ctrl-C above all: the child has a session of its own and would not hear it
            self.close()
            raise
        finally:
            pipe.done()


def _note(given: Mapping[str, Any]) -> Note:
    """A note of bounded length, whatever the process sent."""
    note = Note(**given)
    return Note(
        note.kind[:40], note.file[:1000], int(note.line), note.text[:600], note.function[:100]
    )


class _Pipe:
    """Both ends of the child's pipes, with one deadline for whatever is read or written."""

    def __init__(self, process: subprocess.Popen[bytes], deadline: float, ready: bytearray) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.incoming, self.outgoing, self.deadline = (
            process.stdout.fileno(),
            process.stdin.fileno(),
            deadline,
        )
        self.late = False
        self.ready = ready  # what has been read and not been taken: it may be the next frame's
        self.watchdog: threading.Timer | None = None
        if (
            os.name == "nt"
        ):  # select() knows no pipes there: the process is killed, and the pipe breaks
            self.watchdog = threading.Timer(
                max(0.0, deadline - time.monotonic()), self._kill, (process,)
            )
            self.watchdog.start()
        else:
            os.set_blocking(self.outgoing, False)

    def give(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            self._wait([], [self.outgoing])
            view = view[os.write(self.outgoing, view[: 1 << 16]) :]

    def take(self, count: int) -> bytes:
        while len(self.ready) < count:
            self._wait([self.incoming], [])
            part = os.read(self.incoming, 1 << 20)
            if not part:
                raise TimeoutError if self.late else EOFError
            self.ready += part
        taken = bytes(self.ready[:count])
        del self.ready[:count]
        return taken

    def done(self) -> None:
        if self.watchdog is not None:
            self.watchdog.cancel()

    def _wait(self, readable: list[int], writable: list[int]) -> None:
        if self.watchdog is None:
            ready = select.select(
                readable, writable, [], max(0.0, self.deadline - time.monotonic())
            )
            if not (ready[0] or ready[1]):
                raise TimeoutError

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        self.late = True
        process.kill()


def _how_it_ended(code: int | None) -> str:
    if code is None:
        return "the process closed its pipe"
    if code < 0:
        names = {
            signal.SIGKILL: "killed",
            getattr(signal, "SIGXCPU", 24): "out of its processor time",
        }
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"the process was {names.get(-code, 'ended')} ({name})"
    return f"the process ended by itself with status {code}"
