"""The program `normlab` in this process, and a small study that is quick enough to run for real."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from normlab.cli import main
from normlab.studies.catalog import STUDIES
from proof.small_study import TINY


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def normlab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line: normlab("results", "--limit", "3")."""
    return program(main, monkeypatch, capsys)


def program(
    main: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """A program in this process: call it with its words."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["program", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        said = capsys.readouterr()
        return Said(code if isinstance(code, int) else 0, said.out, said.err)

    return run


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue of one small study, `depth`."""
    only_tiny(monkeypatch)


def only_tiny(patch: pytest.MonkeyPatch) -> None:
    """Make the small study the only one, in the very dictionary that all modules share."""
    for name in list(STUDIES):
        patch.delitem(STUDIES, name)
    patch.setitem(STUDIES, "depth", TINY)
