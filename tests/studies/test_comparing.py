"""One's own comparison: the study it makes, the norm it recommends, and what it refuses."""

import json
import math

import pytest

import normlab
from normlab.errors import OptionError
from normlab.findings import ClaimFinding
from normlab.studies import grid
from normlab.studies.comparing import RATES, Row, comparison, recommendation
from normlab.studies.statistics import Estimate


def test_lists_are_crossed_and_each_pair_is_claimed_in_each_setting():
    study = comparison(
        ["none", "batchnorm", "layernorm"], batch_size=[4, 32], depth=[2, 8], width=16
    )
    points = grid.points(study)
    assert len(points) == 3 * 2 * 2 * len(RATES)
    assert len(study.claims) == 3 * 4
    assert {point.net.hidden_dims for point in points} == {(16,) * 2, (16,) * 8}
    assert {point.training.batch_size for point in points} == {4, 32}
    assert all(point.training.test for point in points)
    sizes = comparison(["none", "rmsnorm"], depth=[1, 2], width=[8, 16], rates=[0.01])
    assert {point.place["net"] for point in grid.points(sizes)} == {
        "1 x 8",
        "1 x 16",
        "2 x 8",
        "2 x 16",
    }


def test_a_comparison_is_one_study_whatever_the_order_it_is_asked_in():
    one, same = comparison(["none", "dyt"], depth=3), comparison([None, "dyt"], depth=[3])
    assert one.name == same.name
    assert one.name != comparison(["none", "dyt"], depth=4).name


def test_group_norm_gets_groups_that_divide_every_width():
    for width, groups in ((64, 4), (100, 5), (7, 1), ([32, 48], 2)):
        study = comparison(["none", "groupnorm"], width=width)
        found = {point.net.num_groups for point in grid.points(study)} - {None}
        assert found == {groups}


@pytest.mark.parametrize(
    ("names", "options", "words"),
    [
        (["none"], {}, "makes no comparison"),
        (["none", "none"], {}, "makes no comparison"),
        (["none", "batch"], {}, "did you mean 'batchnorm'"),
        (["none", "layernorm"], {"batchsize": 4}, "did you mean 'batch_size'"),
        (["none", "layernorm"], {"depth": 0}, "depth=0 is not a whole number >= 1"),
        (["none", "layernorm"], {"width": []}, "empty list"),
        (["none", "layernorm"], {"batch_size": 0}, "batch_size=0"),
        (["none", "layernorm"], {"rates": []}, "rates is empty"),
        (["none", "groupnorm"], {"groups": 7}, "num_groups=7"),
    ],
)
def test_what_makes_no_comparison_is_a_sentence(names, options, words):
    with pytest.raises(OptionError) as caught:
        comparison(names, **options)
    assert words in str(caught.value)


def row(norm, accuracy, learned=10, setting=""):
    return Row(
        setting, norm, Estimate(accuracy, accuracy - 0.01, accuracy + 0.01), learned, 10, 0.01, 1.0
    )


def claim(name, verdict, effect, adjusted=0.001):
    return ClaimFinding(
        name,
        name,
        verdict,
        "",
        effect,
        effect - 0.01,
        effect + 0.01,
        "",
        "",
        "",
        0.0,
        10,
        0,
        adjusted=adjusted,
    )


ROWS = [row("no norm", 0.90), row("batch norm", 0.95), row("layer norm", 0.93)]


def test_the_norm_that_is_ahead_of_every_other_is_recommended():
    claims = [
        claim("batch norm over no norm", "holds", 0.05),
        claim("layer norm over batch norm", "fails", -0.02),
        claim("layer norm over no norm", "holds", 0.03),
    ]
    sentence = recommendation(ROWS, claims)
    assert sentence.startswith("take batch norm: 95.0 %")
    assert "the nearest, layer norm, is 1.0 to 3.0 points behind" in sentence


@pytest.mark.parametrize("open_", [claim("layer norm over batch norm", "cannot tell", -0.002),
                                   claim("layer norm over batch norm", "fails", -0.02, adjusted=0.2)])  # fmt: skip
def test_what_is_open_or_close_is_not_recommended(open_):
    """A pair that is undecided, or decided only before so many claims were accounted for, stays open."""
    claims = [
        claim("batch norm over no norm", "holds", 0.05),
        open_,
        claim("layer norm over no norm", "holds", 0.03),
    ]
    sentence = recommendation(ROWS, claims)
    assert "batch norm and layer norm cannot be told apart" in sentence
    assert "all are ahead of no norm" in sentence
    assert "take batch norm" not in sentence


def test_a_best_norm_that_fails_on_some_seeds_is_said_to():
    rows = [row("no norm", 0.90), row("batch norm", 0.95, learned=7)]
    sentence = recommendation(rows, [claim("batch norm over no norm", "holds", 0.05)])
    assert "it learned on 7 of 10 seeds" in sentence


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    place = tmp_path_factory.mktemp("comparison") / "records.sqlite"
    asked = []
    data = normlab.data.load("digits", num_training=100, num_validation=60, num_test=50)
    options = {
        "depth": 1,
        "width": 8,
        "num_epochs": 1,
        "rates": [1e-3, 1e-2],
        "seeds": 3,
        "workers": 1,
    }
    result = normlab.compare(
        ["none", "layernorm"],
        data=data,
        records=place,
        budget=lambda *b: asked.append(b),
        **options,
    )
    again = normlab.compare(
        ["none", "layernorm"],
        data=data,
        records=place,
        budget=lambda *b: asked.append(b),
        **options,
    )
    return result, again, asked


def test_a_comparison_is_trained_once_and_says_its_price_first(found):
    result, again, asked = found
    assert [(price.nets, recorded) for price, recorded in asked] == [(12, 0), (12, 12)]
    assert result.rows == again.rows
    assert all(row.seeds == 3 and 0 < row.accuracy.centre < 1 for row in result.rows)
    assert all(row.rate in (1e-3, 1e-2) for row in result.rows)


def test_it_is_a_table_a_frame_and_json(found):
    result = found[0]
    assert "layer norm" in str(result)
    assert result.recommendation in str(result)
    assert result._repr_html_().count("<tr>") == 3
    assert "normlab" not in repr(result)
    values = json.loads(json.dumps(result.to_dict()))
    assert [each["norm"] for each in values["rows"]] == ["no norm", "layer norm"]
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = result.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["norm"]) == ["no norm", "layer norm"]


def test_it_plots(found):
    pytest.importorskip("altair", reason="Altair is not installed")
    spec = found[0].plot().to_dict(validate=False)
    assert spec["width"] == 480
    assert spec["datasets"]["rows"]


def test_the_reported_accuracy_was_not_chosen_on(found):
    """The rate is chosen by validation accuracy: the reported mean is the test accuracy there, not the best one."""
    result = found[0]
    study = result.study
    with normlab.Records(result.records, mode="r") as records:
        histories = {spec.key: history for spec, history in records}
        data = next(iter(records))[0].data
    by_norm = {}
    for seed in grid.seeds_of(study, 3):
        runs = {}
        for point in grid.points(study):
            spec = point.run(normlab.specs.replace(data, split=None), seed)
            runs.setdefault(point.place["norm"], []).append(histories[spec.key])
        for norm, seen in runs.items():
            best = max(seen, key=lambda history: history.best_val_acc)
            look = max(range(len(best.val_acc)), key=lambda k: (best.val_acc[k], -k))
            by_norm.setdefault(norm, []).append(best.test_acc[look])
    for line in result.rows:
        assert math.isclose(line.accuracy.centre, sum(by_norm[line.norm]) / 3)
