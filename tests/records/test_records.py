"""Records keep what was put, say what is wrong with a file, and never lose a row."""

import contextlib
import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import fields
from pathlib import Path

import pytest

from normlab import engines, machine, randomness
from normlab.errors import OptionError, RecordsError
from normlab.records import Records
from normlab.records.schema import APPLICATION_ID, VERSION
from normlab.specs import DataSpec, History, NetSpec, RunSpec, TrainingSpec, replace

ROOT = Path(__file__).parents[2]
SPEC = RunSpec(
    NetSpec((20, 30), normalization="batchnorm"),
    TrainingSpec(batch_size=5),
    DataSpec(num_train=50),
    seed=3,
)
HISTORY = History((2.5, 1.1 + 2.2), (0.1, 0.35), (0.1, 0.3), 0.3, False, seconds=1.5)
DIVERGED = History((2.5, math.inf, math.nan), (0.1, 0.1), (0.1, 0.1), 0.1, True, seconds=0.5)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results.sqlite"


@pytest.fixture
def filled(path):
    with Records(path) as records:
        for seed in range(20):
            records.put(replace(SPEC, seed=seed), HISTORY if seed % 2 else DIVERGED)
        records.put_measurement("k", "spread", '{"layer":1}', "[0.5]")
        records.put_sweep('{"seeds":20}')
    return path


def everything(path):
    with Records(path, mode="r") as records:
        return list(records), list(records.measurements()), records.sweeps()


def sql(path, statement):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement).fetchall()


# Round trips


def test_a_run_comes_back_equal(path):
    with Records(path) as records:
        assert records.get(SPEC.key) is None
        assert SPEC.key not in records
        assert records.put(SPEC, HISTORY)
    with Records(path, mode="r") as records:
        assert SPEC.key in records
        assert records.get(SPEC.key) == HISTORY
        assert records.get(SPEC.key).seconds == 1.5
        assert records.keys() == [SPEC.key]
        assert list(records) == [(SPEC, HISTORY)]
        assert len(records) == 1


def test_a_diverged_run_keeps_its_nan_and_infinity(path):
    with Records(path) as records:
        records.put(SPEC, DIVERGED)
        assert records.get(SPEC.key) == DIVERGED
        assert records.export_rows()[0]["final_loss"] is None
    assert sql(path, "SELECT diverged, final_loss FROM runs") == [(1, None)]


def test_the_first_result_of_a_key_stays(path):
    with Records(path) as records:
        assert records.put(SPEC, HISTORY) is True
        assert records.put(SPEC, DIVERGED) is False
        assert records.get(SPEC.key) == HISTORY
        assert records.put_measurement("k", "kind", "{}", "1") is True
        assert records.put_measurement("k", "kind", "{}", "2") is False
        assert records.get_measurement("k") == "1"


def test_several_measurements_are_all_recorded_or_none(path):
    rows = [("a", "spread", "{}", "1"), ("b", "spread", "{}", "2"), ("a", "spread", "{}", "3")]
    with Records(path) as records:
        assert records.put_measurements(rows) == 2
        assert records.get_measurement("a") == "1"
        assert records.put_measurements(rows) == 0
        with pytest.raises(OptionError, match="strict JSON"):
            records.put_measurements([("c", "spread", "{}", "4"), ("d", "spread", "{}", "NaN")])
        assert records.get_measurement("c") is None


def test_measurements_and_sweeps_come_back_in_order(path):
    with Records(path) as records:
        assert records.get_measurement("b") is None
        records.put_measurement("b", "spread", '{"layer":1}', "[0.5,null]")
        records.put_measurement("a", "gap", "{}", '"inf"')
        records.put_sweep('{"seeds":5}')
        records.put_sweep('{"seeds":5}')  # the same command again is another sweep
        records.put_sweep('{"seeds":6}')
    with Records(path, mode="r") as records:
        assert list(records.measurements()) == [
            ("b", "spread", '{"layer":1}', "[0.5,null]"),
            ("a", "gap", "{}", '"inf"'),
        ]
        assert records.sweeps() == ['{"seeds":5}', '{"seeds":5}', '{"seeds":6}']
        assert len(records) == 0


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "{", "", None])
def test_only_strict_json_is_recorded(path, text):
    with Records(path) as records:
        with pytest.raises(OptionError, match="strict JSON"):
            records.put_measurement("k", "kind", "{}", text)
        with pytest.raises(OptionError, match="strict JSON"):
            records.put_sweep(text)
        assert records.get_measurement("k") is None


