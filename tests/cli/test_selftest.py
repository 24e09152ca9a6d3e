"""`normlab selftest`: the table, the exit code, the file, and the end by Ctrl-C."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from normlab.selftest import run as running
from normlab.selftest.measured import Measured

from .conftest import Run

GOOD = Measured("numerics", "all is well", "1e-07", "6.0e-08", True, 10)
BAD = Measured("files", "nothing is executed", "0", "1 of 3", False, 3, note="the third file")


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[Measured | BaseException]:
    """What the parts find, in place of measuring."""
    found: list[Measured | BaseException] = []

    def run(_full: bool, _only: object, _parts: object) -> object:
        for row in found:
            if isinstance(row, BaseException):
                raise row
            yield row

    monkeypatch.setattr(running, "run", run)
    return found


def test_a_broken_promise_is_exit_code_1(
    normlab: Run, rows: list[Measured], tmp_path: Path
) -> None:
    rows.append(GOOD)
    out = tmp_path / "found.json"
    said = normlab("selftest", "--out", str(out))
    assert said.code == 0
    assert "all is well" in said.out
    assert "holds" in said.out
    assert json.loads(out.read_text())["provenance"]["command"] == "normlab selftest"
    rows.append(BAD)
    said = normlab("selftest")
    assert said.code == 1
    assert "BROKEN: nothing is executed: the third file" in said.out


def test_ctrl_c_shows_what_was_measured_and_writes_nothing(
    normlab: Run, rows: list[Measured | BaseException], tmp_path: Path
) -> None:
    rows += [GOOD, KeyboardInterrupt()]
    out = tmp_path / "found.csv"
    said = normlab("selftest", "--out", str(out))
    assert said.code == 130
    assert "all is well" in said.out
    assert "Stopped" in said.err
    assert not out.exists()


def test_an_unknown_area_and_a_file_without_format_are_sentences(normlab: Run) -> None:
    said = normlab("selftest", "--only", "numeric")
    assert (said.code, said.out) == (2, "")
    assert "did you mean 'numerics'" in said.err
    assert "does not end in .json, .csv, .md" in normlab("selftest", "--out", "found").err


def test_the_full_self_test_takes_the_same_words(
    rows: list[Measured], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m proof` knows the areas that `normlab selftest` does not ship."""
    from proof.__main__ import main

    rows.append(GOOD)
    monkeypatch.setattr("sys.argv", ["proof", "--only", "files", "--only", "numerics"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "all is well" in capsys.readouterr().out


@pytest.mark.parametrize("absent", ["resource", "fcntl"])
def test_the_self_test_needs_no_module_that_only_unix_has(absent: str) -> None:
    """Windows has neither; an area that could not be imported there would be called broken."""
    code = f"""
import sys
sys.modules[{absent!r}] = None
from importlib import import_module
from normlab.selftest.run import PARTS
import normlab.cli.app, normlab.cli.selftest
for module in PARTS.values():
    import_module(module)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
