"""What the child can do: load, call a function or a method, read and set an attribute.

Nothing else.

`Machine` answers requests (dicts) with answers (dicts). It works on plain objects, so that the same
machine serves over a pipe in the child and directly for a module that a notebook already holds.
Caches and nets stay here and are named by number.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import io
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import doctor, tensors
from .framing import Kept, Opaque

# what arrays raise in code for tensors, and tensors in code for arrays
OTHER_KIND = ("TypeError", "AttributeError", "RuntimeError", "ValueError")
MAX_RETURNED = 64 * 2**20
ALONE = (type(None), bool, int, float, str, np.generic)


class Machine:
    """A namespace of a person's functions, and the objects of theirs that are kept by number."""

    def __init__(self, namespace: dict[str, Any], names: Sequence[str] = ()) -> None:
        self.namespace = namespace
        self.kept: dict[int, Any] = {}
        self.tensors = tensors.are_meant(namespace, list(names))

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to one request; whatever the person's code raises becomes part of the answer.

        Where PyTorch is there and the code does not take what it is given, the same is asked with
        tensors for arrays, or with arrays for tensors; what works is kept to.
        """
        answer = self._answer(request)
        error = answer["error"]
        if error is not None and error["type"] in OTHER_KIND and tensors.library() is not None:
            self.tensors = not self.tensors
            other = self._answer(request)
            if other["error"] is None:
                return other
            self.tensors = not self.tensors
        return answer

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        started = time.perf_counter()
        given = request.get("args", ())
        kept = [self.kept[arg.number] for arg in given if isinstance(arg, Kept)]
        before = [_digest(value) for value in kept]
        args = [self._given(arg) for arg in given]
        kwargs = {name: self._given(value) for name, value in request.get("kwargs", {}).items()}
        if self.tensors:
            args = [
                arg if isinstance(g, Kept) else tensors.as_tensors(arg)
                for g, arg in zip(given, args, strict=True)
            ]
            kwargs = tensors.as_tensors(kwargs)
        answer: dict[str, Any] = {"value": None, "error": None}
        try:
            with np.errstate(all="ignore"), contextlib.redirect_stdout(_Nowhere()):
                if request.get("seed") is not None:
                    np.random.seed(request["seed"])
                    if (torch := tensors.library()) is not None:
                        torch.manual_seed(request["seed"])
                answer["value"] = self._do(request, args, kwargs)
        except MemoryError:
            answer["error"] = {
                "type": "MemoryError",
                "message": "it asked for more memory than it may have",
            }
        except SystemExit:
            answer["error"] = {
                "type": "SystemExit",
                "message": "it called sys.exit() instead of returning",
            }
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            answer["error"] = describe_error(error)
        answer["args"] = tuple(
            None if isinstance(g, Kept) else self._leaving(a)
            for g, a in zip(given, args, strict=True)
        )
        answer["changed"] = tuple(
            _digest(value) != old for value, old in zip(kept, before, strict=True)
        )
        answer["seconds"] = time.perf_counter() - started
        return answer

    def _do(self, request: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
        operation, name = request["do"], request.get("name", "")
        if operation == "call":
            return self._result(self.namespace[name](*args, **kwargs), request.get("keep", ()))
        if operation == "doctor":
            return self._leaving(doctor.examine(self.namespace, name, args[0]))
        if operation == "forget":
            self.kept.clear()
            return None
        thing = self.kept[request["of"].number]
        if operation == "method":
            return self._result(getattr(thing, name)(*args, **kwargs), request.get("keep", ()))
        if operation == "get":
            return self._leaving(getattr(thing, name))
        if (
            operation == "update"
        ):  # parameters: replaced key by key, in the dict that the net itself holds
            getattr(thing, name).update(args[0])
            return None
        if operation == "set":
            setattr(thing, name, args[0])
            return None
        raise ValueError(f"unknown request {operation!r}")

    def _result(self, value: Any, keep: Any) -> Any:
        """The value as it travels; positions named in `keep` (or 'all') stay here by number."""
        if keep == "all":
            return None if value is None else self._keep(value)
        if keep and isinstance(value, (tuple, list)) and len(value) > max(keep):
            return tuple(
                self._keep(item) if index in keep and item is not None else self._leaving(item)
                for index, item in enumerate(value)
            )
        return self._leaving(value)

    def _keep(self, value: Any) -> Kept:
        number = len(self.kept) + 1
        self.kept[number] = value
        return Kept(number, type(value).__name__)

    def _given(self, value: Any) -> Any:
        """A private, writable copy of what the parent sent.

        Numbers become the objects they stand for.
        """
        if isinstance(value, Kept):
            return self.kept[value.number]
        if isinstance(value, np.ndarray):
            return value.copy()
        if (
            type(value) is str
        ):  # as a literal is, so that `mode is "train"` means what it meant to its author
            return sys.intern(value)
        if isinstance(value, dict):
            return {sys.intern(str(key)): self._given(item) for key, item in value.items()}
        if isinstance(value, (tuple, list)):
            return type(value)(self._given(item) for item in value)
        return value

    def _leaving(self, value: Any, depth: int = 0) -> Any:
        if tensors.is_tensor(value):
            value = tensors.as_array(value)
        if isinstance(value, (np.ndarray, np.generic)) and value.dtype.char in "gG":
            value = value.astype(
                complex if value.dtype.char == "G" else float
            )  # long doubles do not travel
        if isinstance(value, ALONE):
            return value
        if isinstance(value, np.ndarray) and value.dtype != object:
            return (
                Opaque("an array of more than 64 MiB")
                if value.nbytes > MAX_RETURNED
                else np.array(value)
            )
        if depth < 8 and isinstance(value, (tuple, list)) and len(value) <= 1000:
            return (
                type(value)(self._leaving(item, depth + 1) for item in value)
                if type(value)
                in (
                    tuple,
                    list,
                )
                else tuple(self._leaving(item, depth + 1) for item in value)
            )
        if depth < 8 and isinstance(value, dict) and len(value) <= 1000:
            return {str(key): self._leaving(item, depth + 1) for key, item in value.items()}
        return Opaque(
            "an array of dtype object" if isinstance(value, np.ndarray) else type(value).__name__
        )


class _Nowhere(io.TextIOBase):
    """Where the prints of a person's code go."""

    def write(self, text: str) -> int:
        return len(text)


