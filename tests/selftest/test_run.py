"""The parts, run together: a part that breaks down is a row, an interruption ends all, tables say what was found."""

from __future__ import annotations

import csv
import json
import types

import pytest

from normlab.errors import OptionError
from normlab.selftest import run as running
from normlab.selftest import tables
from normlab.selftest.measured import Measured

GOOD = Measured("numerics", "all is well", "1e-07", "6.0e-08", True, 10, peer="1.4e-01, 62% within", note="worst by x")
BAD = Measured("files", "nothing is executed", "0", "1 of 3", False, 3, note="the third file")
UNKNOWN = Measured("conformance", "ONNX", "all", "", None, 0, note="onnx is not installed")


@pytest.fixture
def parts(monkeypatch):
    """Make these functions the parts, in the order of their areas."""

    def make(**rows):
        modules = {f"part_{area}": types.SimpleNamespace(rows=function) for area, function in rows.items()}
        monkeypatch.setattr(running, "PARTS", [(area, f"part_{area}") for area in rows])
        monkeypatch.setattr(running, "import_module", modules.__getitem__)
        monkeypatch.setattr(running, "find_spec", modules.get)

    return make


def test_rows_come_in_the_order_of_the_parts_and_know_the_size(parts):
    asked = []
    parts(numerics=lambda full: asked.append(full) or iter([GOOD]), files=lambda _full: iter([BAD, BAD]))
    assert list(running.run(full=True)) == [GOOD, BAD, BAD]
    assert asked == [True]
    assert list(running.run(only=["files"])) == [BAD, BAD]


def test_a_part_that_breaks_down_is_a_broken_row_and_the_next_part_goes_on(parts):
    def breaks(_full):
        yield GOOD
        raise KeyError("planted")

    parts(numerics=breaks, files=lambda _full: iter([BAD]))
    first, broken, last = running.run()
    assert (first, last) == (GOOD, BAD)
    assert broken.holds is False
    assert broken.measured == "KeyError: 'planted'"
    assert "test_run.py, line" in broken.note


def test_an_interruption_is_nobodys_broken_promise(parts):
    def interrupted(_full):
        raise KeyboardInterrupt
        yield

    parts(numerics=interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(running.run())


def test_every_part_exists_and_an_unknown_area_is_refused():
    assert [area for area, _ in running.PARTS] == list(running.areas(()))
    with pytest.raises(OptionError, match="did you mean 'numerics'"):
        running.run(only=["numeric"]).__next__()


def test_the_table_has_a_section_an_area_and_a_column_for_pytorch_where_it_was_measured():
    shown = tables.table([GOOD, BAD])
    assert [column.header for column in shown.columns] == list(tables.HEADINGS)
    assert [str(cell) for cell in shown.columns[-1].cells] == ["", "holds", "", "BROKEN"]
    assert "PyTorch" not in [column.header for column in tables.table([BAD]).columns]


def test_the_summary_counts_and_names_what_needs_a_word():
    text = str(tables.summary([GOOD, BAD, UNKNOWN]))
    assert "BROKEN: nothing is executed: the third file" in text
    assert "not run: ONNX: onnx is not installed" in text
    assert "all is well" not in text
    assert "1 promises hold, 1 are broken, 1 could not be measured here; 13 inputs" in text


def test_a_document_s_table_escapes_its_bars():
    row = Measured("numerics", "y", "1e-07 of max|y|", "6e-08", True, 1)
    assert tables.markdown([row]).splitlines()[-1] == r"| y | 1e-07 of max\|y\| | 6e-08 |  | holds |"


@pytest.mark.parametrize("ending", ["json", "csv"])
def test_a_file_holds_every_row_and_what_it_was_measured_with(tmp_path, ending):
    path = tmp_path / f"found.{ending}"
    provenance = running.provenance(True, ["numerics", "files"])
    tables.write([GOOD, BAD, UNKNOWN], path, provenance)
    command = "normlab selftest --full --only numerics --only files"
    if ending == "json":
        content = json.loads(path.read_text())
        assert [row["promise"] for row in content["rows"]] == ["all is well", "nothing is executed", "ONNX"]
        assert [row["holds"] for row in content["rows"]] == [True, False, None]
        assert content["provenance"]["command"] == command
        assert "numpy" in content["provenance"]["versions"]
        assert content["provenance"]["machine"]["cores"] >= 1
    else:
        rows = list(csv.DictReader(path.read_text().splitlines()))
        assert [row["holds"] for row in rows] == ["True", "False", ""]
        assert {row["command"] for row in rows} == {command}
        assert "numpy" in rows[0]["versions"]


def test_a_path_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    with pytest.raises(OptionError, match=r"neither in \.json nor in \.csv"):
        tables.check_path(tmp_path / "found.txt")
    with pytest.raises(OptionError, match="does not exist"):
        tables.check_path(tmp_path / "missing" / "found.csv")
    tables.check_path(tmp_path / "found.csv")
