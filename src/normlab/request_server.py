"""A process of its own that is asked questions: requests and answers, a line of JSON each.

`Child` starts a fresh interpreter and asks it. The interpreter runs this module as a program:
it imports a function, or makes an object, and calls it once for each line that it reads.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from normlab.errors import UserError

__all__ = ["Child", "NoAnswerError"]

PATIENCE = 5.0  # seconds that a process gets to end by itself


class NoAnswerError(UserError, RuntimeError):
    """A process that failed at what it was asked, or ended."""


class Child:
    """A fresh interpreter that answers requests, until the `with` block ends.

    Arguments:
        target: "module:name" of the function to call, or of a class, where `options` are given.
        options: keyword arguments to make the object of that class with; its methods are called.
        folder: the folder it works in, by default this process's.
        environment: its environment, by default this process's.

    Arguments and results must be what JSON can hold. Whatever the child prints is no answer: it
    goes to a log, whose last line the error quotes. Raises NoAnswerError where the child cannot
    do what it is asked.
    """

    def __init__(
        self,
        target: str,
        options: Mapping[str, Any] | None = None,
        *,
        folder: str | os.PathLike[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.target = target
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the child
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "normlab.request_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=folder,
            env=None if environment is None else dict(environment),
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the parent, which ends it
        )
        self._waiting = False
        self._write({"path": sys.path, "target": target, "options": options})

    def __call__(self, *arguments: Any) -> Any:
        """The function's result for these arguments."""
        self.send("", *arguments)
        return self.receive()["result"]

    def ask(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        """The result of one of the object's methods."""
        self.send(method, *arguments, **keywords)
        return self.receive()["result"]

    def send(self, method: str, *arguments: Any, **keywords: Any) -> None:
        """Ask for something; `receive` has the answer. An empty name is the function itself."""
        if self._waiting:
            self.receive()  # that the target could be imported and made
        self._write({"method": method, "arguments": arguments, "keywords": keywords})

    def receive(self) -> dict[str, Any]:
        """The answer: `result`, and the `seconds` that it took the child."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self._waiting = False
        if not line:
            raise self._ended()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise NoAnswerError(f"the process for {self.target} failed: {answer['error']}")
        return answer

    def close(self, patience: float = PATIENCE) -> None:
        """End the process, and those that it started."""
        for file in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if file is not None:
                    file.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(patience)
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self._log.close()

    def interrupt(self) -> None:
        """Tell it to stop, as Ctrl-C would; end it if it does not."""
        if os.name != "nt":
            self.process.send_signal(signal.SIGINT)
            self.close()
        else:
            self.close(0.0)

    def _write(self, request: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        self._waiting = True

    def _ended(self) -> NoAnswerError:
        code = self.process.wait()
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return NoAnswerError(f"the process for {self.target} ended {how}; it last said: {last}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.interrupt()


def main() -> None:
    """Read a request a line from standard input, and write a reply a line."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what anything else prints is no answer

    def answer(work: Callable[[], Any]) -> None:
        began = time.perf_counter()
        try:
            reply = {"result": work(), "seconds": time.perf_counter() - began}
        except Exception as error:
            traceback.print_exc()
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{os.path.basename(place.filename)}, line {place.lineno}"
            reply = {"error": f"{type(error).__name__}: {error} (at {where})"}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()

    first = json.loads(sys.stdin.readline())
    target: Any = None

    def begin() -> None:
        nonlocal target
        sys.path[:] = first["path"]
        module, name = first["target"].split(":")
        target = getattr(importlib.import_module(module), name)
        if first["options"] is not None:
            target = target(**first["options"])

    answer(begin)
    for line in sys.stdin:
        request = json.loads(line)
        method, arguments, keywords = (
            request[name] for name in ("method", "arguments", "keywords")
        )
        function = getattr(target, method) if method else target
        answer(lambda: function(*arguments, **keywords))  # noqa: B023  # called at once


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
