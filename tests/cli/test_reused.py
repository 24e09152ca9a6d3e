"""Runs that another engine, version or machine made are never mixed in silence."""

from __future__ import annotations

import dataclasses
import json

import pytest

from normlab import engines
from normlab.cli.reused import lines
from normlab.records import Records
from normlab.specs import DataSpec, History, NetSpec, RunSpec, TrainingSpec

DATA = DataSpec("digits", num_train=1000, num_val=400, input_dim=64)
SPECS = [RunSpec(NetSpec((5,)), TrainingSpec(), DATA, seed) for seed in range(4)]


@pytest.fixture
def records(tmp_path):
    with Records(tmp_path / "records.sqlite") as records:
        yield records


def put(records, spec, engine="reference", **changes):
    """A run as this machine records it, with some of its provenance changed."""
    from normlab import machine

    made = machine.made_here(engines.BY_NAME[engine].provenance())
    for text, values in changes.items():
        made = made._replace(**{text: json.dumps(json.loads(getattr(made, text)) | values)})
    history = History((1.0,), (0.5,), (0.5,), 0.5, False, engine=engine, provenance=made)
    assert records.put(spec, history)


def test_nothing_is_said_where_nothing_is_reused(records):
    assert lines(records, SPECS, "auto") == []


def test_runs_made_as_here_are_counted(records):
    put(records, SPECS[0])
    put(records, SPECS[1])
    assert lines(records, SPECS, "reference") == [
        "2 of 4 runs are in the records and are not trained again."
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"versions": {"numpy": "1.0"}}, "1 by the reference engine, numpy 1.0 (here"),
        ({"versions": {"normlab": "0.0.1"}}, "normlab 0.0.1 (here"),
        ({"machine": {"processor": "Abacus"}}, "processor Abacus (here"),
        ({"machine": {"architecture": "pdp11"}}, "architecture pdp11 (here"),
    ],
)
def test_what_another_version_or_machine_made_is_said(records, changes, said):
    put(records, SPECS[0])
    put(records, SPECS[1], **changes)
    text = "\n".join(lines(records, SPECS, "reference"))
    assert said in text
    assert "Not all of them are what would be made here" in text
    assert "--retrain trains all 2 again" in text


def test_another_library_of_the_compiled_engine_is_said(records):
    if engines.BY_NAME["compiled"].why_not() is not None:
        pytest.skip("the compiled engine cannot run here")
    put(records, SPECS[0], "compiled")
    assert len(lines(records, SPECS, "compiled")) == 1
    compiled = engines.BY_NAME["compiled"].provenance()["compiled"] | {"library": "f" * 64}
    put(records, SPECS[1], "compiled", machine={"compiled": compiled})
    assert "compiled library ffffffffffff (here" in "\n".join(lines(records, SPECS, "compiled"))


def test_an_engine_that_differs_from_the_records_is_answered(records):
    put(records, SPECS[0], "reference")
    if engines.BY_NAME["compiled"].why_not() is not None:
        pytest.skip("the compiled engine cannot run here")
    text = "\n".join(lines(records, SPECS, "compiled"))
    assert "1 by the reference engine" in text
    assert "--engine compiled was asked for, and trains only what is missing" in text


def test_what_is_forgotten_is_trained_again(records):
    for spec in SPECS[:3]:
        put(records, spec)
    assert records.forget([spec.key for spec in SPECS[1:]]) == 2
    assert records.keys() == [SPECS[0].key]


def test_a_study_s_section_says_who_made_what(tmp_path):
    from normlab.studies.collection import _with_makers

    @dataclasses.dataclass(frozen=True)
    class Found:
        seeds: tuple[int, ...]
        settings: tuple[tuple[str, str], ...] = ()

    from normlab.data import load
    from normlab.studies import grid
    from normlab.studies.catalog import STUDIES

    study, data = STUDIES["depth"], load("digits").spec
    runs = grid.runs(study, data, 1)[:3]
    with Records(tmp_path / "records.sqlite") as records:
        put(records, runs[0])
        put(records, runs[1])
        found = Found((runs[0].seed,))
        assert _with_makers(study, records, data, found) == found
        put(records, runs[2], versions={"numpy": "1.0"})
        ((title, text),) = _with_makers(study, records, data, found).settings
    assert title == "Made by several"
    assert "2 runs by the reference engine" in text
    assert "1 runs by the reference engine" in text
    assert "numpy 1.0" in text
