"""Records outlive programs: a file that version 1 wrote is found whole, for ever.

`version_1.sqlite` was written by normlab 0.1.0: ten runs of every norm, rule and type, one that
diverged, two measurements and the plan of a sweep. It is never written anew.
"""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from normlab.errors import RecordsError
from normlab.records import Records
from normlab.records.schema import VERSION, checksum
from normlab.records.updates import UPDATES
from normlab.specs import History, NetSpec, RunSpec, TrainingSpec, replace

VERSION_1 = Path(__file__).with_name("version_1.sqlite")
DIGEST_1 = "d1b40723375dae7e19256cdfe46f8dff50c13d29bfc93b8f8ff927e26b97da21"


@pytest.fixture(params=["r", "a"])
def old(request, tmp_path):
    with Records(shutil.copy(VERSION_1, tmp_path), mode=request.param) as records:
        yield records


def test_each_run_is_found_under_the_key_that_its_spec_has_today(old):
    keys = set()
    for spec, history in old:
        assert RunSpec.from_json(spec.to_json()) == spec
        assert old.get(spec.key) == history
        keys.add(spec.key)
    assert keys == set(old.keys())
    assert len(old) == len(keys) == 11


def test_what_was_measured_is_what_is_read(old):
    assert old.digest() == DIGEST_1
    assert len(list(old.measurements())) == 2
    assert len(old.sweeps()) == 2
    assert {row["normalization"] for row in old.export_rows()} == {
        None, "batchnorm", "layernorm", "rmsnorm", "groupnorm",
    }  # fmt: skip


def test_a_measurement_of_a_run_is_found_by_what_was_measured(old):
    from normlab.specs import DataSpec
    from normlab.studies.observations import demonstration_text, spec_text

    texts = {kind: text for _, kind, text, _ in old.measurements()}
    spec = RunSpec.from_json(texts["first step"])
    assert spec_text(spec) == texts["first step"]
    data: DataSpec = spec.data
    assert demonstration_text({"preprocessing": "whitened"}, data, 231) == texts["preprocessing"]


# Bringing a file up to date


def rows(path, statement):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def test_every_version_has_its_step():
    assert sorted(UPDATES) == list(range(2, VERSION + 1))


def test_the_engines_of_version_1_are_called_by_their_names_of_today(old):
    assert {row["engine"] for row in old.export_rows()} == {"reference", "compiled"}
    assert {history.engine for _, history in old} == {"reference", "compiled"}
    assert {group["engine"] for group in old.provenance()} == {"reference", "compiled"}


def test_reading_leaves_an_older_file_as_it_was(tmp_path):
    path = Path(shutil.copy(VERSION_1, tmp_path))
    with Records(path, mode="r") as records:
        assert len(list(records)) == 11
    assert path.read_bytes() == VERSION_1.read_bytes()


def test_writing_brings_an_older_file_up_to_date_once(tmp_path):
    path = shutil.copy(VERSION_1, tmp_path)
    with Records(path) as records:
        spec = RunSpec(NetSpec((4,), eps=1e-3), TrainingSpec(weight_decay=0.5), seed=1)
        assert records.put(spec, History((1.0,), (0.5,), (0.5,), 0.5, False))
    assert rows(path, "PRAGMA user_version") == [(VERSION,)]
    found = dict(rows(path, "SELECT eps, count(*) FROM results GROUP BY eps"))
    assert found == {
        1e-5: 11,
        1e-3: 1,
    }  # the default of a field that version 1 did not have, and a value
    assert dict(rows(path, "SELECT test, count(*) FROM results GROUP BY test")) == {0: 12}
    with Records(path) as records:
        assert records.get(spec.key).val_acc == (0.5,)


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = Path(shutil.copy(VERSION_1, tmp_path))
    monkeypatch.setitem(
        UPDATES, 2, lambda connection: connection.execute("UPDATE runs SET nothing = 1")
    )
    with pytest.raises(RecordsError, match="damaged"):
        Records(path)
    assert path.read_bytes() == VERSION_1.read_bytes()


def test_a_row_that_was_damaged_before_the_update_is_still_found_to_be(tmp_path):
    path = shutil.copy(VERSION_1, tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE runs SET best_val_acc = 0.99 WHERE rowid = 3")
    with (
        Records(path) as records,
        pytest.raises(RecordsError, match="altered since it was written"),
    ):
        list(records)


# Runs that this version cannot read


def test_runs_of_a_newer_version_are_counted_with_the_reason(tmp_path):
    path = shutil.copy(VERSION_1, tmp_path)
    with Records(path) as records:
        assert records.unreadable() is None
    with closing(sqlite3.connect(path)) as connection, connection:
        for rowid in (2, 5):
            *values, _ = connection.execute(
                "SELECT * FROM runs WHERE rowid = ?", (rowid,)
            ).fetchone()
            spec = json.loads(values[1])
            spec["net"]["colour"] = "blue"
            values[1] = json.dumps(spec)
            row = (values[1], checksum(values), rowid)
            connection.execute("UPDATE runs SET spec = ?, checksum = ? WHERE rowid = ?", row)
    with Records(path, mode="r") as records:
        said = records.unreadable()
    assert "2 of the 11 runs" in said
    assert "2 because NetSpec has no keyword 'colour'" in said


def test_a_run_under_a_key_that_is_not_its_spec_s_is_counted(tmp_path):
    path = tmp_path / "results.sqlite"
    spec, history = RunSpec(NetSpec((4,))), History((1.0,), (0.5,), (0.5,), 0.5, False)
    with Records(path) as records:
        records.put(spec, history)
        records.put(replace(spec, seed=1), history)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE runs SET key = 'another' WHERE rowid = 1")
    with Records(path, mode="r") as records:
        assert "1 of the 2 runs" in records.unreadable()
        assert "its key is not that of its own spec" in records.unreadable()
