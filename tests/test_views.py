"""How values show themselves at a prompt and in a notebook: short, in words, and safe as HTML."""

import math

import numpy as np
import pytest

import normlab
from normlab.specs import NetSpec, RunSpec

HISTORY = normlab.History(
    tuple(2.3 / step for step in range(1, 501)),
    (0.1, 0.9),
    (0.1, 0.875),
    0.875,
    False,
    1.25,
    "compiled",
    (0.1, 0.8),
)


def test_a_history_says_what_came_of_it_in_a_line():
    assert repr(HISTORY) == (
        "History(500 steps, loss 2.3 to 0.0046, best validation accuracy 87.5 %, final test "
        "accuracy 80.0 %, compiled engine, 1.2 s)"
    )
    bad = normlab.History((2.3, math.nan), (0.1,), (0.1,), 0.1, True)
    assert "diverged" in repr(bad)
    assert "<svg" not in bad._repr_html_()
    assert HISTORY._repr_html_().count("<polyline") == 1


def test_a_history_plots():
    pytest.importorskip("altair", reason="Altair is not installed")
    spec = HISTORY.plot().to_dict(validate=False)
    loss, accuracy = spec["hconcat"]
    assert len(_values(spec, loss)) == 500
    assert {row["examples"] for row in _values(spec, accuracy)} == {
        "training",
        "validation",
        "test",
    }


def _values(spec, chart):
    return chart["data"].get("values") or spec["datasets"][chart["data"]["name"]]


def test_records_a_report_and_a_data_set_have_views(tmp_path):
    path = tmp_path / "a<b>.sqlite"
    with normlab.Records(path) as records:
        records.put(RunSpec(NetSpec((5,))), HISTORY)
        assert repr(records).endswith("a<b>.sqlite': 1 runs)")
        page = records._repr_html_()
        assert "a&lt;b&gt;" in page
        assert "87.5 %" in page
    assert repr(records).endswith("closed)")

    report = normlab.check_gradient(
        lambda x: (x**2).sum(), np.array([1.0, 2.0]), np.array([2.0, 4.0])
    )
    assert repr(report) == "GradientReport(x: right)"
    assert report._repr_html_().startswith("<pre>Gradient check")

    data = normlab.data.load("digits", num_training=10, num_validation=10, num_test=10)
    assert "(1, 8, 8)" in data._repr_html_()
