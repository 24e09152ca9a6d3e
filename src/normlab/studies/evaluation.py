"""From records to findings: the study's verdicts, its answer, its figure and its tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from normlab.findings import VERDICTS, ClaimFinding, StudyFindings, Verdict
from normlab.records import Records
from normlab.specs import DataSpec
from normlab.studies import claims, figures, grid, sampling, tables
from normlab.studies.observations import Observation, observe
from normlab.studies.settings import settings
from normlab.studies.study import Study


def evaluate(
    study: Study,
    records: Records,
    data: DataSpec,
    seeds: Iterable[int],
    expected: int | None = None,
    looks: Sequence[int] | None = None,
    design: str = "",
    num_test: int = 0,
) -> StudyFindings:
    """What the records say about a study on these seeds; what is not finished yet is left out and counted."""
    seeds = tuple(seeds)
    return findings_of(
        study, observe(study, records, data, seeds), seeds, data, expected, looks, design, num_test
    )


def findings_of(
    study: Study,
    observations: Sequence[Observation],
    seeds: Sequence[int],
    data: DataSpec,
    expected: int | None = None,
    looks: Sequence[int] | None = None,
    design: str = "",
    num_test: int = 0,
) -> StudyFindings:
    """The findings from observations already at hand; `expected` is how many there should be.

    `looks` are the numbers of seeds at which the claims are looked at, by default one: all of them.
    """
    numbers = sampling.looks(study, len(seeds)) if looks is None else tuple(looks)
    tested = claims.evaluate_all(study, observations, data, numbers, num_test)
    return StudyFindings(
        name=study.name,
        title=study.title,
        question=study.question,
        panels=figures.panels(study, observations, data.num_classes),
        claims=tested,
        answer=answer(study, tested),
        settings=settings(study),
        summary=tables.summary(study, observations),
        runs=tables.runs(study, observations),
        seeds=tuple(seeds),
        finished=len(observations),
        # never fewer than there are: an older edition of the study may have asked for fewer points
        expected=max(
            len(observations),
            len(grid.places(study)) * len(seeds) if expected is None else expected,
        ),
        diverged=sum(observation.diverged for observation in observations),
        seconds=sum(observation.seconds for observation in observations),
        leaves_out=study.leaves_out,
        literature=study.literature,
        design=design,
    )


def answer(study: Study, tested: Sequence[ClaimFinding]) -> tuple[str, ...]:
    """The paragraphs that the evidence supports: the claims that each names have the verdicts it needs."""
    named: dict[Verdict, set[str]] = {
        verdict: {finding.name for finding in tested if finding.verdict == verdict}
        for verdict in VERDICTS
    }
    supported = tuple(
        reason.text
        for reason in study.answer
        if named["holds"].issuperset(reason.rests_on)
        and named["fails"].issuperset(reason.against)
        and named["cannot tell"].issuperset(reason.undecided)
    )
    return supported or (
        "None of the explanations prepared for this question is supported by these runs; "
        "the claims say what was found.",
    )
