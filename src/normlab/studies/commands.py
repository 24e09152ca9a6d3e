"""What anyone can type to run a study again, from the commands that the records hold."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from normlab.studies.catalog import STUDIES


def to_run_again(plans: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """For each study the command that runs it again: of the catalogue's, that study alone."""
    commands = {}
    for plan in plans:
        words = shlex.split(plan.get("command") or "")
        for name in plan["studies"]:
            if words[:2] == ["normlab", "reproduce"] and name in STUDIES:
                commands[name] = shlex.join(_for_one(words, name))
            elif words:
                commands[name] = shlex.join(words)
    return commands


def _for_one(words: Sequence[str], name: str) -> list[str]:
    """The words of a command that runs several studies, for this one alone."""
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word == "--studies":
            skip = True
        elif word != "--full":
            kept.append(word)
    return [*kept, "--studies", name]
