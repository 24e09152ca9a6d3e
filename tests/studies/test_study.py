"""A study that cannot work is refused in a sentence before a net is trained; one from outside works everywhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from normlab.data import Dataset
from normlab.errors import OptionError, RecordsError
from normlab.records import Records
from normlab.studies import (
    Claim,
    Grid,
    Lines,
    Quantity,
    Reason,
    Study,
    check,
    load,
    over_field,
    over_norms,
    stored,
)
from normlab.studies.catalog import STUDIES
from normlab.studies.collection import collect
from normlab.studies.running import run

RATE = {"norm": "batch norm", "rate": 0.1}
CLAIM = Claim(
    name="faster",
    statement="A larger rate fits better.",
    left=Quantity("best training accuracy", RATE),
    right=Quantity("best training accuracy", {**RATE, "rate": 0.01}),
    holds="It does: {left} against {right}.",
    fails="It does not: {left} against {right}.",
)
STUDY = Study(
    name="rates",
    title="Rates",
    question="Which?",
    grids=(
        Grid(
            {"hidden_dims": (4,)},
            (
                over_norms(None, "batchnorm"),
                over_field("rate", "learning_rate", (0.01, 0.1), "Rate"),
            ),
        ),
    ),
    measures=("best training accuracy",),
    figure=(Lines("Accuracy", "best training accuracy", x="rate", x_log=True),),
    claims=(CLAIM,),
    answer=(Reason("Because.", ("faster",)),),
)


def with_claim(**changes: object) -> dict[str, object]:
    return {"claims": (replace(CLAIM, **changes),)}


WRONG = {
    "a misspelt measure": (
        with_claim(left=Quantity("best trainig accuracy", RATE)),
        "did you mean 'best training accuracy'",
    ),
    "a curve for a number": (with_claim(left=Quantity("loss", RATE)), "is a curve"),
    "a misspelt norm": (
        with_claim(left=Quantity("best training accuracy", {"norm": "batchnorm"})),
        "no point has norm 'batchnorm'; did you mean 'batch norm'",
    ),
    "a misspelt axis": (
        with_claim(left=Quantity("best training accuracy", {"rates": 0.1})),
        "there is no axis 'rates'; did you mean 'rate'",
    ),
    "a misspelt place": (with_claim(holds="It does: {lft}."), "the place {lft}"),
    "a brace left open": (with_claim(holds="It does: {left."), "cannot be read"),
    "a right side that is not there": (with_claim(right=None), "no right side"),
    "a margin without a reason": (with_claim(margin=0.1), "is not argued for"),
    "a unit that does not fit": (with_claim(unit="loss"), "unit='loss'"),
    "no full stop": (with_claim(statement="So it is"), "full stop"),
    "the better of an axis that is not there": (
        with_claim(left=Quantity("best training accuracy", RATE, best_of="start")),
        "best_of names 'start'",
    ),
    "a reason on no claim": ({"answer": (Reason("So.", ("fastr",)),)}, "did you mean 'faster'"),
    "an axis without a title": (
        {
            "grids": (
                Grid(
                    {"hidden_dims": (4,)},
                    (
                        over_norms(None, "batchnorm"),
                        over_field("rate", "learning_rate", (0.01, 0.1)),
                    ),
                ),
            )
        },
        "has no title to print",
    ),
    "a setting that no spec has": (
        {"grids": (Grid({"hiden_dims": (4,)}, (over_norms("batchnorm"),)),)},
        "did you mean 'hidden_dims'",
    ),
    "a net that cannot be built": (
        {"grids": (Grid({"hidden_dims": (4,), "dropout": 2.0}, (over_norms("batchnorm"),)),)},
        "dropout=2.0",
    ),
    "two nets at one place": (
        {
            "grids": (
                *STUDY.grids,
                Grid(
                    {"hidden_dims": (5,), "learning_rate": 0.1},
                    (over_norms("batchnorm"),),
                    {"rate": 0.1},
                ),
            )
        },
        "they differ in hidden_dims",
    ),
    "too few seeds": ({"seeds": 2}, "decide no claim"),
    "a probe's measure without the probe": (
        {"figure": (Lines("Kept", "signal kept", x="rate"),)},
        "nothing measures 'signal kept'",
    ),
    "several measures without a common title": (
        {
            "figure": (
                Lines("Both", ("best training accuracy", "best validation accuracy"), x="rate"),
            )
        },
        "give it a y_title",
    ),
    "a curve over an axis": ({"figure": (Lines("Loss", "loss", x="rate"),)}, "draw it over 'step'"),
    "an unknown number in the tables": ({"measures": ("bset",)}, "measures name 'bset'"),
    "a name that makes no file": ({"name": "My rates"}, "small letters"),
    "two claims of one name": ({"claims": (CLAIM, CLAIM)}, "two claims"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_said_before_anything_is_trained(wrong: str) -> None:
    changes, sentence = WRONG[wrong]
    with pytest.raises(OptionError) as refused:
        replace(STUDY, **changes)
    assert sentence in str(refused.value)


def test_a_number_of_an_axis_may_differ_by_rounding() -> None:
    grown = 0.01 * 10 * (1 + 1e-13)
    assert replace(
        STUDY, **with_claim(left=Quantity("best training accuracy", {**RATE, "rate": grown}))
    )


@pytest.mark.parametrize("study", STUDIES.values(), ids=str)
def test_a_study_survives_the_records(study: Study) -> None:
    text = stored.to_json(study)
    again = stored.from_json(text)
    assert stored.to_json(again) == text
    assert stored.design_hash(again) == stored.design_hash(study)
    assert [claim.statement for claim in again.claims] == [
        claim.statement for claim in study.claims
    ]


def test_the_hash_is_of_what_is_asked() -> None:
    asked = stored.design_hash(STUDY)
    assert stored.design_hash(replace(STUDY, title="Other", figure=())) == asked
    assert stored.design_hash(replace(STUDY, **with_claim(margin=0.01, why="so."))) != asked
    assert stored.design_hash(replace(STUDY, seeds=11)) != asked


FILE = """
from normlab.studies import Claim, Grid, Lines, Measure, Probe, Quantity, Reason, Study, over, over_norms


