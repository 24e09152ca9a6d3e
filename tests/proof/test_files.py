"""The hostile corpus: complete, refused within bounds without an action, and a bad reader would be caught."""

from __future__ import annotations

import pickle
import pickletools
import sys
from pathlib import Path
from typing import Any

import pytest

from proof.hostile import measuring, reading
from proof.hostile.corpus import Case, cases
from proof.hostile.pickled import EXECUTING, a_value

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="reads the process's size as Linux tells it"
)

# Those that import, call, look up or set something when Python's own pickle meets them.
ACTING = """
GLOBAL STACK_GLOBAL REDUCE INST OBJ NEWOBJ NEWOBJ_EX BUILD EXT1 EXT2 EXT4 PERSID BINPERSID NEXT_BUFFER READONLY_BUFFER
APPEND APPENDS SETITEM SETITEMS ADDITEMS
"""
PLAIN = """
INT BININT BININT1 BININT2 LONG LONG1 LONG4 STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8
BYTEARRAY8 NONE NEWTRUE NEWFALSE UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8 FLOAT BINFLOAT EMPTY_LIST LIST
EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT DICT EMPTY_SET FROZENSET POP DUP MARK POP_MARK GET BINGET
LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE PROTO STOP FRAME
"""


def test_every_opcode_that_can_act_is_in_the_corpus():
    code = {opcode.name: opcode.code.encode("latin-1") for opcode in pickletools.opcodes}
    missing = [
        name
        for name in ACTING.split()
        if not any(code[name] in value for value in EXECUTING.values())
    ]
    assert missing == []


def test_no_opcode_was_forgotten():
    """A Python with a new opcode has to be looked at again."""
    assert {opcode.name for opcode in pickletools.opcodes} == {*ACTING.split(), *PLAIN.split()}


@linux
def test_the_corpus_is_refused_within_bounds_and_the_good_files_are_read():
    refused, did = measuring.corpus_rows(full=False)
    assert refused.cases >= 60
    # no file is at fault; how long they take is for `python -m proof` to measure, not for a test
    assert refused.note.startswith("most memory"), refused
    assert refused.measured.startswith(f"{refused.cases} of {refused.cases}")
    assert did.holds is True, did
    assert did.measured.startswith("0 actions")


@linux
def test_a_reader_that_unpickles_would_be_caught(tmp_path, monkeypatch):
    """The measure itself: planted in the place of ours, Python's own pickle is found acting, and reading the bad."""
    monkeypatch.setitem(reading.READERS, "batch", lambda path: pickle.loads(path.read_bytes()))
    path = tmp_path / "data_batch_1"
    path.write_bytes(a_value(EXECUTING["reduce"]))
    monkeypatch.chdir(tmp_path)
    found = reading.read_watched("batch", str(path), "")
    assert found["refusal"] is None
    assert any("os.system" in action for action in found["did"])
    assert (tmp_path / "executed").exists()


@linux
def test_a_reader_that_swells_or_dies_would_be_caught(tmp_path, monkeypatch):
    monkeypatch.setitem(reading.READERS, "swells", lambda _: bytearray(300_000_000))
    swollen = reading.read_watched("swells", str(tmp_path), "")
    assert swollen["peak_mb"] > swollen["before_mb"] + 290
    monkeypatch.setitem(reading.READERS, "dies", lambda _: sys.exit("gone"))
    assert "gone" in (reading.read_watched("dies", str(tmp_path), "")["crash"] or "")


@pytest.mark.parametrize(
    "case", [case for case in cases(full=False) if case.good], ids=lambda case: case.what
)
def test_good_files_are_made_the_same_twice(case: Case):
    assert case.make() == case.make()


def test_what_a_measurement_says(monkeypatch: pytest.MonkeyPatch):
    """One file read as if it were good, and the row does not hold, and names it."""

    def made_up(_: bool) -> list[tuple[Case, dict[str, Any]]]:
        fine = {
            "refusal": "no",
            "crash": None,
            "before_mb": 20.0,
            "peak_mb": 30.0,
            "seconds": 0.1,
            "did": [],
        }
        return [
            (Case("batch", "a liar", bytes), fine | {"refusal": None}),
            (Case("batch", "a thief", bytes), fine | {"did": ["socket.connect"]}),
        ]

    monkeypatch.setattr(measuring, "readings", made_up)
    monkeypatch.setattr(measuring, "noticed_under_pickle", lambda: 1)
    monkeypatch.setattr(sys, "platform", "linux")
    refused, did = measuring.corpus_rows(full=False)
    assert (refused.holds, refused.note) == (False, "a liar: read as if it were good")
    assert (did.holds, did.note) == (False, "a thief: socket.connect")
    assert Path("executed").exists() is False
