"""What was asked, written into the records before it is answered.

A study enters the records when it is first run there: its text, a hash of its design, and how many
of its runs had a result in these records already. A page that says "written before the results"
says it of what is registered with none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from normlab.records import Records
from normlab.specs import DataSpec
from normlab.studies import grid, stored
from normlab.studies.study import Study

EVENT = "study"


@dataclass(frozen=True)
class Registration:
    """What the records hold of a study's design: its hash, its text, and what was known when it was written down.

    `results_before` counts the study's runs that had a result then; `claims` holds, for each claim,
    how many of the study's runs had a result when this claim, with its margin and grids, was first
    written down.
    """

    name: str
    hash: str
    text: str
    results_before: int
    runs: int
    claims: Mapping[str, int] = field(default_factory=dict)


def register(
    studies: Sequence[Study], data: DataSpec, records: Records, seeds: int | None = None
) -> None:
    """Write down each study whose design is not in the records yet, before anything is run."""
    plans = list(_plans(records))
    for study in studies:
        text = stored.to_json(study)
        earlier = [
            plan for plan in plans if plan["name"] == study.name and plan["data"] == data.name
        ]
        if earlier and earlier[-1]["text_hash"] == stored.text_hash(text):
            continue
        specs = grid.runs(study, data, seeds)
        done = sum(spec.key in records for spec in specs)
        hashes = {claim.name: stored.claim_hash(study, claim.name) for claim in study.claims}
        known = {name: _first_seen(name, value, earlier, done) for name, value in hashes.items()}
        plan = {
            "event": EVENT,
            "name": study.name,
            "data": data.name,
            "hash": stored.design_hash(study),
            "text_hash": stored.text_hash(text),
            "text": text,
            "claims": {
                name: {"hash": hashes[name], "results_before": known[name]} for name in hashes
            },
            "results_before": done,
            "runs": len(specs),
        }
        records.put_sweep(json.dumps(plan))


def registered(records: Records, data: str) -> dict[str, Registration]:
    """The latest registration of each study on a data set, with what was known when its design first appeared."""
    found: dict[str, Registration] = {}
    first: dict[str, int] = {}
    for plan in _plans(records):
        if plan["data"] != data:
            continue
        before = first.setdefault(plan["hash"], plan["results_before"])
        claims = {name: each["results_before"] for name, each in plan["claims"].items()}
        found[plan["name"]] = Registration(
            plan["name"], plan["hash"], plan["text"], before, plan["runs"], claims
        )
    return found


def said(registration: Registration | None) -> str:
    """What can be said of when a study's claims were written down, in a sentence."""
    if registration is None:
        return (
            "These records do not say when the claims were written down: they were begun by an "
            "earlier version, or the "
            "study was not run into them."
        )
    name = f"Claims, margins and grid (hash {registration.hash[:16]})"
    if not registration.results_before:
        return (
            f"{name} were written into these records before the first of these runs had a result."
        )
    late = sum(1 for before in registration.claims.values() if before)
    which = "all of its claims" if late == len(registration.claims) else f"{late} of its claims"
    return (
        f"{name} were written into these records when {registration.results_before} of "
        f"{registration.runs} runs had a "
        f"result already; {which} took their present form after that."
    )


def _first_seen(name: str, value: str, earlier: Iterable[Mapping[str, Any]], done: int) -> int:
    """How many runs had a result when this claim, as it stands, was first written down."""
    counts = [
        int(plan["claims"][name]["results_before"])
        for plan in earlier
        if plan["claims"].get(name, {}).get("hash") == value
    ]
    return min([*counts, done])


def _plans(records: Records) -> Iterable[dict[str, Any]]:
    for text in records.sweeps():
        plan = json.loads(text)
        if plan.get("event") == EVENT:
            yield plan