def test_provenance_names_versions_machine_and_times(path):
    with Records(path) as records:
        records.put(SPEC, HISTORY)
        records.put(replace(SPEC, seed=4), HISTORY)
        (group,) = records.provenance()
    assert group["runs"] == 2
    assert {"normlab", "numpy", "python"} <= group["versions"].keys()
    assert {"processor", "blas", "cores", "simd", "libc"} <= group["machine"].keys()
    assert "compiled" not in group["machine"]  # the reference is not
    assert all({"name", "core_type", "threads"} <= blas.keys() for blas in group["machine"]["blas"])
    assert group["first"] < group["last"]
    assert group["last"].endswith("+00:00")


def test_the_compiled_engine_names_its_library(path):
    if engines.COMPILED.why_not() is not None:
        pytest.skip(engines.COMPILED.why_not())
    made = machine.made_here(engines.COMPILED.provenance())
    with Records(path) as records:
        records.put(SPEC, replace(HISTORY, engine="compiled", provenance=made))
        (group,) = records.provenance()
    named = group["machine"]["compiled"]
    assert {"version", "instruction_set", "library", "origin"} == named.keys()


def test_a_record_says_who_trained_the_run_not_who_wrote_it(path):
    """A run trained on another machine, or copied from another file, keeps its provenance."""
    elsewhere = machine.Provenance('{"numpy": "1.0"}', '{"processor": "another"}')
    with Records(path) as records, Records(path.with_name("copy.sqlite")) as copy:
        records.put(SPEC, replace(HISTORY, provenance=elsewhere))
        copy.put(SPEC, records.get(SPEC.key))
        (group,) = copy.provenance()
    assert group["versions"] == {"numpy": "1.0"}
    assert group["machine"] == {"processor": "another"}


# The digest


def digest(path, runs, measurements=()):
    with Records(path) as records:
        for spec, history in runs:
            records.put(spec, history)
        for measurement in measurements:
            records.put_measurement(*measurement)
        return records.digest()


def test_the_digest_knows_results_alone(tmp_path):
    runs = [(replace(SPEC, seed=seed), HISTORY) for seed in range(5)]
    measured = [("a", "gap", "{}", "1"), ("b", "gap", "{}", "2")]
    reference = digest(tmp_path / "a", runs, measured)
    slower = [
        (spec, replace(history, seconds=99.0, engine="compiled"))
        for spec, history in reversed(runs)
    ]
    assert digest(tmp_path / "b", slower, measured[::-1]) == reference
    last_bit = replace(HISTORY, loss=(HISTORY.loss[0], math.nextafter(HISTORY.loss[1], 9)))
    assert digest(tmp_path / "c", [*runs[:4], (runs[4][0], last_bit)], measured) != reference
    assert digest(tmp_path / "d", runs[:4], measured) != reference
    assert digest(tmp_path / "e", runs, [measured[0], ("b", "gap", "{}", "3")]) != reference


# Plain SQL


