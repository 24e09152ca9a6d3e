"""Hostile submissions: each ends as a finding about itself, in bounded time, and touches nothing."""

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

import normlab
from normlab.checker.api import check_path
from normlab.checker.grading import grade_one
from normlab.checker.grading.judging import REFUSED, require_sandbox
from normlab.checker.process import Limits
from normlab.errors import UserError
from tests.checker.attacks import AT_IMPORT, IN_A_CALL

SECRET = "NORMLAB_TEST_SECRET"
LIMITS = Limits(seconds_a_call=0.5, seconds_to_load=1.5, seconds_in_all=12.0, memory=2**30)
GOOD = "import numpy as np\n\n\ndef relu_forward(x):\n    return np.maximum(0, x), x\n\n\n"


def _sandbox() -> str:
    try:
        require_sandbox()
    except UserError as error:
        return str(error)
    return ""


MISSING = _sandbox()
needs_sandbox = pytest.mark.skipif(bool(MISSING), reason=MISSING or "there is a sandbox")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A submission's folder, and a canary outside it."""
    monkeypatch.setenv(SECRET, "open sesame")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "canary").write_text("alive, and secret")
    (tmp_path / "submission").mkdir()
    return tmp_path


def attacked(place: Path, text: str):
    """The report on a submission with this text, after the canary has been looked at."""
    outside = place / "outside"
    source = str(Path(normlab.__file__).parents[1])
    filled = text.format(canary=outside / "canary", folder=outside, secret=SECRET, source=source)
    file = place / "submission" / "layers.py"
    file.write_text(filled)
    started = time.monotonic()
    report = check_path(
        place / "submission",
        seed=1,
        limits=LIMITS,
        confine={"read": [str(place / "submission")]},
        refused=REFUSED,
    )
    assert time.monotonic() - started < LIMITS.seconds_in_all + 5
    assert [entry.name for entry in outside.iterdir()] == ["canary"]
    assert (outside / "canary").read_text() == "alive, and secret"
    assert os.stat(outside / "canary").st_mode & 0o777
    assert [entry.name for entry in (place / "submission").iterdir()] == ["layers.py"]
    assert file.read_text() == filled
    assert "alive, and secret" not in report.to_json()
    assert "open sesame" not in report.to_json()
    assert "root:" not in report.to_json()
    assert not any(letter in str(report) for letter in "\x1b\x07\x9b\ud800")
    return report


def indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\n"))


@needs_sandbox
@pytest.mark.parametrize("name", IN_A_CALL)
def test_an_attack_in_a_call_harms_only_its_own_grade(name, place):
    report = attacked(place, GOOD + f"def softmax_loss(x, y):\n{indented(IN_A_CALL[name])}\n")
    assert report.functions["relu_forward"] == "right"
    assert report.functions["softmax_loss"] == "wrong"


@needs_sandbox
@pytest.mark.parametrize("name", AT_IMPORT)
def test_an_attack_at_import_is_contained(name, place):
    report = attacked(place, AT_IMPORT[name] + "\n" + GOOD)
    assert report.functions.get("relu_forward", "right") == "right"
    assert report.functions.get("(loading)", "wrong") == "wrong"
    assert "everything" not in report.held


@needs_sandbox
def test_no_process_is_left_behind(place):
    attacked(place, GOOD + "def softmax_loss(x, y):\n    while True: pass\n")
    listed = subprocess.run(
        ["ps", "-eo", "args"], capture_output=True, text=True, check=True
    ).stdout
    assert str(place) not in listed


@needs_sandbox
def test_no_other_system_call_is_answered(place):
    """Each number that is not on the list, with arguments of zero: EPERM, whatever it would do."""
    from normlab.checker.child.confinement import SYSCALLS

    known = sorted(SYSCALLS[os.uname().machine].values())
    known += [335, 336]  # uretprobe and uprobe: the kernel ends whoever calls them by itself
    text = (
        "import ctypes\nlibrary = ctypes.CDLL(None, use_errno=True)\nlibrary.syscall.restype = "
        f"ctypes.c_long\nanswered = []\nfor number in sorted(set(range(480)) - set({known})):\n    "
        "if library.syscall(number, 0, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != 1:\n        "
        "answered.append(number)\nraise ValueError(f'answered: {{answered}}')"
    )
    report = attacked(place, GOOD + f"def softmax_loss(x, y):\n{indented(text)}\n")
    assert "answered: []" in report.to_json()


def test_the_number_of_attacks():
    assert len(IN_A_CALL) + len(AT_IMPORT) >= 120


@pytest.mark.parametrize(
    "hostile", ["../evil.py", "/tmp/evil-normlab.py", "a/../../evil.py", "C:/evil.py"]
)
def test_a_zip_that_climbs_writes_nothing_outside(hostile, tmp_path):
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.writestr(hostile, "x = 1\n")
        archive.writestr("layers.py", GOOD)
    graded = grade_one(tmp_path / "s.zip", isolation="none")
    assert graded.scores["relu_forward"] == 1
    assert not list(tmp_path.parent.rglob("evil*.py"))


def test_a_zip_bomb_is_a_finding(tmp_path):
    with zipfile.ZipFile(tmp_path / "s.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("layers.py", "#" * (5 * 2**20))
    graded = grade_one(tmp_path / "s.zip", isolation="none")
    assert graded.score == 0
    assert "more than a submission may hold" in graded.report.wrong[0].sentence


def test_a_link_in_a_zip_is_left_out(tmp_path):
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        entry = zipfile.ZipInfo("layers.py")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    assert grade_one(tmp_path / "s.zip", isolation="none").score == 0


def test_without_a_sandbox_grading_refuses(tmp_path, monkeypatch):
    from normlab.checker.child import confinement
    from normlab.checker.grading import grade

    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.py").write_text(GOOD)
    code = (
        "import platform; platform.machine = lambda: 'riscv64'\n"
        f"import sys; sys.path.insert(0, {str(Path(confinement.__file__).parents[1])!r})\n"
        "from child import confinement\n"
        "try: confinement.apply({'read': []}, [])\n"
        "except confinement.ConfinementError as error: print(error)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert "no sandbox" in told

    def refuses(*_, **__):
        from normlab.checker.process import NoSandbox

        raise NoSandbox("no sandbox for it")

    monkeypatch.setattr("normlab.checker.grading.judging.ChildSubject", refuses)
    with pytest.raises(UserError, match="--isolation container"):
        grade(tmp_path / "in", tmp_path / "out")
