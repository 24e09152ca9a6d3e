"""A reader for the one kind of pickle a CIFAR-10 batch is. It executes nothing.

A pickle is a program for a small stack machine, and some of its instructions import a name and call
what they imported: that is how a data file runs code. This reader knows only the instructions that
a dictionary of texts, small integers, lists and one array of bytes can need, written by any Python
and NumPy in the protocols 2 to 5. It imports nothing and calls nothing; names and calls are
compared with the few that describe such an array (`pickled_arrays`), and everything else is
refused, by name.

Memory and time are bounded by the file's size. Each instruction leaves at most one small object,
their number is capped, announced lengths are checked against the bytes that are there, and long
contents are views of the file. (An unpickler with a list of allowed names has no such bound: nine
bytes make it allocate 4 GB.)

The instructions are described in the source of Python's `pickletools`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from normlab.data.pickled_arrays import (
    SHORT,
    LongText,
    described_by_call,
    described_by_state,
    named,
)
from normlab.errors import DataError

# A batch needs 40,000; from Python 3 in protocol 2, with bytes for all texts, 100,000.
MOST_INSTRUCTIONS = 200_000
# What plain data never needs, by the names to give it in an error message.
_REFUSED = {
    "i": "INST, which calls a function",
    "o": "OBJ, which calls a function",
    "\x81": "NEWOBJ, which makes an object of any class",
    "\x92": "NEWOBJ_EX, which makes an object of any class",
    "\x82": "EXT1, which looks up a registered object",
    "\x83": "EXT2, which looks up a registered object",
    "\x84": "EXT4, which looks up a registered object",
    "P": "PERSID, which asks the program for an object",
    "Q": "BINPERSID, which asks the program for an object",
    "\x97": "NEXT_BUFFER, which asks the program for a buffer",
    "\x8b": "LONG4, an integer of up to 2 GB",
}


def read(content: bytes | bytearray, where: str) -> dict[str, Any]:
    """The dictionary pickled in `content`, its keys as str.

    Values are str or bytes, integers, booleans, None, lists, tuples, dictionaries and PickledArray;
    texts above 255 characters stay undecoded. `where` names the file in errors. Raises DataError
    for everything that is not such a pickle, whole, with nothing behind it.

    >>> import pickle
    >>> read(pickle.dumps({"labels": [3, 9]}), "data_batch_1")
    {'labels': [3, 9]}
    """
    value = _Machine(memoryview(content), where).run()
    if not isinstance(value, dict):
        raise DataError(f"{where} is not a CIFAR-10 batch: its pickle holds no dictionary")
    return value


class _Machine:
    """The stack machine: `run` looks up each instruction in `_INSTRUCTIONS`, whose words are these methods."""

    def __init__(self, content: memoryview, where: str) -> None:
        self.content, self.where = content, where
        self.position = 0
        self.stack: list[Any] = []
        self.marks: list[int] = []  # the stack's height at each MARK still open
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        if self.number(1) != 0x80 or self.number(1) not in (2, 3, 4, 5):
            self.refuse("it does not begin as a pickle of protocol 2 to 5 does")
        for _ in range(MOST_INSTRUCTIONS):
            code = self.number(1)
            if code == ord("."):
                return self.stop()
            instruction = _INSTRUCTIONS.get(code)
            if instruction is None:
                what = _REFUSED.get(chr(code), f"number {code:#04x}")
                self.refuse(f"there is the instruction {what}; not executed")
            instruction(self)
        self.refuse(f"there are more than {MOST_INSTRUCTIONS:,} instructions")

    def stop(self) -> Any:
        left = len(self.content) - self.position
        if len(self.stack) != 1 or self.marks:
            self.refuse("the pickle ends with its work half done")
        if left:
            self.refuse(f"the pickle ends, and {left:,} more bytes follow")
        return self.stack[0]

    def refuse(self, reason: str) -> NoReturn:
        raise DataError(
            f"{self.where} is not a CIFAR-10 batch: at byte {self.position:,}, {reason}"
        )

    # From the file

    def take(self, length: int) -> memoryview:
        left = len(self.content) - self.position
        if length > left:
            self.refuse(
                f"{length:,} more bytes are announced and {left:,} are left: truncated, or no such "
                "file"
            )
        self.position += length
        return self.content[self.position - length : self.position]

    def number(self, length: int, signed: bool = False) -> int:
        return int.from_bytes(self.take(length), "little", signed=signed)

    def long_number(self) -> int:
        length = self.number(1)
        if length > 8:
            self.refuse(f"there is an integer of {length} bytes")
        return self.number(length, signed=True)

    def raw(self, length: int) -> bytes | memoryview:
        content = self.take(length)
        return bytes(content) if length <= SHORT else content

    def text(self, length: int) -> str | LongText:
        utf8 = self.take(length)
        if length > SHORT:
            return LongText(utf8)
        try:
            return str(utf8, "utf-8")
        except UnicodeDecodeError:
            self.refuse("a text is not UTF-8")

    def line(self) -> str:
        """A line of at most 100 ASCII characters, as protocols below 4 write names."""
        line, newline, _ = bytes(self.content[self.position : self.position + 101]).partition(b"\n")
        if not newline or not line.isascii():
            self.refuse("a name is not a short line of ASCII")
        self.position += len(line) + 1
        return line.decode()

    # On the stack

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self, count: int = 1) -> list[Any]:
        """The topmost values, the top one last."""
        height = len(self.stack) - count
        if height < (self.marks[-1] if self.marks else 0):
            self.refuse("a value is asked for and the stack has none")
        return self._cut(height)

    def pop_to_mark(self) -> list[Any]:
        if not self.marks:
            self.refuse("a mark is asked for and there is none")
        return self._cut(self.marks.pop())

    def _cut(self, height: int) -> list[Any]:
        values = self.stack[height:]
        del self.stack[height:]
        return values

    def top(self, kind: type[Any] = object) -> Any:
        """The topmost value, which stays. Refuses one of another kind."""
        (value,) = self.pop()
        if not isinstance(value, kind):
            self.refuse(f"something else lies where a {kind.__name__} should")
        self.push(value)
        return value

    def remember(self, index: int) -> None:
        self.memo[index] = self.top()

    def recall(self, index: int) -> None:
        if index not in self.memo:
            self.refuse("a value is recalled that was never remembered")
        self.push(self.memo[index])

    # What is built

    def extend(self, values: list[Any]) -> None:
        self.top(list).extend(values)

    def set_items(self, values: list[Any]) -> None:
        target = self.top(dict)
        if len(values) % 2:
            self.refuse("a key has no value")
        for key, value in zip(values[::2], values[1::2], strict=True):
            key = self.key(key)
            if key in target:
                self.refuse(f"the key {key!r} comes twice")
            target[key] = value

    def key(self, value: Any) -> str:
        """A short text, as Python 2 or 3 wrote it."""
        if isinstance(value, bytes) and value.isascii():
            return value.decode()
        if not isinstance(value, str):
            self.refuse("a name or key is not a short text")
        return value

    def name(self, module: Any, attribute: Any) -> None:
        module, attribute = self.key(module), self.key(attribute)
        name = named(module, attribute)
        if name is None:
            self.refuse(
                f"it asks for {module + '.' + attribute!r}, which an array of bytes has no use "
                "for; not executed"
            )
        self.push(name)

    def call(self) -> None:
        value = described_by_call(*self.pop(2))
        if value is None:
            self.refuse("there is a call that does not describe an array of bytes; not executed")
        self.push(value)

    def build(self) -> None:
        value = described_by_state(*self.pop(2))
        if value is None:
            self.refuse("there is a state that is not that of an array of bytes")
        self.push(value)


_INSTRUCTIONS: dict[int, Callable[[_Machine], object]] = {
    # none, booleans, integers
    ord("N"): lambda machine: machine.push(None),
    0x88: lambda machine: machine.push(True),
    0x89: lambda machine: machine.push(False),
    ord("K"): lambda machine: machine.push(machine.number(1)),
    ord("M"): lambda machine: machine.push(machine.number(2)),
    ord("J"): lambda machine: machine.push(machine.number(4, signed=True)),
    0x8A: lambda machine: machine.push(machine.long_number()),
    # bytes (Python 2's str) after a length of 1, 4 or 8 bytes
    ord("U"): lambda machine: machine.push(machine.raw(machine.number(1))),
    ord("C"): lambda machine: machine.push(machine.raw(machine.number(1))),
    ord("T"): lambda machine: machine.push(machine.raw(machine.number(4))),
    ord("B"): lambda machine: machine.push(machine.raw(machine.number(4))),
    0x8E: lambda machine: machine.push(machine.raw(machine.number(8))),
    0x96: lambda machine: machine.push(machine.raw(machine.number(8))),
    # texts (Python 3's str) likewise
    0x8C: lambda machine: machine.push(machine.text(machine.number(1))),
    ord("X"): lambda machine: machine.push(machine.text(machine.number(4))),
    0x8D: lambda machine: machine.push(machine.text(machine.number(8))),
    # containers
    ord("("): lambda machine: machine.marks.append(len(machine.stack)),
    ord(")"): lambda machine: machine.push(()),
    0x85: lambda machine: machine.push(tuple(machine.pop(1))),
    0x86: lambda machine: machine.push(tuple(machine.pop(2))),
    0x87: lambda machine: machine.push(tuple(machine.pop(3))),
    ord("t"): lambda machine: machine.push(tuple(machine.pop_to_mark())),
    ord("]"): lambda machine: machine.push([]),
    ord("a"): lambda machine: machine.extend(machine.pop(1)),
    ord("e"): lambda machine: machine.extend(machine.pop_to_mark()),
    ord("}"): lambda machine: machine.push({}),
    ord("s"): lambda machine: machine.set_items(machine.pop(2)),
    ord("u"): lambda machine: machine.set_items(machine.pop_to_mark()),
    # the memo, where a pickle keeps what it may name again
    ord("q"): lambda machine: machine.remember(machine.number(1)),
    ord("r"): lambda machine: machine.remember(machine.number(4)),
    0x94: lambda machine: machine.remember(len(machine.memo)),
    ord("h"): lambda machine: machine.recall(machine.number(1)),
    ord("j"): lambda machine: machine.recall(machine.number(4)),
    # names, calls and states: compared, never followed
    ord("c"): lambda machine: machine.name(machine.line(), machine.line()),
    0x93: lambda machine: machine.name(*machine.pop(2)),
    ord("R"): lambda machine: machine.call(),
    ord("b"): lambda machine: machine.build(),
    # protocol 4 announces how many bytes follow, which helps only those who read piecemeal
    0x95: lambda machine: machine.number(8),
}
