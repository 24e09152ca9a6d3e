"""Processes that measure, started in a clean environment, asked, and ended for certain."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from types import TracebackType
from typing import Any, Self

from normlab.errors import UserError

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NPROC")
"""What limits the threads of OpenMP, OpenBLAS, MKL, NumExpr, and (NPROC) of XLA."""

SETTINGS = ("XLA_FLAGS", "KMP_", "GOMP_", "OMP_", "MKL_", "OPENBLAS_", "TORCH", "JAX_")
"""Settings of the caller's that would slant the comparison: a child starts without them."""


class MeasurementError(UserError, RuntimeError):
    """A measuring process that failed or ended."""


class Child:
    """A process of `normlab.benchmark.child`, with `threads` threads for whatever it computes with.

    Raises MeasurementError where it cannot do what it is asked. Use it in a `with`: it ends with the block.
    """

    def __init__(
        self,
        name: str,
        options: dict[str, Any] | None = None,
        *,
        threads: int = 1,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the child
        self.process = subprocess.Popen(
            [sys.executable, "-m", "normlab.benchmark.child", name, json.dumps(options or {})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=clean_environment(threads) | (environment or {}),
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the parent, which ends it
        )
        self.waiting = True  # for the first answer: its libraries are loaded

    def send(self, do: str, **arguments: Any) -> None:
        """Ask for something; `receive` has the answer."""
        if self.waiting:
            self.receive()
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"do": do} | arguments) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        self.waiting = True

    def receive(self) -> dict[str, Any]:
        """The answer: `result`, and the `seconds` that it took the child."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.waiting = False
        if not line:
            raise self._ended()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise MeasurementError(f"the process that measures {self.name!r} failed: {answer['error']}")
        return answer

    def ask(self, do: str, **arguments: Any) -> Any:
        """The result of a request."""
        self.send(do, **arguments)
        return self.receive()["result"]

    def close(self) -> None:
        """End the process, and those that it started."""
        for file in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if file is not None:
                    file.close()
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self.log.close()

    def _ended(self) -> MeasurementError:
        self.process.wait()
        self.log.seek(0)
        said = self.log.read().decode(errors="replace").strip().splitlines()
        return MeasurementError(
            f"the process that measures {self.name!r} ended with code {self.process.returncode}; it last said: "
            f"{said[-1] if said else 'nothing'}"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def clean_environment(threads: int) -> dict[str, str]:
    """This environment without settings that slant, with so many threads for every library."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    return kept | {name: str(threads) for name in THREADS}


def together(children: list[Child], requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Send each child its request, and wait for all the answers."""
    for child, request in zip(children, requests, strict=True):
        child.send(**request)
    return [child.receive() for child in children]
