"""The rows of the self-test: what they count, and that a peer that is missing leaves a row that says so."""

import importlib.util

import pytest

from proof import conformance
from proof.conformance import _counted, _where_installed


def test_the_quick_rows_hold_or_say_what_is_missing():
    rows = list(conformance.rows(full=False))
    assert all(row.area == "conformance" for row in rows)
    for row in rows:
        assert row.holds is not False, row
        if row.holds is None:
            assert row.measured == "not run"
            assert "not installed" in row.note
    if importlib.util.find_spec("onnx") is not None:
        measured = {
            row.promise.partition(": ")[2]: row.measured
            for row in rows
            if "by the reference" in row.promise
        }
        assert measured["norm cases"] == "55 of 55"
        assert measured["batch norms exported by PyTorch"] == "5 of 5"


def test_a_peer_that_is_missing_leaves_one_row_that_names_it():
    (row,) = _where_installed("no_such_package", "a promise", lambda: pytest.fail("was run"))
    assert (row.holds, row.measured, row.note) == (
        None,
        "not run",
        "no_such_package is not installed",
    )


def test_a_failure_is_counted_and_named():
    row = _counted("a promise", {"first": "", "second": "off by one", "third": ""})
    assert (row.measured, row.bound, row.holds, row.cases) == ("2 of 3", "3 of 3", False, 3)
    assert row.note == "second: off by one"
    assert not _counted("a promise", {}).holds  # nothing run is nothing held
