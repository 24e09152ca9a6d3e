"""What a command says before it trains: how many runs it finds in the records, and what made them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from normlab.records import Records
    from normlab.specs import RunSpec


def say_reused(records: Records, specs: Sequence[RunSpec], engine: str) -> None:
    """Name the runs that are not trained again, and how they differ from what would be made here."""
    for line in lines(records, specs, engine):
        typer.echo(line, err=True)


def lines(records: Records, specs: Sequence[RunSpec], engine: str) -> list[str]:
    """The sentences of `say_reused`; none where nothing is reused."""
    from normlab import engines
    from normlab.records.origins import origin_here

    found = records.origins([spec.key for spec in specs])
    if not found:
        return []
    total = found.total()
    names = {engines.pick(engine, spec).name for spec in specs}
    here = {
        name: origin_here(name, engines.BY_NAME[name].provenance())
        for name in {*(each.engine for each in found)} & {*engines.BY_NAME}
        if engines.BY_NAME[name].why_not() is None
    }
    others = []
    for each, runs in found.most_common():
        differing = (
            each.differing(here[each.engine]) if each.engine in here else "which cannot run here"
        )
        if differing or each.engine not in names:
            others.append(
                f"  {runs} by the {each.engine} engine{', ' + differing if differing else ''}"
            )
    said = [f"{total} of {len(specs)} runs are in the records and are not trained again."]
    if not others:
        return said
    asked = (
        ""
        if engine == "auto"
        else f" --engine {engine} was asked for, and trains only what is missing."
    )
    said[0] += " Not all of them are what would be made here:"
    said += others
    said.append(
        f"{asked.strip()} --retrain trains all {total} again, so that one maker made them all.".strip()
    )
    return said
