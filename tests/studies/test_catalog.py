"""The studies as data: the notebook's settings to the letter, and no claim, panel or reason that points nowhere."""

from __future__ import annotations

import numpy as np
import pytest

from normlab.errors import OptionError
from normlab.specs import NetSpec, TrainingSpec
from normlab.studies import Study, grid
from normlab.studies.catalog import STUDIES, studies
from normlab.studies.datasheet import COLUMNS
from normlab.studies.sampling import quantities

from .synthetic import DATA, observations

EVERY = pytest.mark.parametrize("study", STUDIES.values(), ids=str)


def nets(study: Study, **where: object) -> list[tuple[NetSpec, TrainingSpec]]:
    wanted = {name.replace("_", " "): value for name, value in where.items()}
    return [
        (point.net, point.training)
        for point in grid.points(study)
        if grid.matches(point.place, wanted)
    ]


def adam(
    batch_size: int, learning_rate: float, epochs: int = 10, test: bool = False
) -> TrainingSpec:
    return TrainingSpec(batch_size, epochs, learning_rate, "adam", test=test)


def test_depth_has_the_notebooks_settings() -> None:
    expected = [
        (NetSpec((100,) * 5, normalization=norm, weight_scale=2e-2), adam(50, 1e-3, test=True))
        for norm in (None, "batchnorm")
    ]
    cell = {"start": "std 0.02 (notebook)", "inputs": "raw", "norm": ("no norm", "batch norm")}
    assert nets(STUDIES["depth"], **cell) == expected


def test_initialization_has_the_notebooks_settings() -> None:
    for name, norm in (("no norm", None), ("batch norm", "batchnorm")):
        expected = [
            (NetSpec((50,) * 7, normalization=norm, weight_scale=scale), adam(50, 1e-3))
            for scale in np.logspace(-4, 0, num=20)
        ]
        assert nets(STUDIES["initialization"], norm=name) == expected


@pytest.mark.parametrize(
    ("study", "norm", "field"),
    [
        ("batch-size", "batch norm", "batchnorm"),
        ("batch-size", "no norm", None),
        ("batch-size-layernorm", "layer norm", "layernorm"),
    ],
)
def test_batch_sizes_have_the_notebooks_settings(study: str, norm: str, field: str | None) -> None:
    net = NetSpec((100,) * 5, weight_scale=2e-2, normalization=field)
    for size in (5, 10, 50):
        expected = [(net, adam(size, 10**-3.5, test=True))]
        where = {"norm": norm, "batch_size": size, "compared_at": "equal epochs"}
        assert nets(STUDIES[study], **where) == expected


def test_equal_steps_are_equal_and_equal_epochs_are_equal() -> None:
    def steps(training: TrainingSpec) -> int:
        return training.num_epochs * (DATA.num_train // training.batch_size)

    for norm in ("no norm", "batch norm"):
        equal = nets(STUDIES["batch-size"], norm=norm, compared_at="equal steps")
        assert {steps(training) for _, training in equal} == {1000}
        assert [training.batch_size for _, training in equal] == [2, 5, 10, 50]
        equal = nets(STUDIES["batch-size"], norm=norm, compared_at="equal epochs")
        assert {training.num_epochs for _, training in equal} == {10}


def test_the_default_job_answers_the_notebooks_studies_and_the_datasheet() -> None:
    default = [study.name for study in studies()]
    assert {"depth", "initialization", "batch-size", "batch-size-layernorm"} < set(default)
    assert {column.study for column in COLUMNS} < set(default)
    assert set(default) < {study.name for study in studies(full=True)}
    every = {spec.key for study in studies() for spec in grid.runs(study, DATA, 1)}
    assert (
        len(every) < 400
    )  # ten seeds of about 0.1 seconds each are what two cores do in three minutes


def test_every_seed_but_the_notebooks_draws_its_own_split() -> None:
    specs = grid.runs(STUDIES["depth"], DATA, 3)
    assert [spec.data.split for spec in specs[::12]] == [None, 232, 233]


def test_what_is_compared_was_looked_at_equally_often() -> None:
    """Where the epoch is chosen, all nets of a study's claim have the same number of epochs to choose from."""
    for study in STUDIES.values():
        for claim in study.claims:
            for quantity in quantities(claim):
                if quantity.measure not in ("test accuracy", "best validation accuracy"):
                    continue
                found = nets(
                    study,
                    **{name.replace(" ", "_"): value for name, value in quantity.where.items()},
                )
                assert len({training.num_epochs for _, training in found}) == 1


def test_layer_norm_limits_are_judged_on_fresh_seeds_and_say_what_changed() -> None:
    study = STUDIES["layernorm-limits"]
    assert grid.seeds_of(study, 2) == (251, 252)
    assert all(claim.after_a_look for claim in study.claims)


@EVERY
def test_every_claim_finds_its_points_and_gets_a_verdict(study: Study) -> None:
    from normlab.studies.evaluation import findings_of

    findings = findings_of(study, observations(study), (231, 232, 233, 234), DATA)
    assert [claim.seeds for claim in findings.claims] == [4] * len(study.claims)
    assert all(
        claim.sentence.endswith(".") and "{" not in claim.sentence for claim in findings.claims
    )
    assert len(findings.panels) == len(study.figure)
    assert findings.finished == findings.expected == 4 * len(grid.places(study))
    assert findings.answer


@EVERY
def test_every_sentence_can_be_said(study: Study) -> None:
    words = {"left": "1", "right": "2", "effect": "3"}
    for claim in study.claims:
        for text in (claim.holds, claim.fails):
            assert text.format(**words).endswith(".")
            assert "{right}" not in text or claim.right is not None, (
                f"{claim.name}: no right side to speak of"
            )
        assert claim.statement.endswith(".")


def test_an_unknown_study_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(OptionError, match="did you mean 'depth'"):
        studies(("dept",))
