"""The list of verbs, grouped by who uses them, with summaries that are not cut."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

GROUPS = {
    "For whose gradient check fails": ("check", "explain", "notebook"),
    "For who teaches": ("grade", "pack", "site"),
    "For who chooses a norm": ("reproduce", "compare", "study", "report", "results", "doctor"),
    "Nets, data and trust": ("export", "import", "data", "selftest"),
}
FIRST = "Begin with:  normlab check layers.py   or   normlab reproduce"


class Verbs(TyperGroup):
    """`normlab --help`: a section a group; a verb that is in none stands under 'More'."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        named = {name for names in GROUPS.values() for name in names}
        more = tuple(name for name in self.list_commands(ctx) if name not in named)
        for title, names in (*GROUPS.items(), ("More", more)):
            rows = [
                (name, _first_sentence(command))
                for name in names
                if (command := self.get_command(ctx, name)) is not None and not command.hidden
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _first_sentence(command: Any) -> str:
    """The first sentence of a verb's help, whole."""
    text = " ".join((command.help or command.short_help or "").split("\n\n")[0].split())
    sentence, stop, _ = text.partition(". ")
    return f"{sentence}." if stop else text
