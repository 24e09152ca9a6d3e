"""Mistakes are planted as small edits of one function's text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent / "styles"
BASE = ("layers_staged", "nets_plain", "optim_plain")


class Plant(NamedTuple):
    """A mistake: where it is planted, and which findings name it (`function.key`; any one of them will do).

    `shows` is what it must come to: "wrong", "remark" (said, but nothing is wrong) or "right" (harmless).
    """

    id: str
    edits: Mapping[str, Sequence[tuple[str, str]]]
    named: tuple[str, ...]
    shows: str = "wrong"


def text_of(*styles: str) -> str:
    """The source of several style files, one after another."""
    return "\n\n".join((FOLDER / f"{style}.py").read_text() for style in styles)


def planted(source: str, edits: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """The source with the edits made; each old text must be there, inside its function (`Class.method` too)."""
    for where, changes in edits.items():
        begin, end = span(source, where)
        body = source[begin:end]
        for old, new in changes:
            if old not in body:
                raise AssertionError(f"{where} has no text {old!r}")
            body = body.replace(old, new)
        source = source[:begin] + body + source[end:]
    return source


def span(source: str, where: str) -> tuple[int, int]:
    """Where a function, or a method of a class, begins and ends."""
    outer, _, inner = where.partition(".")
    found = re.search(rf"^(def|class) {outer}\b.*?(?=^(def|class|import) |\Z)", source, re.M | re.S)
    assert found, where
    if not inner:
        return found.span()
    method = re.search(rf"^    def {inner}\b.*?(?=^    def |\Z)", found.group(), re.M | re.S)
    assert method, where
    return found.start() + method.start(), found.start() + method.end()


def namespace(source: str) -> dict[str, Any]:
    """The names that the source defines."""
    names: dict[str, Any] = {}
    exec(compile(source, "<planted>", "exec"), names)
    return names
