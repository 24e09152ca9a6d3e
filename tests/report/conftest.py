"""Findings of every study from made-up runs, and the page of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from normlab.findings import Findings
from normlab.report import write
from normlab.studies.catalog import STUDIES
from normlab.studies.evaluation import findings_of
from tests.studies.synthetic import DATA, SEEDS, observations


@pytest.fixture(scope="session")
def findings() -> Findings:
    """Six studies on four seeds; at weight scale 1 half of the runs have diverged."""
    studies = tuple(
        findings_of(study, observations(study), SEEDS, DATA) for study in STUDIES.values()
    )
    provenance = (("Command", "normlab reproduce --data digits --seeds 4"), ("Seeds", "231 to 234"))
    return Findings(
        "digits",
        "digits (made up)",
        "normlab reproduce --data digits --seeds 4",
        studies,
        provenance,
    )


@pytest.fixture(scope="session")
def results(findings: Findings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page and the figures."""
    folder = tmp_path_factory.mktemp("results")
    write(findings, folder, workers=1)
    return folder
