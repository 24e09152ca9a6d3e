"""Runs that were trained elsewhere: read from every format alike, and weighed as our own are."""

import csv

import numpy as np
import pytest

from normlab.errors import OptionError
from normlab.studies.imported import findings_from
from normlab.studies.runs_file import Run, read_runs
from normlab.studies.statistics import effect_interval

ARMS = {"none": 0.90, "batchnorm": 0.93, "layernorm": 0.931}


def table(seeds=8, spread=0.004):
    rng = np.random.RandomState(0)
    return [
        {
            "arm": arm,
            "seed": seed,
            "test_acc": round(mean + spread * rng.randn(), 6),
            "loss": round(0.3 + 0.01 * rng.randn(), 6),
        }
        for arm, mean in ARMS.items()
        for seed in range(seeds)
    ]  # fmt: skip


def write_csv(path, rows, delimiter=","):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_set(runs):
    return {(run.arm, run.seed, tuple(sorted(run.numbers.items()))) for run in runs}


def test_wide_long_parquet_and_semicolons_hold_the_same_runs(tmp_path):
    rows = table()
    wide = as_set(read_runs([write_csv(tmp_path / "wide.csv", rows)]))
    assert len(wide) == 24
    long = [
        {"arm": row["arm"], "seed": row["seed"], "measure": name, "value": row[name]}
        for row in rows
        for name in ("test_acc", "loss")
    ]
    assert as_set(read_runs([write_csv(tmp_path / "long.csv", long)])) == wide
    assert as_set(read_runs([write_csv(tmp_path / "semi.csv", rows, ";")])) == wide
    parquet = pytest.importorskip("pyarrow.parquet", reason="PyArrow is not installed")
    import pyarrow

    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "runs.parquet")
    assert as_set(read_runs([tmp_path / "runs.parquet"])) == wide


def test_exports_of_weights_and_biases_and_of_tensorboard(tmp_path):
    """A panel's CSV has a column a run and its extremes; a scalar's CSV is a file a run."""
    (tmp_path / "wandb.csv").write_text(
        '"Step","batchnorm-seed3 - acc","batchnorm-seed3 - acc__MIN","batchnorm-seed3 - acc__MAX","none-seed3 - acc"\n'
        "0,0.1,0.1,0.1,0.2\n1,0.8,0.8,0.8,0.5\n"
    )
    assert as_set(read_runs([tmp_path / "wandb.csv"])) == {
        ("batchnorm", 3, (("acc", 0.8),)), ("none", 3, (("acc", 0.5),)),
    }  # fmt: skip
    folder = tmp_path / "tb"
    folder.mkdir()
    for arm, last in (("none", 0.5), ("batchnorm", 0.8)):
        text = f"Wall time,Step,Value\n1.0,0,0.1\n2.0,10,{last}\n"
        (folder / f"run-{arm}_7-tag-val.csv").write_text(text)
    (one, other) = sorted(read_runs([folder]), key=lambda run: run.arm)
    assert (one.arm, one.seed, one.numbers, one.curves) == (
        "batchnorm",
        7,
        {"val": 0.8},
        {"val": (0.1, 0.8)},
    )
    assert other.numbers == {"val": 0.5}


def test_the_verdicts_are_those_of_our_own_statistics(tmp_path):
    rows = table()
    findings = findings_from(
        read_runs([write_csv(tmp_path / "runs.csv", rows)]), command="normlab report"
    )
    (study,) = findings.studies
    by_name = {claim.name: claim for claim in study.claims}
    assert set(by_name) == {
        "batchnorm over none",
        "layernorm over none",
        "layernorm over batchnorm",
    }
    claim = by_name["batchnorm over none"]
    values = {arm: [row["test_acc"] for row in rows if row["arm"] == arm] for arm in ARMS}
    effects = [b - a for a, b in zip(values["none"], values["batchnorm"], strict=True)]
    assert (claim.effect, claim.low, claim.high) == pytest.approx(
        tuple(vars(effect_interval(effects)).values())
    )
    assert claim.verdict == "holds"
    assert by_name["layernorm over batchnorm"].verdict == "cannot tell"


def test_less_of_a_loss_is_better_and_claims_may_be_given(tmp_path):
    runs = read_runs([write_csv(tmp_path / "runs.csv", table())])
    (study,) = findings_from(runs, measure="loss").studies
    assert "lower" in study.question
    (study,) = findings_from(runs, claims=["batchnorm > none by 0.5"]).studies
    (claim,) = study.claims
    assert claim.verdict == "fails"
    assert claim.margin == 0.5


def test_runs_that_have_no_partner_are_left_out_and_said_to_be():
    runs = [Run("a", seed, {"acc": 0.5 + 0.01 * seed}, {}) for seed in range(6)]
    runs += [Run("b", seed, {"acc": 0.7 + 0.01 * seed}, {}) for seed in range(2, 8)]
    (study,) = findings_from(runs).studies
    assert study.claims[0].seeds == 4
    assert "0, 1, 6, 7" in " ".join(study.answer)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("arm,seed,acc\na,1,high\nb,1,0.5\n", "line 2: acc is 'high', which is no number"),
        ("arm,seed,acc,loss\na,1,0.5,\nb,1,,0.5\n", "no measure is there in every run"),
        ("arm,seed,acc\na,one,0.4\n", "line 2: seed is 'one', which is no number"),
        ("arm,seed,acc\na,1.5,0.4\n", "line 2: seed is '1.5'; a seed is a whole number"),
        ("arm,seed,acc\na,1\n", "line 2: 2 cells for 3 columns"),
        ("arms,seed,acc\na,1,0.5\n", "line 1: there is no column 'arm'; did you mean 'arms'"),
        ("arm,sed,acc\na,1,0.5\n", "there is no column 'seed'"),
        ("arm,seed,acc\n", "has no rows"),
        ("arm,seed,acc\na,1,0.5\na,1,0.6\nb,1,0.5\n", "has 2 values of 'acc' at one step"),
        ("arm,seed,acc\na,1,0.5\na,2,0.5\n", "there is one arm, 'a'"),
        (
            "arm,seed,measure,value\na,1,acc,0.5\nb,1,acc,x\n",
            "line 3: value is 'x', which is no number",
        ),
    ],
)
def test_a_bad_file_gets_a_sentence_with_its_line(tmp_path, text, words):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(OptionError) as caught:
        findings_from(read_runs([tmp_path / "bad.csv"]))
    assert words in str(caught.value)


def test_other_sentences(tmp_path):
    runs = read_runs([write_csv(tmp_path / "runs.csv", table())])
    for options, words in (
        ({"measure": "tst_acc"}, "did you mean 'test_acc'"),
        ({"claims": ["batchnorm better"]}, "write 'ARM > ARM'"),
        ({"claims": ["batch > none"]}, "did you mean 'batchnorm'"),
    ):
        with pytest.raises(OptionError) as caught:
            findings_from(runs, **options)
        assert words in str(caught.value)
    with pytest.raises(OptionError, match="cannot be read"):
        read_runs([tmp_path / "missing.csv"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(OptionError, match=r"has no \.csv"):
        read_runs([tmp_path / "empty"])


def test_the_page_is_drawn_from_the_command_line(tmp_path):
    from typer.testing import CliRunner

    from normlab.cli.app import app

    file = write_csv(tmp_path / "runs.csv", table())
    done = CliRunner().invoke(app, ["report", "--runs", str(file), "--out", str(tmp_path / "page")])
    assert done.exit_code == 0, done.output
    assert "holds: test_acc is" in done.output
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "Runs trained elsewhere" in page
    assert "layernorm" in page
