"""What made the recorded runs: which engine, versions and kind of processor, and how they differ from those here."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from normlab import machine

VERSIONS = ("normlab", "numpy")
MACHINE = ("processor", "architecture")


class Origin(NamedTuple):
    """What numbers depend on: who trained, with which versions, library and kind of processor."""

    engine: str
    facts: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"the {self.engine} engine ({', '.join(f'{name} {value}' for name, value in self.facts)})"

    def differing(self, other: Origin) -> str:
        """In words, what is not as in the other; nothing where all is."""
        theirs = dict(other.facts)
        words = [
            f"{name} {value} (here {theirs.get(name, 'none')})"
            for name, value in self.facts
            if theirs.get(name) != value
        ]
        return ", ".join(words)


def origin(engine: str, versions: dict[str, Any], computer: dict[str, Any]) -> Origin:
    """The origin of a row of the records."""
    facts = [(name, str(versions[name])) for name in VERSIONS if name in versions]
    compiled = computer.get("compiled")
    if isinstance(compiled, dict) and "library" in compiled:
        facts.append(("compiled library", str(compiled["library"])[:12]))
    facts += [(name, str(computer[name])) for name in MACHINE if name in computer]
    return Origin(engine, tuple(facts))


def origin_here(engine: str, more: dict[str, Any] | None = None) -> Origin:
    """The origin of what an engine makes here and now; `more` is what it says of itself."""
    return origin(engine, machine.versions(), {**machine.machine(), **(more or {})})


def origins_of(rows: Iterable[Any], keys: Collection[str]) -> Counter[Origin]:
    """How many of the runs with these keys each origin made; a row is (key, engine, versions, machine)."""
    wanted = set(keys)
    return Counter(
        origin(engine, json.loads(versions), json.loads(computer))
        for key, engine, versions, computer in rows
        if key in wanted
    )