def largest(spec, data, net):
    return {"largest weight": float(max(abs(net.params["W1"]).max(), 0.0))}


WEIGHT = Probe("largest weight", "a trained net", largest, gives=(Measure("largest weight", "Largest weight", "loss"),))
DROP = Measure("drop", "Loss gone", "loss", lambda history: history.loss[0] - history.loss[-1])
SIZES = over("examples a step", {n: {"batch_size": n} for n in (20, 50)}, "Examples a step", "{} a step")

MINE = Study(
    name="mine",
    title="My own question",
    question="Does it fall?",
    seeds=3,
    most_seeds=3,
    grids=(
        Grid(
            {"hidden_dims": (6,), "num_epochs": 1},
            (over_norms(None, "groupnorm", groups=2), SIZES),
            probes=(WEIGHT,),
        ),
    ),
    measures=("best training accuracy", "largest weight", DROP),
    figure=(Lines("Drop", "drop", x="examples a step"), Lines("Weight", "largest weight", x="examples a step")),
    claims=(
        Claim(
            name="falls",
            statement="The loss falls.",
            left=Quantity("drop", {"norm": "no norm"}),
            right=None,
            holds="By {left}.",
            fails="By {left}.",
            unit="loss",
        ),
    ),
    answer=(Reason("It falls.", ("falls",)),),
)
"""


@pytest.fixture(scope="module")
def data() -> Dataset:
    rng = np.random.RandomState(0)
    X, y = rng.randn(300, 12), rng.randint(0, 3, size=300)
    X[np.arange(300), y] += 3
    parts = X[:200], y[:200], X[200:260], y[200:260], X[260:], y[260:]
    return Dataset("made up", *parts, num_classes=3)


def test_a_study_from_outside_runs_and_is_drawn_without_its_file(
    data: Dataset, tmp_path: Path
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(FILE)
    study = load(file)
    price = check(study, data.spec)
    assert (price.nets, price.at_most) == (12, 12)
    assert price.problems == (
        "claim 'falls' is about a loss: where runs diverge, fewer than 6 seeds decide nothing",
    )
    with Records(tmp_path / "records.sqlite") as records:
        run([study], data, records, workers=2, engine="reference")
        before = collect(records)
    file.unlink()
    with Records(tmp_path / "records.sqlite", mode="r") as records:
        findings = collect(records)
    assert findings == before
    (found,) = findings.studies
    assert (found.title, found.finished, found.expected) == ("My own question", 12, 12)
    assert [series.name for series in found.panels[0].series] == ["no norm", "group norm"]
    assert found.panels[0].x_title == "Examples a step"
    assert all(value > 0 for value in found.panels[1].series[0].centre)
    assert found.claims[0].seeds == 3
    assert "before the first of these runs had a result" in found.design


def test_claims_changed_after_results_are_not_said_to_come_before_them(
    data: Dataset, tmp_path: Path
) -> None:
    small = replace(STUDY, seeds=3, most_seeds=3)
    with Records(tmp_path / "records.sqlite") as records:
        run([small], data, records, workers=1, engine="reference")
        changed = replace(small, **with_claim(margin=0.01, why="so."))
        run([changed], data, records, workers=1, engine="reference")
        (found,) = collect(records).studies
        assert found.claims[0].margin == 0.01
        assert "when 12 of 12 runs had a result already; all of its claims" in found.design
        run([small], data, records, workers=1, engine="reference")
        (found,) = collect(records).studies
        assert (
            "before the first of these runs" in found.design
        )  # the first design again: it came first


def test_records_without_a_result_leave_a_page_alone(data: Dataset, tmp_path: Path) -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with Records(tmp_path / "records.sqlite") as records:
        with pytest.raises(KeyboardInterrupt):
            run([STUDY], data, records, workers=1, engine="reference", progress=stop)
        with pytest.raises(RecordsError):
            collect(records)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1\n", "exactly one Study; it holds none"),
        ("import nothing_of_this_name\n", "ModuleNotFoundError"),
        ("from normlab.studies import Study\nStudy(\n", "SyntaxError"),
        ("from normlab.studies.catalog import STUDIES\nMINE = STUDIES['depth']\n", "it holds none"),
    ],
)
def test_a_file_that_holds_no_study_is_refused(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(text)
    with pytest.raises(OptionError, match=sentence):
        load(tmp_path / "wrong.py")
    with pytest.raises(OptionError, match="cannot be read"):
        load(tmp_path / "missing.py")
