"""The verbs: what they print, their exit codes, and a sentence for everything that a person can mend."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from normlab import errors
from normlab.cli import extras
from normlab.cli.reproduce import run_and_draw
from normlab.records.schema import VERSION, checksum
from normlab.studies.catalog import STUDIES

from .conftest import Run, only_tiny

REFERENCE = ("--engine", "reference", "--workers", "1")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished results folder of the small study."""
    out = tmp_path_factory.mktemp("finished") / "results"
    with pytest.MonkeyPatch.context() as patch:
        only_tiny(patch)
        run_and_draw(None, "digits", None, out, None, 1, "reference", quiet=True)
    return out


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(finished, tmp_path / "results"))


def test_version_and_help(normlab: Run) -> None:
    assert normlab("--version").out.startswith("normlab 0.")
    text = normlab("--help").out
    for verb in ("reproduce", "study", "report", "results", "data"):
        assert verb in text


@pytest.mark.usefixtures("tiny")
def test_reproduce_ends_with_records_figures_and_page(normlab: Run, tmp_path: Path) -> None:
    out = tmp_path / "results"
    said = normlab("reproduce", "--out", str(out), *REFERENCE)
    assert said.code == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "figures",
        "index.html",
        "records.sqlite",
    ]
    assert "20 of 20 runs" in said.out
    assert "1 claims on digits" in said.out
    assert str(out / "index.html") in said.out
    assert "normlab reproduce --data digits" in (out / "index.html").read_text(encoding="utf-8")
    again = normlab("reproduce", "--out", str(out), *REFERENCE)
    assert "20 of 20 runs (20 from before)" in again.out


@pytest.mark.usefixtures("tiny")
def test_quiet_prints_nothing(normlab: Run, tmp_path: Path) -> None:
    said = normlab(
        "study", "run", "depth", "--seeds", "1", "--quiet", "--out", str(tmp_path / "r"), *REFERENCE
    )
    assert said == (0, "", "")
    assert (tmp_path / "r" / "index.html").exists()


@pytest.mark.usefixtures("tiny")
def test_report_draws_the_page_again_from_records_alone(
    normlab: Run, folder: Path, tmp_path: Path
) -> None:
    page = (folder / "index.html").read_bytes()
    (folder / "index.html").unlink()
    assert normlab("report", str(folder), "--quiet") == (0, "", "")
    assert (folder / "index.html").read_bytes() == page
    elsewhere = tmp_path / "elsewhere"
    assert normlab("report", str(folder / "records.sqlite"), "--out", str(elsewhere)).code == 0
    assert (elsewhere / "index.html").read_bytes() == page


def test_results_are_filtered_sorted_and_printed(normlab: Run, folder: Path) -> None:
    said = normlab(
        "results", str(folder), "--where", "normalization=batchnorm", "--where", "batch_size=50"
    )
    assert said.code == 0
    assert "5 of 20 runs" in said.out
    assert "normalization batchnorm" in said.out.splitlines()[0]  # what all have is said once
    none = normlab(
        "results",
        str(folder),
        "--where",
        "normalization=none",
        "--columns",
        "batch_size,seed",
        "--sort",
        "-batch_size",
    )
    numbers = [line.split()[0] for line in none.out.splitlines()[1:-1]]
    assert numbers == ["50"] * 5 + ["10"] * 5
    assert "1 of 20 runs" in normlab("results", str(folder), "--limit", "1", "--columns", "all").out


@pytest.mark.parametrize(
    ("conditions", "number"),
    [
        (["batch_size<50"], 10),
        (["batch_size<=50"], 20),
        (["batch_size!=50"], 10),
        (["seed in 231,232"], 8),
        (["seed not in 231, 232"], 12),
        (["normalization=none", "batch_size>=50"], 5),
        (["best_val_acc>2"], 0),
        (["study=no-such"], 0),
    ],
)
def test_conditions_compare(normlab: Run, folder: Path, conditions: list[str], number: int) -> None:
    words = [word for condition in conditions for word in ("--where", condition)]
    said = normlab("results", str(folder), "--json", *words)
    assert len(json.loads(said.out)) == number


def test_each_run_names_its_study_and_its_curves_come_out(
    normlab: Run, folder: Path, tmp_path: Path
) -> None:
    rows = json.loads(normlab("results", str(folder), "--json").out)
    (study,) = {row["study"] for row in rows}
    assert study
    target = tmp_path / "curves.csv"
    said = normlab(
        "results", str(folder), "--where", "seed=231", "--curves", "--export", str(target)
    )
    assert said.code == 0
    values = list(csv.DictReader(target.read_text(encoding="utf-8").splitlines()))
    assert {value["measure"] for value in values} == {"loss", "train_acc", "val_acc"}
    best = {row["key"]: row["best_val_acc"] for row in rows}
    for key in {value["key"] for value in values}:
        accuracies = [
            float(v["value"]) for v in values if v["key"] == key and v["measure"] == "val_acc"
        ]
        assert max(accuracies) == best[key]
    assert "--curves goes with --export" in normlab("results", str(folder), "--curves").err


def test_runs_of_a_newer_version_are_counted_in_results(
    normlab: Run, folder: Path, tmp_path: Path
) -> None:
    copy = shutil.copy(folder / "records.sqlite", tmp_path)
    with contextlib.closing(sqlite3.connect(copy)) as connection, connection:
        for rowid, *values, _ in connection.execute("SELECT rowid, * FROM runs LIMIT 7").fetchall():
            values[1] = values[1].replace('"reg"', '"ridge"')
            row = (values[1], checksum(values), rowid)
            connection.execute("UPDATE runs SET spec = ?, checksum = ? WHERE rowid = ?", row)
    said = normlab("results", str(copy))
    assert "20 runs" in said.out
    assert "7 of the 20 runs" in said.err
    assert "no keyword 'ridge'" in said.err
    assert normlab("results", str(folder)).err == ""


