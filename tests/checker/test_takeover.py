"""What lies beside a submission, or in it, decides nothing about another's grade."""

import csv
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

from normlab.checker import check
from normlab.checker.api import check_path
from normlab.checker.grading import Rubric, grade, records
from normlab.checker.grading.submissions import collect, find, safe_name
from normlab.checker.process import Limits
from normlab.errors import DataError
from tests.checker.test_attacks import GOOD, needs_sandbox

RUBRIC = Rubric({"relu_forward": 1})
FORGER = """
import os
open(os.path.join({place!r}, "taken"), "a").write(__name__)
raise ImportError("taken over")
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "alice.py").write_text(GOOD)
    return tmp_path / "in"


def graded(folder, out, **options):
    options.setdefault("isolation", "none")
    return {one.name: one for one in grade(folder, out, rubric=RUBRIC, seed=1, **options)}


@needs_sandbox
def test_modules_beside_the_submissions_are_never_imported(folder, tmp_path, monkeypatch):
    for name in (
        "secrets",
        "numpy",
        "random",
        "tempfile",
        "zipfile",
        "site",
        "sitecustomize",
        "json",
    ):
        (folder / f"{name}.py").write_text(FORGER.format(place=str(tmp_path)))
    (folder / "normlab").mkdir()
    (folder / "normlab" / "__init__.py").write_text(FORGER.format(place=str(tmp_path)))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    command = [
        sys.executable,
        "-P",
        "-m",
        "normlab.cli",
        "grade",
        ".",
        "--out",
        "../out",
        "--workers",
        "1",
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "taken").exists()
    rows = {
        row[0]: row
        for row in csv.reader(io.StringIO((tmp_path / "out" / "table.csv").read_text("utf-8-sig")))
    }
    assert rows["alice"][-4] == "1"
    assert rows["secrets"][-4] == "0"


@needs_sandbox
@pytest.mark.parametrize(
    "text",
    [
        "import fcntl, os; r, w = os.pipe(); fcntl.fcntl(w, fcntl.F_SETOWN, {parent})",
        "import os; r, w = os.pipe(); import fcntl; fcntl.fcntl(w, 10, 9)",  # F_SETSIG
        "import fcntl; fcntl.fcntl(0, fcntl.F_SETFL, 0o20000)",  # O_ASYNC
        "import fcntl, numpy; fcntl.fcntl(open(numpy.__file__), 1024, 1)",  # F_SETLEASE
        "import fcntl; fcntl.ioctl(open(__file__), 0x40086602, bytes(8))",  # FS_IOC_SETFLAGS
        "import fcntl; fcntl.ioctl(open(__file__), 0xC0045877, 0)",  # FIFREEZE
        "import os; os.open(__file__, os.O_RDONLY | os.O_TRUNC)",
        "import ctypes; refused(ctypes.CDLL(None).madvise(ctypes.c_void_p(0), 4096, 100))",
        "import ctypes; refused(ctypes.CDLL(None).prctl(38, 1, 0, 0, 0))",
    ],
)
def test_what_a_system_call_is_given_is_looked_at(text, tmp_path):
    body = text.format(parent=os.getpid())
    source = f"{GOOD}def softmax_loss(x, y):\n    try:\n        {body}\n"
    source += "    except PermissionError:\n        return None\n"
    source += "def refused(result):\n    if result != 0: raise PermissionError\n"
    (tmp_path / "layers.py").write_text(source)
    before = (tmp_path / "layers.py").read_text()
    report = check_path(
        tmp_path, seed=1, limits=Limits(), confine={"read": [str(tmp_path)]}, refused=("normlab",)
    )
    assert report.functions == {"relu_forward": "right", "softmax_loss": "unimplemented"}
    assert (tmp_path / "layers.py").read_text() == before


@needs_sandbox
@pytest.mark.parametrize("abi", [1, 2, 4, 5])
def test_what_an_older_landlock_leaves_open_is_closed(abi, tmp_path):
    attacks = {
        "signal": "import fcntl, os; r, w = os.pipe(); fcntl.fcntl(w, 8, os.getppid())",
        "truncate": "import os; os.open(__file__, os.O_RDONLY | os.O_TRUNC)",
        "network": "import socket; socket.create_connection(('127.0.0.1', 9), 1)",
        "abstract": "import socket; socket.socket(socket.AF_UNIX)",
        "kill": "import os; os.kill(os.getppid(), 0)",
        "rename": "import os; os.rename(__file__, __file__ + '2')",
    }
    body = "".join(
        f"    try:\n        {text}\n        done.append({name!r})\n    except PermissionError:\n   "
        "     pass\n"
        for name, text in attacks.items()
    )
    source = f"{GOOD}def softmax_loss(x, y):\n    done = []\n{body}"
    source += "    raise ValueError(f'done: {done}')\n"
    (tmp_path / "layers.py").write_text(source)
    confine = {"read": [str(tmp_path)], "highest_abi": abi}
    report = check_path(tmp_path, seed=1, limits=Limits(), confine=confine)
    assert "done: []" in report.to_json()
    assert (tmp_path / "layers.py").read_text() == source
    assert f"landlock ABI {abi}" in report.held
    assert f"below ABI 6 ({abi} here)" in report.held[-1]


@needs_sandbox
def test_no_capability_is_left_and_the_report_says_what_holds(tmp_path):
    (tmp_path / "layers.py").write_text(GOOD)
    report = check_path(tmp_path, seed=1, limits=Limits(), confine={"read": [str(tmp_path)]})
    assert "no capabilities" in report.held
    assert any("fcntl" in held for held in report.held)
    code = (
        "import ctypes, platform; from normlab.checker.child import confinement as "
        "c\nc._drop_capabilities(ctypes.CDLL(None, use_errno=True), "
        "platform.machine())\nprint([line for line in open('/proc/self/status') if "
        "line.startswith(('CapEff', 'CapPrm'))])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert told.count("0000000000000000") == 2


def test_nothing_forged_reaches_a_terminal(tmp_path):
    text = (
        "def relu_forward(x):\n    raise ValueError('\\x1b]0;owned\\x07 \\udc80 \\u202e \\x9b')\n"
    )
    (tmp_path / "layers.py").write_text(text)
    report = check(tmp_path / "layers.py")
    told = str(report) + report.to_json()
    assert not any(c in told for c in "\x1b\x07\x9b\u202e\udc80")
    told.encode()


def test_an_entry_of_any_kind_has_a_row_with_a_reason(folder, tmp_path):
    (folder / "BOB.PY").write_text(GOOD)
    with zipfile.ZipFile(folder / "CARL.ZIP", "w") as archive:
        archive.writestr("hw/layers.py", GOOD)
    (tmp_path / "layers.py").write_text(GOOD)
    with tarfile.open(folder / "dora.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "layers.py", "dora/layers.py")
    (folder / "eve.7z").write_bytes(b"7z\xbc\xaf")
    os.symlink("alice.py", folder / "frank.py")
    (folder / ".gina").mkdir()
    (folder / ".gina" / "layers.py").write_text(GOOD)
    (folder / "ivan").mkdir()
    (folder / "ivan" / "layers.pyc").write_bytes(b"")
    (folder / "jon.zip").write_bytes(b"PK\x03\x04damaged")
    (folder / "kim.docx").write_bytes(b"")
    deep = os.open(folder, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=deep)
        inner = os.open("d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = inner
    os.close(deep)
    (folder / "lea").mkdir()
    os.link(folder / "alice.py", folder / "lea" / "layers.py")
    with open(folder / "lea" / "big.py", "wb") as big:
        big.truncate(3 * 2**30)
    (folder / ("m" * 200)).mkdir()
    os.mkdir(os.fsencode(folder) + b"/Jos\xe9")
    shutil.copy(folder / "alice.py", os.fsencode(folder) + b"/Jos\xe9/layers.py")
    os.mkfifo(folder / "pipe.py")
    found = graded(folder, tmp_path / "out")
    right = {name for name, one in found.items() if one.score == 1}
    assert right == {"alice", "BOB", "CARL", "dora", "_gina", "lea", "Jos_"}
    for name in set(found) - right:
        (finding,) = found[name].report.findings
        assert finding.fault == "loading.not_read"
        assert len(finding.sentence) > 20
    assert len(found) == len(list(folder.iterdir()))
    assert any("big.py has more than 4 MiB" in note for note in found["lea"].report.notes)
    rows = list(csv.reader(io.StringIO((tmp_path / "out" / "table.csv").read_text("utf-8-sig"))))
    assert all(row[-2] for row in rows)


def test_one_submission_does_not_fill_the_table_of_misconceptions(folder, tmp_path):
    broken = "".join(f"def f{number}(:\n  pass\n" for number in range(50))
    (folder / "eve.py").write_text(broken + GOOD + "def relu_backward(dout, cache):\n  return (\n")
    (folder / "dan.py").write_text("while True: pass\n")
    (folder / "deep.py").write_text("x = " + "(" * 5000 + ")" * 5000 + "\n" + GOOD)
    (folder / "html.py").write_text("raise ValueError('<script>alert(1)</script>')\n" + GOOD)
    (folder / "lnk").mkdir()
    os.symlink("/dev/zero", folder / "lnk" / "layers.py")
    found = graded(folder, tmp_path / "out")
    assert {name for name, one in found.items() if one.score == 1} == {
        "alice",
        "eve",
        "deep",
        "html",
    }
    rows = list(
        csv.reader((tmp_path / "out" / "misconceptions.csv").read_text("utf-8-sig").splitlines())
    )
    assert [row[0] for row in rows[1:]] == ["relu_backward.syntax"]
    assert "<script>alert" not in (tmp_path / "out" / "pages" / "html.html").read_text()
    assert "leads out of the submission" in found["lnk"].report.wrong[0].sentence


def test_links_lead_nowhere_out_of_a_submission(folder, tmp_path):
    (folder / "eve").mkdir()
    os.symlink("../alice.py", folder / "eve" / "layers.py")
    (folder / "bob").mkdir()
    (folder / "bob" / "work.py").write_text(GOOD)
    os.symlink("work.py", folder / "bob" / "layers.py")
    (folder / "carol.py").write_text(
        "from submission.alice import relu_forward\nfrom alice import relu_forward\n"
    )
    dave = (
        "import sys\nsys.meta_path[:] = [f for f in sys.meta_path if 'child' not in str(type(f))]\n"
    )
    (folder / "dave.py").write_text(f"{dave}from normlab.layers import relu_forward as r\n"
                                    "def relu_forward(x):\n    return r(x)\n")  # fmt: skip
    found = graded(folder, tmp_path / "out", isolation="container")
    assert {name: one.score for name, one in found.items()} == {
        "alice": 1,
        "bob": 1,
        "carol": 0,
        "dave": 0,
        "eve": 0,
    }
    assert "leads out of the submission" in found["eve"].report.wrong[0].sentence


def test_the_results_and_the_rubric_are_no_submissions(folder):
    (folder / "rubric.toml").write_text("[points]\nrelu_forward = 1\n")
    for _ in range(2):
        found = graded(folder, folder / "graded", leave_out=[folder / "rubric.toml"])
        assert set(found) == {"alice"}


def test_another_checker_judges_anew(folder, tmp_path, monkeypatch):
    first = graded(folder, tmp_path / "out")["alice"]
    monkeypatch.setattr(records, "judge", lambda: "normlab of next year")
    assert graded(folder, tmp_path / "out")["alice"].content != first.content


def test_a_folder_of_one_archive_is_that_archive(tmp_path):
    (tmp_path / "anna_123_file").mkdir()
    with zipfile.ZipFile(tmp_path / "anna_123_file" / "hw2.zip", "w") as archive:
        archive.writestr("layers.py", GOOD)
    assert list(collect(tmp_path / "anna_123_file").files) == [("hw2.zip", "layers.py")]


def test_a_tar_that_swells_is_refused(tmp_path):
    with tarfile.open(tmp_path / "s.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("data.bin")
        entry.size = 600 * 2**20
        with open("/dev/zero", "rb") as zeros:
            archive.addfile(entry, zeros)
    with pytest.raises(DataError, match="more than a submission may hold"):
        collect(tmp_path / "s.tar.gz")


def test_names_are_safe_and_differ(tmp_path):
    assert len(safe_name("作" * 83).encode()) <= 120
    (tmp_path / "anna").mkdir()
    (tmp_path / "Anna.py").write_text("")
    (tmp_path / "anna.zip").write_bytes(b"")
    assert sorted(s.name for s in find(tmp_path)) == ["Anna", "anna_2", "anna_3"]