def inventory(namespace: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Which of the names exist and can be called: their files, lines, parameters and docstrings."""
    found = {}
    for name in names:
        thing = namespace.get(name)
        if not callable(thing):
            continue
        target = thing.__init__ if inspect.isclass(thing) else thing
        code = getattr(inspect.unwrap(target), "__code__", None)
        try:
            parameters = list(inspect.signature(target).parameters.values())
        except (TypeError, ValueError):
            parameters = []
        found[name] = {
            "file": getattr(code, "co_filename", ""),
            "line": getattr(code, "co_firstlineno", 0),
            "parameters": [
                [p.name, None if p.default is p.empty else repr(p.default)[:100], p.kind.name]
                for p in parameters
            ],
            "doc": str(getattr(thing, "__doc__", "") or "")[:4000],
        }
    return found


def describe_error(error: BaseException) -> dict[str, Any]:
    """Type, message and the innermost line of the person's own code."""
    told: dict[str, Any] = {"type": type(error).__name__, "message": str(error)[:500]}
    for frame in traceback.extract_tb(error.__traceback__):
        if (
            not frame.filename.startswith("<frozen")
            and "numpy" not in frame.filename
            and "/child/" not in frame.filename.replace("\\", "/")
        ):
            told.update(
                file=frame.filename,
                line=frame.lineno,
                function=frame.name,
                text=(frame.line or "")[:200],
            )
    return told


def _digest(value: Any) -> str:
    """A fingerprint of the arrays inside a cache, to see whether a call changed them."""
    hasher = hashlib.blake2b(digest_size=16)

    def feed(item: Any, depth: int) -> None:
        if tensors.is_tensor(item):
            item = tensors.as_array(item)
        if isinstance(item, np.ndarray) and item.dtype != object:
            hasher.update(
                repr((item.shape, item.dtype.str)).encode() + np.ascontiguousarray(item).tobytes()
            )
        elif depth < 8 and isinstance(item, (tuple, list)):
            for part in item:
                feed(part, depth + 1)
        elif depth < 8 and isinstance(item, dict):
            for key, part in item.items():
                hasher.update(str(key).encode())
                feed(part, depth + 1)
        elif isinstance(item, ALONE):
            hasher.update(repr(item).encode())

    feed(value, 0)
    return hasher.hexdigest()
