"""Running studies: everything is recorded, nothing is done twice, and an interruption loses nothing."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from normlab.data import Dataset
from normlab.errors import OptionError, RecordsError
from normlab.records import Records
from normlab.records.schema import checksum
from normlab.studies import (
    BATCH_GAP,
    FIRST_STEP,
    Claim,
    Grid,
    Lines,
    Quantity,
    Reason,
    Study,
    grid,
    over_field,
    over_norms,
    running,
)
from normlab.studies.catalog import STUDIES
from normlab.studies.collection import collect
from normlab.studies.evaluation import evaluate
from normlab.studies.probes.preprocessing import OPERATIONS
from normlab.studies.running import Progress, run

TINY = Study(
    name="depth",  # under the name of a study of the catalogue, so that `collect` finds it
    title="Tiny",
    question="Is it quick?",
    seeds=3,
    most_seeds=3,
    grids=(
        Grid(
            {"hidden_dims": (6, 6), "num_epochs": 1, "learning_rate": 1e-2},
            (
                over_norms(None, "batchnorm"),
                over_field("batch size", "batch_size", (10, 20), "Batch size"),
            ),
            probes=(FIRST_STEP,),
        ),
        Grid(
            {"hidden_dims": (6, 6), "num_epochs": 1, "learning_rate": 1e-2},
            (
                over_norms("batchnorm"),
                over_field("batch size", "batch_size", (10, 20), "Batch size"),
            ),
            tags={"part": "gap"},
            probes=(BATCH_GAP,),
        ),
    ),
    measures=("best validation accuracy", "signal kept", "statistics gap"),
    figure=(
        Lines(
            "Accuracy",
            "best validation accuracy",
            x="batch size",
            where={"norm": ("no norm", "batch norm")},
        ),
    ),
    claims=(
        Claim(
            name="gap",
            statement="The gap is smaller at batch 20.",
            left=Quantity("statistics gap", {"part": "gap", "batch size": 10}),
            right=Quantity("statistics gap", {"part": "gap", "batch size": 20}),
            holds="Yes.",
            fails="No.",
            unit="decades",
        ),
    ),
    answer=(Reason("Because."),),
)


@pytest.fixture(scope="module")
def data() -> Dataset:
    rng = np.random.RandomState(0)
    X, y = rng.randn(300, 12), rng.randint(0, 3, size=300)
    X[np.arange(300), y] += 3
    return Dataset(
        "made up", X[:200], y[:200], X[200:260], y[200:260], X[260:], y[260:], num_classes=3
    )


@pytest.fixture
def records(tmp_path: Path) -> Records:
    with Records(tmp_path / "records.sqlite") as opened:
        yield opened


def test_everything_is_recorded_and_found_again(data: Dataset, records: Records) -> None:
    run([TINY], data, records, seeds=2, workers=1, engine="reference", command="normlab reproduce")
    findings = evaluate(TINY, records, data.spec, (231, 232), grid.expected(TINY, 2))
    assert (findings.finished, findings.expected) == (12, 12)
    assert len(records) == 8  # the nets of the second grid are among those of the first
    assert findings.claims[0].seeds == 2
    assert findings.runs.columns[-1].title == "statistics gap, as a power of ten"
    measured = [row[-1] for row in findings.runs.rows if "gap" in row]
    assert len(measured) == 4
    assert None not in measured


def test_a_second_call_does_nothing_again(
    data: Dataset, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    run([TINY], data, records, seeds=2, workers=1, engine="reference")
    digest = records.digest()
    for work in ("look_at_fresh", "train_and_look"):
        monkeypatch.setattr(running, work, lambda *_, **__: pytest.fail("measured again"))
    told: list[Progress] = []
    run([TINY], data, records, seeds=2, workers=1, engine="reference", progress=told.append)
    assert records.digest() == digest
    assert {(progress.done, progress.reused, progress.share) for progress in told} == {(8, 8, 1.0)}


def test_more_seeds_continue_with_the_missing_ones(data: Dataset, records: Records) -> None:
    run([TINY], data, records, seeds=1, workers=1, engine="reference")
    told: list[Progress] = []
    run([TINY], data, records, seeds=3, workers=1, engine="reference", progress=told.append)
    assert told[0].reused == 4
    assert told[-1].done == told[-1].total == 12
    shares = [progress.share for progress in told]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)


def test_workers_do_not_change_the_results(data: Dataset, tmp_path: Path) -> None:
    digests = []
    for workers in (1, 2):
        with Records(tmp_path / f"{workers}.sqlite") as opened:
            run([TINY], data, opened, seeds=1, workers=workers, engine="reference")
            digests.append(opened.digest())
    assert digests[0] == digests[1]


def test_an_interruption_keeps_what_is_done_and_the_next_call_ends_with_the_same_results(
    data: Dataset, records: Records, tmp_path: Path
) -> None:
    calls = 0

    def interrupt(_: Progress) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([TINY], data, records, seeds=2, workers=1, engine="reference", progress=interrupt)
    kept = len(records)
    assert 0 < kept < 8
    assert json.loads(records.sweeps()[-1])["complete"] is False
    run([TINY], data, records, seeds=2, workers=1, engine="reference")
    with Records(tmp_path / "undisturbed.sqlite") as undisturbed:
        run([TINY], data, undisturbed, seeds=2, workers=1, engine="reference")
        assert records.digest() == undisturbed.digest()


def test_an_unfinished_study_says_so(data: Dataset, records: Records) -> None:
    run([TINY], data, records, seeds=1, workers=1, engine="reference")
    findings = evaluate(TINY, records, data.spec, (231, 232), 12)
    assert (findings.finished, findings.expected) == (6, 12)
    assert findings.claims[0].verdict == "cannot tell"


def test_a_page_is_collected_from_records_alone(
    data: Dataset, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STUDIES, "depth", TINY)
    run(
        [TINY],
        data,
        records,
        seeds=2,
        workers=1,
        engine="reference",
        command="normlab reproduce --data made-up",
    )
    findings = collect(records)
    assert [study.name for study in findings.studies] == ["depth"]
    assert findings.command == "normlab reproduce --data made-up"
    said = dict(findings.provenance)
    assert records.digest() in said["Records"]
    assert "231 to 232" in said["Seeds"]
    assert "numpy" in said["Made with"]
    assert "12 of 12" in said["Measurements"]
    with pytest.raises(OptionError, match="'made up'"):
        collect(records, "cifar10")


def test_runs_that_cannot_be_read_are_counted_on_the_page(
    data: Dataset, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STUDIES, "depth", TINY)
    run(
        [TINY],
        data,
        records,
        workers=1,
        engine="reference",
        command="normlab reproduce --data made-up",
    )
    assert collect(records).warnings == ()
    with contextlib.closing(sqlite3.connect(records.path)) as connection, connection:
        connection.execute(
            "UPDATE runs SET spec = replace(spec, '\"reg\"', '\"ridge\"') WHERE rowid < 4"
        )
        for rowid, *values, _ in connection.execute("SELECT rowid, * FROM runs").fetchall():
            connection.execute(
                "UPDATE runs SET checksum = ? WHERE rowid = ?", (checksum(values), rowid)
            )
    findings = collect(records)
    assert "3 of the " in findings.warnings[0]
    assert "3 because NetSpec has no keyword 'ridge'" in findings.warnings[0]
    assert dict(findings.provenance)["Not read"] == findings.warnings[0]


def test_records_without_a_study_are_refused_in_a_sentence(records: Records) -> None:
    with pytest.raises(RecordsError, match="holds no study: run `normlab reproduce`"):
        collect(records)


def test_records_open_for_reading_are_refused_before_work(data: Dataset, records: Records) -> None:
    with Records(records.path, mode="r") as reading, pytest.raises(RecordsError, match="mode='a'"):
        run([TINY], data, reading, seeds=2, workers=1, engine="reference")


def test_demonstrations_need_images_as_they_are_stored(data: Dataset, records: Records) -> None:
    with pytest.raises(RecordsError, match="images="):
        run([STUDIES["preprocessing"]], data, records, seeds=1, workers=1, engine="reference")


def test_demonstrations_are_measured_once(data: Dataset, records: Records) -> None:
    study = STUDIES["preprocessing"]
    images = np.random.default_rng(0).integers(0, 256, size=(220, 3, 6, 6)).astype(float)
    run([study], data, records, seeds=2, workers=1, engine="reference", images=lambda: images)
    assert len(list(records.measurements())) == 14
    run(
        [study],
        data,
        records,
        seeds=2,
        workers=1,
        engine="reference",
        images=lambda: pytest.fail("asked for images again"),
    )
    findings = evaluate(study, records, data.spec, (231, 232))
    assert findings.finished == 14
    names = [name for name, _ in findings.panels[0].rows]
    assert names == ["unchanged", *list(OPERATIONS)[1:]]
    (picture, *_) = findings.panels[0].rows[0][1]
    assert (len(picture.pixels), len(picture.pixels[0]), len(picture.pixels[0][0])) == (6, 6, 3)
