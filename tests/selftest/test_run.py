"""The parts, run together: a part that breaks down is a row, an interruption ends all, tables say what was found."""

from __future__ import annotations

import csv
import json
import textwrap
import time
from importlib.util import find_spec

import pytest

from normlab.errors import OptionError
from normlab.machine import provenance
from normlab.selftest import run as running
from normlab.selftest import tables
from normlab.selftest.measured import Measured
from proof.__main__ import ALL_PARTS

GOOD = Measured(
    "numerics",
    "all is well",
    "1e-07",
    "6.0e-08",
    True,
    10,
    peer="1.4e-01, 62% within",
    note="worst by x",
)
BAD = Measured("files", "nothing is executed", "0", "1 of 3", False, 3, note="the third file")
UNKNOWN = Measured("conformance", "ONNX", "all", "", None, 0, note="onnx is not installed")


@pytest.fixture
def parts(monkeypatch, tmp_path):
    """Make modules of this code the parts, in the order of their areas."""

    def make(**code):
        for area, lines in code.items():
            (tmp_path / f"planted_{area}.py").write_text(
                PREAMBLE + textwrap.indent(textwrap.dedent(lines), "    ")
            )
        monkeypatch.syspath_prepend(tmp_path)
        return {area: f"planted_{area}" for area in code}

    return make


PREAMBLE = """
import os, signal, sys, time
from normlab.selftest import Measured

def row(area, promise):
    return Measured(area, promise, "", "", True, 1)

def rows(full):
"""


def test_rows_come_in_the_order_of_the_parts_and_know_the_size(parts):
    planted = parts(
        numerics="time.sleep(0.3); yield row('numerics', f'full is {full}')",
        files="print('noise'); yield row('files', 'one'); yield row('files', 'two')",
    )
    assert [row.promise for row in running.run(full=True, parts=planted)] == [
        "full is True",
        "one",
        "two",
    ]
    assert [row.promise for row in running.run(only=["files"], parts=planted)] == ["one", "two"]


def test_a_part_that_breaks_down_is_a_broken_row_and_the_others_go_on(parts):
    planted = parts(
        numerics="yield row('numerics', 'before'); raise KeyError('planted')",
        identities="yield row('identities', 'before'); os.kill(os.getpid(), signal.SIGKILL)",
        conformance="print('no way', file=sys.stderr); yield from (); os._exit(3)",
        files="yield row('files', 'all is well')",
    )
    found = list(running.run(parts=planted))
    assert [row.promise for row in found if row.holds] == ["before", "all is well"]
    raised, killed, left = (row for row in found if row.holds is False)
    assert (raised.area, raised.measured) == ("numerics", "KeyError: 'planted'")
    assert "planted_numerics.py, line" in raised.note
    assert killed.area == "identities"
    assert killed.measured.endswith("ended by SIGKILL; it last said: nothing")
    assert left.area == "conformance"
    assert left.measured.endswith("ended with exit code 3; it last said: no way")


def test_a_module_that_is_missing_is_a_broken_row(parts):
    planted = parts(files="yield row('files', 'all is well')")
    missing, good = running.run(parts={"crashes": "planted_nowhere"} | planted)
    assert missing.measured == "ModuleNotFoundError: No module named 'planted_nowhere'"
    assert good.holds


def test_stopped_in_the_middle_the_processes_are_interrupted_and_clean_up(parts, tmp_path):
    marks = [tmp_path / "began", tmp_path / "cleaned up"]
    planted = parts(
        numerics="yield row('numerics', 'first')",
        files=f"""
        try:
            open({str(marks[0])!r}, "w").close()
            time.sleep(60)
            yield row('files', 'never')
        finally:
            open({str(marks[1])!r}, "w").close()
        """,
        crashes="open('never', 'w'); yield row('crashes', 'never')",
    )
    rows = running.run(parts=planted)
    assert next(rows).promise == "first"
    while not marks[0].exists():
        time.sleep(0.01)
    began = time.monotonic()
    rows.close()
    assert time.monotonic() - began < 30
    assert marks[1].exists()


@pytest.mark.parametrize("table", [running.PARTS, ALL_PARTS], ids=["selftest", "proof"])
def test_the_parts_exist_and_an_unknown_one_is_refused(table):
    assert running.areas((), table) == tuple(table)
    assert all(find_spec(module) for module in table.values())
    with pytest.raises(OptionError, match="did you mean 'numerics'"):
        next(running.run(only=["numeric"], parts=table))


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
    assert (
        tables.markdown([row]).splitlines()[-1] == r"| y | 1e-07 of max\|y\| | 6e-08 |  | holds |"
    )


@pytest.mark.parametrize("ending", ["json", "csv", "md"])
def test_a_file_holds_every_row_and_what_it_was_measured_with(tmp_path, ending):
    path = tmp_path / f"found.{ending}"
    command = "normlab selftest --full --only numerics"
    tables.write([GOOD, BAD, UNKNOWN], path, provenance(command))
    if ending == "json":
        content = json.loads(path.read_text())
        assert [row["promise"] for row in content["rows"]] == [
            "all is well",
            "nothing is executed",
            "ONNX",
        ]
        assert [row["holds"] for row in content["rows"]] == [True, False, None]
        assert content["provenance"]["command"] == command
        assert "numpy" in content["provenance"]["versions"]
        assert content["provenance"]["machine"]["cores"] >= 1
    elif ending == "md":
        lines = path.read_text().splitlines()
        assert lines[0] == "| promise | bound | measured | PyTorch | verdict |"
        assert lines[3] == "| nothing is executed | 0 | 1 of 3 |  | BROKEN |"
        assert lines[-1].startswith(f"`{command}`, 2")
        assert "numpy" in lines[-1]
    else:
        rows = list(csv.DictReader(path.read_text().splitlines()))
        assert [row["holds"] for row in rows] == ["True", "False", ""]
        assert {row["command"] for row in rows} == {command}
        assert "numpy" in rows[0]["versions"]


def test_a_path_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    with pytest.raises(OptionError, match=r"does not end in \.json, \.csv, \.md"):
        tables.check_path(tmp_path / "found.txt")
    with pytest.raises(OptionError, match="does not exist"):
        tables.check_path(tmp_path / "missing" / "found.csv")
    tables.check_path(tmp_path / "found.csv")
