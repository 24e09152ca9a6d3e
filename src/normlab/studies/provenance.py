"""Where the numbers of a page come from: data, versions, machines, threads, seeds, time, digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from normlab.data.data_sets import title_of
from normlab.findings import StudyFindings, ranges
from normlab.records import Records
from normlab.specs import DataSpec
from normlab.studies.wording import duration


def provenance(
    records: Records,
    data: DataSpec,
    plans: Sequence[Mapping[str, Any]],
    studies: Sequence[StudyFindings],
) -> tuple[tuple[str, str], ...]:
    """Titles and texts in the order they are printed."""
    last = plans[-1]
    elapsed = sum(plan.get("seconds", 0.0) for plan in plans)
    seeds = sorted({seed for study in studies for seed in study.seeds})
    ended = sum(plan["event"] == "ended" for plan in plans)
    sessions = "one session" if ended == 1 else f"{ended} sessions"
    rows = [
        ("Command", last["command"]),
        (
            "Data",
            f"{title_of(data.name)}: {data.num_train} training and {data.num_val} "
            "validation images "
            f"of {data.input_dim} numbers, {last['source']}, fingerprint {data.fingerprint}",
        ),
        ("Seeds", ranges(seeds)),
        (
            "Measurements",
            f"{sum(s.finished for s in studies)} of {sum(s.expected for s in studies)} in the "
            f"studies shown",
        ),
        ("Time", f"{duration(elapsed)} in {sessions}, with {last['workers']} worker processes"),
    ]
    for group in records.provenance():
        rows.append(("Made with", _made_with(group)))
    if (unreadable := records.unreadable()) is not None:
        rows.append(("Not read", unreadable))
    rows.append(
        (
            "Records",
            f"{records.path.name} (SQLite, readable with plain SQL); digest of all results "
            f"{records.digest()}",
        )
    )
    return tuple(rows)


def _made_with(group: Mapping[str, Any]) -> str:
    machine = group["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(group["versions"].items()))
    blas = ", ".join(
        f"{each['name']} {each['version']} ({each['core_type']}, {each['threads']} "
        f"thread{'' if each['threads'] == 1 else 's'} a worker)"
        for each in machine["blas"]
    )
    return (
        f"{group['runs']} runs by the engine '{group['engine']}': {versions}; "
        f"{machine['processor']}, "
        f"{machine['cores']} cores, {machine['system']}; {blas}; from {_minute(group['first'])} to "
        f"{_minute(group['last'])} UTC"
    )


def _minute(moment: str) -> str:
    """An ISO 8601 time without its seconds."""
    return moment[:16].replace("T", " ")
