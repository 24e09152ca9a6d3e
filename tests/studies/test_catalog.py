"""The studies as data: the notebook's settings to the letter, and no claim, panel or reason that points nowhere."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from normlab.errors import OptionError
from normlab.specs import NetSpec, TrainingSpec
from normlab.studies import Study, grid
from normlab.studies.catalog import STUDIES, studies

from .synthetic import DATA, observations

EVERY = pytest.mark.parametrize("study", STUDIES.values(), ids=str)


def nets(study: Study, **where: object) -> list[tuple[NetSpec, TrainingSpec]]:
    wanted = {name.replace("_", " "): value for name, value in where.items()}
    return [
        (point.net, point.training)
        for point in grid.points(study)
        if grid.matches(point.place, wanted)
    ]


def adam(batch_size: int, learning_rate: float, epochs: int = 10) -> TrainingSpec:
    return TrainingSpec(
        batch_size=batch_size, num_epochs=epochs, learning_rate=learning_rate, update_rule="adam"
    )


def test_depth_has_the_notebooks_settings() -> None:
    expected = [
        (NetSpec((100,) * 5, normalization=norm, weight_scale=2e-2), adam(50, 1e-3))
        for norm in (None, "batchnorm")
    ]
    assert nets(STUDIES["depth"]) == expected


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
        ("batch-size-layernorm", "layer norm", "layernorm"),
    ],
)
def test_batch_sizes_have_the_notebooks_settings(study: str, norm: str, field: str) -> None:
    net = {"hidden_dims": (100,) * 5, "weight_scale": 2e-2}
    rate = 10**-3.5
    assert nets(STUDIES[study], norm="no norm") == [(NetSpec(**net), adam(5, rate))]
    for size in (5, 10, 50):
        expected = [(NetSpec(**net, normalization=field), adam(size, rate))]
        assert (
            nets(STUDIES[study], norm=norm, batch_size=size, compared_at="equal epochs") == expected
        )


def test_equal_steps_are_equal_and_equal_epochs_are_equal() -> None:
    def steps(training: TrainingSpec) -> int:
        return training.num_epochs * (DATA.num_train // training.batch_size)

    equal = nets(STUDIES["batch-size"], norm="batch norm", compared_at="equal steps")
    assert {steps(training) for _, training in equal} == {1000}
    assert [training.batch_size for _, training in equal] == [2, 5, 10, 50, 100]
    equal = nets(STUDIES["batch-size"], norm="batch norm", compared_at="equal epochs")
    assert {training.num_epochs for _, training in equal} == {10}
    assert [steps(training) for _, training in equal] == [5000, 2000, 1000, 200, 100]


def test_counts_of_points_and_runs() -> None:
    assert {name: len(grid.places(study)) for name, study in STUDIES.items()} == {
        "depth": 2,
        "initialization": 80,
        "batch-size": 11,
        "batch-size-layernorm": 21,
        "preprocessing": 7,
        "layernorm-limits": 96,
    }
    # at batch 10, ten epochs are a thousand steps: one run stands at both points
    assert len(grid.runs(STUDIES["batch-size"], DATA, 1)) == 10
    assert len(grid.runs(STUDIES["batch-size"], DATA, 3)) == 30
    every = {spec.key for study in STUDIES.values() for spec in grid.runs(study, DATA, 1)}
    assert len(every) == 185


def test_layer_norm_limits_vary_one_thing_at_a_time() -> None:
    study = STUDIES["layernorm-limits"]
    place = {"norm": "layer norm", "start": "He's"}
    assert [len(net.hidden_dims) for net, _ in nets(study, varies="depth", **place)] == [
        1,
        2,
        5,
        10,
        20,
    ]
    assert [net.hidden_dims[0] for net, _ in nets(study, varies="width", **place)] == [
        2,
        3,
        5,
        10,
        30,
        100,
    ]
    scales = [net.weight_scale for net, _ in nets(study, varies="width", **place)]
    np.testing.assert_allclose(scales, np.sqrt(2 / np.array([2, 3, 5, 10, 30, 100])))
    penalties = [net.reg for net, _ in nets(study, varies="regularization", **place)]
    assert all(low < high for low, high in pairwise(penalties))
    assert penalties[0] == 0


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