def test_the_results_can_be_queried_with_plain_sql(filled):
    found = sql(
        filled,
        "SELECT seed, final_loss FROM results WHERE normalization = 'batchnorm' AND NOT diverged",
    )
    assert found == [(seed, HISTORY.final_loss) for seed in range(1, 20, 2)]
    assert sql(filled, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert sql(filled, "PRAGMA user_version") == [(VERSION,)]


def test_the_view_has_every_setting_and_is_what_is_exported(filled):
    with Records(filled, mode="r") as records:
        rows = records.export_rows()
    settings = {
        field.name for part in (NetSpec, TrainingSpec, DataSpec) for field in fields(part)
    } - {"name"}
    assert (
        settings | {"data", "seed", "key", "best_val_acc", "best_train_acc", "seconds", "engine"}
        <= rows[0].keys()
    )
    assert [tuple(row.values()) for row in rows] == sql(filled, "SELECT * FROM results")
    assert json.loads(rows[3]["hidden_dims"]) == [20, 30]
    assert [row["seed"] for row in rows] == list(range(20))


# What can be wrong with a file


def test_a_reader_creates_nothing(path):
    with pytest.raises(RecordsError, match=r"no records at .*results\.sqlite"):
        Records(path, mode="r")
    assert not path.exists()


def test_a_missing_folder_is_a_sentence(tmp_path):
    with pytest.raises(RecordsError, match=r"the folder .*absent .* does not exist"):
        Records(tmp_path / "absent" / "results.sqlite")


def test_an_unknown_mode_is_refused(path):
    with pytest.raises(OptionError, match="mode='w' is not one of 'a', 'r'"):
        Records(path, mode="w")


def test_a_folder_in_place_of_a_file_is_a_sentence(tmp_path):
    with pytest.raises(RecordsError, match="cannot be opened"):
        Records(tmp_path)


@pytest.mark.parametrize("mode", ["a", "r"])
def test_a_file_that_is_no_database_is_a_sentence_and_stays(path, mode):
    path.write_text("key,loss\n" * 200)
    with pytest.raises(RecordsError, match="is not an SQLite file"):
        Records(path, mode=mode)
    assert path.read_text() == "key,loss\n" * 200


@pytest.mark.parametrize("mode", ["a", "r"])
def test_another_programs_database_is_a_sentence_and_stays(path, mode):
    sql(path, "CREATE TABLE bookmarks (address TEXT)")
    before = path.read_bytes()
    with pytest.raises(RecordsError, match="of another program"):
        Records(path, mode=mode)
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", ["a", "r"])
def test_a_newer_schema_is_a_sentence_and_stays(filled, mode):
    sql(filled, f"PRAGMA user_version = {VERSION + 1}")
    before = filled.read_bytes()
    with pytest.raises(
        RecordsError, match=rf"schema version {VERSION + 1}.* knows up to {VERSION}: update normlab"
    ):
        Records(filled, mode=mode)
    assert filled.read_bytes() == before


def test_an_empty_file_becomes_records_but_cannot_be_read(path):
    path.touch()
    with pytest.raises(RecordsError, match="holds no records"):
        Records(path, mode="r")
    with Records(path) as records:
        assert len(records) == 0


def test_every_truncation_is_a_sentence_or_harmless(filled, tmp_path):
    content, whole = filled.read_bytes(), everything(filled)
    part = tmp_path / "part"
    lengths = {*range(1, len(content), 997), *range(4096, len(content), 4096), len(content) - 1}
    for length in lengths:
        part.write_bytes(content[:length])
        with pytest.raises(RecordsError, match="part"):
            everything(part)
    part.write_bytes(content)
    assert everything(part) == whole


def test_every_flipped_bit_is_a_sentence_or_harmless(filled, tmp_path):
    content, whole = filled.read_bytes(), everything(filled)
    altered, noticed = tmp_path / "altered", 0
    for place in randomness.generator(1).choice(len(content), 300, replace=False):
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(place) % 8
        altered.write_bytes(flipped)
        try:
            assert everything(altered) == whole
        except RecordsError:
            noticed += 1
    assert noticed > 100  # most of the file is content


@pytest.mark.parametrize(
    ("name", "other"),
    [(b"best_train_acc", b"best_Train_acc"), (b" seconds REAL", b" seconds TEAL")],
)
def test_a_letter_of_a_table_s_definition_is_noticed(filled, name, other):
    """To SQLite these are tables like any other; a column would go by another name, or have another type."""
    content = filled.read_bytes()
    place = content.index(name, content.index(b"CREATE TABLE runs"))
    filled.write_bytes(content[:place] + other + content[place + len(name) :])
    for mode in ("r", "a"):
        with pytest.raises(
            RecordsError, match=r"are damaged \(the table runs is not as it was made\)"
        ):
            Records(filled, mode=mode)


def test_an_edited_row_is_noticed_by_whoever_reads_it(filled):
    sql(filled, "UPDATE runs SET best_val_acc = 0.99 WHERE rowid = 7")
    key = replace(SPEC, seed=6).key
    with Records(filled) as records:
        assert records.get(SPEC.key) == HISTORY
        for read in (
            lambda: records.get(key),
            lambda: list(records),
            records.digest,
            records.export_rows,
        ):
            with pytest.raises(RecordsError, match=rf"a row of runs has been altered.*{key}"):
                read()


def test_closed_records_say_so(path):
    records = Records(path)
    records.close()
    records.close()
    with pytest.raises(RecordsError, match="closed"):
        records.get(SPEC.key)


# Where nothing can be written


@pytest.fixture
def unprivileged():
    """A folder and a way to lose root's power to write everywhere, as permissions mean nothing to root."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)

        @contextlib.contextmanager
        def as_nobody():
            if os.geteuid() != 0:
                yield
                return
            os.seteuid(65534)
            try:
                yield
            finally:
                os.seteuid(0)

        yield Path(folder), as_nobody
        Path(folder).chmod(0o755)


def filled_in(folder, mode):
    path = folder / "results.sqlite"
    with Records(path) as records:
        records.put(SPEC, HISTORY)
    path.chmod(mode)
    folder.chmod(0o555)
    return path


@pytest.mark.parametrize("mode", [0o444, 0o666])
def test_a_read_only_file_or_folder_can_be_read_and_says_so_to_a_writer(unprivileged, mode):
    folder, as_nobody = unprivileged
    path = filled_in(folder, mode)
    with as_nobody():
        assert everything(path)[0] == [(SPEC, HISTORY)]
        with pytest.raises(RecordsError, match="the file or its folder is read-only"):
            Records(path)
    assert everything(path)[0] == [(SPEC, HISTORY)]


def test_a_new_file_in_a_read_only_folder_is_a_sentence(unprivileged):
    folder, as_nobody = unprivileged
    folder.chmod(0o555)
    with as_nobody(), pytest.raises(RecordsError, match="permission is missing"):
        Records(folder / "results.sqlite")


def test_a_reader_cannot_write(filled):
    with Records(filled, mode="r") as records, pytest.raises(RecordsError, match="mode='r'"):
        records.put(SPEC, HISTORY)


def test_a_full_disk_is_a_sentence_and_loses_nothing(filled):
    whole = everything(filled)
    long_history = replace(HISTORY, loss=tuple(float(step) for step in range(50_000)))
    with Records(filled) as records:
        records._connection.execute(
            "PRAGMA max_page_count = 1"
        )  # no page more: SQLite's own full disk
        with pytest.raises(
            RecordsError, match=r"is full. Free space; every run recorded before is safe"
        ):
            records.put(replace(SPEC, seed=99), long_history)
        assert records.get(SPEC.key) == HISTORY
    assert everything(filled) == whole


LIMITED = """
import resource, sys
from normlab.errors import RecordsError
from normlab.records import Records
from tests.records.test_records import HISTORY, SPEC, replace
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
with Records(sys.argv[1]) as records:
    try:
        for seed in range(1000):
            records.put(replace(SPEC, seed=seed), HISTORY)
            print(seed, flush=True)
    except RecordsError as error:
        print(error)
"""


def run_python(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


def test_an_allowed_file_size_that_is_reached_loses_nothing(path):
    *kept, sentence = run_python(LIMITED, path).communicate()[0].splitlines()
    assert "is full. Free space" in sentence
    assert kept
    with Records(path) as records:
        assert [spec.seed for spec, _ in records] == list(map(int, kept))


# More than one process


def test_a_busy_file_is_a_sentence_after_the_wait(filled):
    with contextlib.closing(sqlite3.connect(filled, isolation_level=None)) as other:
        records = Records(filled, timeout=0.05)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RecordsError, match="written by another process"):
            records.put(replace(SPEC, seed=99), HISTORY)
        with pytest.raises(RecordsError, match="written by another process"):
            Records(filled, timeout=0.05)
        assert records.get(SPEC.key) == HISTORY  # who reads need not wait
        other.execute("ROLLBACK")
        assert records.put(replace(SPEC, seed=99), HISTORY)
        records.close()


PUT_MANY = """
import sys
from normlab.records import Records
from tests.records.test_records import HISTORY, SPEC, replace
with Records(sys.argv[1]) as records:
    print("ready", flush=True)
    for seed in map(int, sys.argv[2:]):
        records.put(replace(SPEC, seed=seed), HISTORY)
"""


def test_two_processes_may_fill_one_file(path):
    ours, theirs = range(60), range(59, 10, -1)
    processes = [run_python(PUT_MANY, path, *map(str, seeds)) for seeds in (ours, theirs)]
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(spec.seed for spec, _ in everything(path)[0]) == list(ours)


def test_a_writer_killed_in_the_middle_of_a_transaction_leaves_what_was_committed(filled):
    """The state on the disk just after a kill: the file half changed, its journal beside it."""
    whole = everything(filled)
    killed = filled.with_name("killed.sqlite")
    with contextlib.closing(sqlite3.connect(filled, isolation_level=None)) as other:
        other.execute("PRAGMA cache_size = 1")
        other.execute(
            "PRAGMA cache_spill = 1"
        )  # so that changed pages reach the file before the commit
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE runs SET history = ''")
        killed.write_bytes(filled.read_bytes())
        journal = filled.with_name(filled.name + "-journal").read_bytes()
        killed.with_name(killed.name + "-journal").write_bytes(journal)
        other.execute("ROLLBACK")
    assert killed.read_bytes() != filled.read_bytes()
    assert everything(killed) == whole
    assert not killed.with_name(killed.name + "-journal").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not delete open files")
def test_a_file_deleted_while_it_is_in_use_is_not_called_safe(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    with Records(folder / "records.sqlite") as records:
        records.put_sweep("{}")
        shutil.rmtree(folder)
        with pytest.raises(
            RecordsError, match="were moved or deleted while they were in use"
        ) as caught:
            records.put_sweep("{}")
    assert "safe" not in str(caught.value)
