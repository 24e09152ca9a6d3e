"""All that a records file holds, as the findings of one page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from normlab.data.data_sets import title_of
from normlab.errors import RecordsError, not_one_of
from normlab.findings import Findings, StudyFindings, replace
from normlab.layers import norms
from normlab.records import Records
from normlab.specs import DataSpec
from normlab.studies import comparing, grid, stored
from normlab.studies.catalog import STUDIES
from normlab.studies.commands import to_run_again
from normlab.studies.datasheet import datasheet
from normlab.studies.evaluation import findings_of
from normlab.studies.observations import Observation, observe
from normlab.studies.provenance import provenance
from normlab.studies.registration import Registration, registered, said
from normlab.studies.statistics import holm
from normlab.studies.study import Study


def collect(records: Records, data: str | None = None) -> Findings:
    """The findings on one data set, by default the one last asked for, of every study asked for on it.

    Raises RecordsError where no study has been run into these records, OptionError for a data set
    that is not there.
    """
    plans = [json.loads(text) for text in records.sweeps()]
    plans = [plan for plan in plans if plan.get("studies")]
    if not plans:
        raise RecordsError(
            f"{records.path} holds no study: run `normlab reproduce`, or name the results folder "
            f"of an earlier run"
        )
    names = list(dict.fromkeys(plan["data"]["name"] for plan in plans))
    if data is not None and data not in names:
        raise not_one_of("data", data, names)
    last = next(plan for plan in reversed(plans) if data in (None, plan["data"]["name"]))
    plans = [plan for plan in plans if plan["data"] == last["data"]]
    spec = DataSpec(**last["data"])
    asked = _asked(plans)
    designs = registered(records, spec.name)
    seen: dict[str, list[Observation]] = {}
    found = []
    asked_for: dict[str, Study] = {}
    for study, request in _in_order(asked, designs):
        asked_for[study.name] = study
        seen[study.name] = observe(study, records, spec, request["seeds"])
        finding = findings_of(
            study,
            seen[study.name],
            request["seeds"],
            spec,
            request["expected"],
            request.get("looks"),
            said(designs.get(study.name)),
            last.get("num_test", 0),
        )
        found.append(_with_makers(study, records, spec, finding))
    commands = to_run_again(plans)
    studies = tuple(
        replace(
            study,
            command=commands.get(study.name, ""),
            comparison=comparing.table_of(
                asked_for[study.name],
                seen[study.name],
                study.claims,
                spec.num_classes,
                last.get("num_test", 0),
            ),
        )
        for study in with_adjusted(found)
    )
    if not any(study.finished for study in studies):
        raise RecordsError(
            f"{records.path} holds no result of the studies asked for ({', '.join(asked)}): there "
            f"is nothing to draw, and a page drawn before is left as it is. Run "
            f"`{last['command'] or 'normlab reproduce'}` to go on"
        )
    return Findings(
        data=spec.name,
        data_title=title_of(spec.name),
        command=last["command"],
        studies=studies,
        provenance=provenance(records, spec, plans, studies),
        datasheet=datasheet(seen, (None, *norms.BY_NAME)),
        warnings=tuple(filter(None, [records.unreadable()])),
    )


def studies_of_runs(records: Records) -> dict[str, str]:
    """The names of the studies that each recorded run belongs to, with commas between, by the run's key."""
    found: dict[str, list[str]] = {}
    plans = [plan for plan in map(json.loads, records.sweeps()) if plan.get("studies")]
    for name in dict.fromkeys(plan["data"]["name"] for plan in plans):
        here = [plan for plan in plans if plan["data"]["name"] == name]
        spec = DataSpec(**here[-1]["data"])
        for study, request in _in_order(_asked(here), registered(records, name)):
            keys = {
                point.run(spec, seed).key
                for seed in request["seeds"]
                for point in grid.points(study)
            }
            for key in keys:
                found.setdefault(key, []).append(study.name)
    return {key: ", ".join(names) for key, names in found.items()}


def with_adjusted(studies: Sequence[StudyFindings]) -> tuple[StudyFindings, ...]:
    """The studies with the p-value of each claim adjusted for all the claims that one page weighs."""
    adjusted = iter(holm([claim.p for study in studies for claim in study.claims]))
    return tuple(
        replace(
            study,
            claims=tuple(replace(claim, adjusted=next(adjusted)) for claim in study.claims),
        )
        for study in studies
    )


def _in_order(
    asked: Mapping[str, dict[str, Any]], designs: Mapping[str, Registration]
) -> Iterator[tuple[Study, dict[str, Any]]]:
    """Each study asked for, as it stands in the records, in the catalogue's order, and then as they came.

    A study of the catalogue whose design is still the recorded one is taken from there, with its
    latest wording.
    """
    names = [name for name in STUDIES if name in asked]
    for name in (*names, *(name for name in asked if name not in STUDIES)):
        live, design = STUDIES.get(name), designs.get(name)
        if live is not None and (design is None or design.hash == stored.design_hash(live)):
            yield live, asked[name]
        elif design is not None:
            yield stored.from_json(design.text), asked[name]


def _with_makers(
    study: Study, records: Records, data: DataSpec, found: StudyFindings
) -> StudyFindings:
    """The findings, with a row that says who made what where the study's figures mix runs of several makers."""
    keys = {point.run(data, seed).key for point in grid.points(study) for seed in found.seeds}
    makers = records.origins(keys)
    if len(makers) < 2:
        return found
    text = "; ".join(f"{runs} runs by {maker}" for maker, runs in makers.most_common())
    return replace(found, settings=(*found.settings, ("Made by several", text)))


def _asked(plans: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """For each study the request with the most seeds, the later where two are equal."""
    asked: dict[str, dict[str, Any]] = {}
    for plan in plans:
        for name, request in plan["studies"].items():
            if name not in asked or len(request["seeds"]) >= len(asked[name]["seeds"]):
                asked[name] = request
    return asked