def test_results_are_exported_to_csv_and_parquet(
    normlab: Run, folder: Path, tmp_path: Path
) -> None:
    said = normlab("results", str(folder), "--export", str(tmp_path / "runs.csv"))
    assert "20 runs written" in said.out
    rows = list(csv.DictReader((tmp_path / "runs.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 20
    assert {row["batch_size"] for row in rows} == {"10", "50"}
    parquet = pytest.importorskip("pyarrow.parquet")
    assert normlab("results", str(folder), "--export", str(tmp_path / "runs.parquet")).code == 0
    table = parquet.read_table(tmp_path / "runs.parquet")
    assert table.num_rows == 20
    assert table.column("best_val_acc").to_pylist() == [float(row["best_val_acc"]) for row in rows]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--where", "normalisation=batchnorm"), "did you mean 'normalization'?"),
        (("--where", "batch_size"), "is no condition; write NAME=VALUE"),
        (("--where", "batch_size<many"), "is no number to compare batch_size with"),
        (("--sort", "speed"), "column='speed' is not one of"),
        (("--export", "runs.xls"), "ends in none of .csv, .parquet and .json"),
        (("--export", "/proc/nowhere/runs.csv"), "cannot be written"),
    ],
)
def test_wrong_questions_about_results_are_answered(
    normlab: Run, folder: Path, words: tuple[str, ...], sentence: str
) -> None:
    said = normlab("results", str(folder), *words)
    assert said.code == 2
    assert sentence in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("reproduce", "--studies", "dept"), "did you mean 'depth'?"),
        (("reproduce", "--data", "cifar"), "did you mean 'cifar10'?"),
        (("reproduce", "--data", "mnist", "--data-dir", "/nowhere/at/all"), "does not exist"),
        (("reproduce", "--engine", "steam"), "engine='steam' is not one of"),
        (("study", "show", "width"), "studies='width' is not one of"),
        (("report", "no-such-folder"), "there are no records at no-such-folder"),
        (("results", "no-such-folder"), "there are no records at no-such-folder"),
        (("data", "fetch", "imagenet"), "'imagenet' is not one of"),
    ],
)
def test_what_does_not_exist_is_a_sentence(
    normlab: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    said = normlab(*words)
    assert said.code == 2
    assert sentence in said.err
    assert said.err.startswith("normlab: ")
    assert "Traceback" not in said.err


def test_a_misspelled_option_is_refused(normlab: Run) -> None:
    said = normlab("reproduce", "--seed", "3")
    assert said.code == 2
    assert "--seed" in said.err
    assert normlab("reproduce", "--seeds", "0").code == 2


@pytest.mark.usefixtures("tiny")
def test_records_of_a_newer_version_are_left_alone(normlab: Run, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "records.sqlite") as connection:
        connection.execute("CREATE TABLE runs (key)")
        connection.execute("PRAGMA application_id = 1852596578")
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    before = (tmp_path / "records.sqlite").read_bytes()
    said = normlab("reproduce", "--out", str(tmp_path), *REFERENCE)
    assert said.code == 2
    assert "update normlab" in said.err
    assert (tmp_path / "records.sqlite").read_bytes() == before


@pytest.mark.usefixtures("tiny")
def test_a_folder_that_cannot_be_made_is_a_sentence(normlab: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    said = normlab("reproduce", "--out", str(tmp_path / "file" / "results"), *REFERENCE)
    assert said.code == 2
    assert "cannot be made" in said.err
    assert "--out" in said.err


def test_a_missing_package_is_named_before_work(
    normlab: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        errors,
        "find_spec",
        lambda name: None if name in ("scipy", "altair", "pyarrow") else object(),
    )
    said = normlab("reproduce")
    assert said.code == 2
    assert "needs SciPy, Altair: install with  pip install 'normlab[studies]'" in said.err
    with pytest.raises(errors.MissingPackageError, match=r"end in \.csv|ends in \.csv"):
        extras.need_parquet()


def test_studies_are_listed_and_shown(normlab: Run) -> None:
    listed = normlab("study", "list").out
    assert all(name in listed for name in STUDIES)
    shown = normlab("study", "show", "batch-size").out
    assert STUDIES["batch-size"].question in shown
    assert "Equal steps" in shown
    assert all(claim.statement[:40] in shown for claim in STUDIES["batch-size"].claims)


def test_data_sets_are_listed(normlab: Run, tmp_path: Path) -> None:
    said = normlab("data", "list", "--data-dir", str(tmp_path))
    assert "inside the package" in said.out
    assert "`normlab data fetch cifar10` downloads it" in said.out


def test_the_command_line_starts_without_its_heavy_guests() -> None:
    program = (
        "import sys; import normlab.cli.app;heavy = {'scipy', 'altair', 'numba', 'vl_convert', "
        "'jinja2', 'pandas', 'joblib'} & set(sys.modules);print(sorted(heavy))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert json.loads(ended.stdout.replace("'", '"')) == []


def test_every_verb_is_listed_once_with_a_whole_summary(normlab: Run) -> None:
    from normlab.cli.app import app
    from normlab.cli.verbs import GROUPS

    said = normlab("--help").out
    verbs = {
        each.name or each.callback.__name__ for each in app.registered_commands if each.callback
    }
    verbs |= {each.name for each in app.registered_groups if each.name}
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(verbs)
    assert not any(line.endswith("...") for line in said.splitlines()[1:])
    assert "Begin with:" in said
