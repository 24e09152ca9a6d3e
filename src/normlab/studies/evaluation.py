"""From records to findings: the study's verdicts, its answer, its figure and its tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from normlab.findings import ClaimFinding, StudyFindings
from normlab.records import Records
from normlab.specs import DataSpec
from normlab.studies import claims, figures, grid, tables
from normlab.studies.observations import Observation, observe
from normlab.studies.spec import Study


def evaluate(study: Study, records: Records, data: DataSpec, seeds: Iterable[int]) -> StudyFindings:
    """What the records say about a study on these seeds; what is not finished yet is left out and counted."""
    seeds = tuple(seeds)
    return findings_of(study, observe(study, records, data, seeds), seeds)


def findings_of(study: Study, observations: Sequence[Observation], seeds: Sequence[int]) -> StudyFindings:
    """The findings from observations already at hand."""
    tested = tuple(claims.evaluate(claim, study, observations) for claim in study.claims)
    return StudyFindings(
        name=study.name,
        title=study.title,
        question=study.question,
        panels=figures.panels(study, observations),
        claims=tested,
        answer=answer(study, tested),
        settings=settings(study),
        summary=tables.summary(study, observations),
        runs=tables.runs(study, observations),
        seeds=tuple(seeds),
        finished=len(observations),
        expected=len(grid.places(study)) * len(seeds),
        diverged=sum(observation.diverged for observation in observations),
        seconds=sum(observation.seconds for observation in observations),
    )


def answer(study: Study, tested: Sequence[ClaimFinding]) -> tuple[str, ...]:
    """The paragraphs that the evidence supports: each rests on claims, and appears only if all of them hold."""
    holding = {finding.name for finding in tested if finding.verdict == "holds"}
    supported = tuple(reason.text for reason in study.answer if holding.issuperset(reason.rests_on))
    return supported or (
        "None of the explanations prepared for this question is supported by these runs; "
        "the claims say what was found.",
    )


def settings(study: Study) -> tuple[tuple[str, str], ...]:
    """What the study ran: for each grid its fixed settings and what varies."""
    described = []
    for number, part in enumerate(study.grids, start=1):
        varied = "; ".join(f"{axis.name}: {_listed(axis.values)}" for axis in part.axes)
        fixed = "; ".join(f"{name} {_plain(value)}" for name, value in part.fixed.items())
        tags = "; ".join(str(value) for value in part.tags.values())
        described.append((f"Nets, part {number}" if len(study.grids) > 1 else "Nets", _joined(tags, varied, fixed)))
    described += [("Operations", _listed(shown.axis.values)) for shown in study.demonstrations]
    return tuple(described)


def _joined(*parts: str) -> str:
    return ". ".join(part for part in parts if part) + "."


def _listed(values: Sequence[object]) -> str:
    if len(values) > 8:
        return f"{_plain(values[0])} to {_plain(values[-1])} in {len(values)} steps"
    return ", ".join(map(_plain, values))


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, tuple):
        return f"{len(value)} × {value[0]}" if len(set(value)) == 1 else " ".join(map(str, value))
    return str(value)
