"""Grading: points by a rubric, tables, autograders, and work that continues."""

import csv
import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile

import pytest

from normlab.checker.grading import Rubric, grade, grade_one, gradescope, require
from normlab.checker.grading.records import from_json
from normlab.checker.grading.submissions import find
from normlab.errors import DataError, OptionError
from tests.checker.planting import namespace, planted, text_of
from tests.checker.test_attacks import needs_sandbox

SOURCE = text_of("layers_staged")
HALVED = planted(SOURCE, {"batchnorm_backward": [("dvar * 2 * xmu", "dvar * xmu")]})
RUBRIC = Rubric(
    {"relu_forward": 1, "batchnorm_backward": 10, "adam": 2}, {"factor_two_missing": 0.5}
)


@pytest.fixture
def handed_in(tmp_path):
    """Three submissions: a right folder, a zip with a lost factor 2, a file that does not parse."""
    folder = tmp_path / "in"
    (folder / "anna" / "cs682").mkdir(parents=True)
    (folder / "anna" / "cs682" / "layers.py").write_text(SOURCE)
    with zipfile.ZipFile(folder / "ben, late.zip", "w") as archive:
        archive.writestr("hw2/cs231n/layers.py", HALVED)
    (folder / "carl.py").write_text("def relu_forward(x:\n")
    return folder


def test_points_follow_the_rubric(handed_in, tmp_path):
    seen = []
    graded = grade(
        handed_in, tmp_path / "out", rubric=RUBRIC, isolation="none", seed=5, progress=seen.append
    )
    assert {one.name: dict(one.scores) for one in graded} == {
        "anna": {"relu_forward": 1, "batchnorm_backward": 10, "adam": 0},
        "ben__late": {"relu_forward": 1, "batchnorm_backward": 5, "adam": 0},
        "carl": {"relu_forward": 0, "batchnorm_backward": 0, "adam": 0},
    }
    assert [one.total for one in graded] == [13, 13, 13]
    assert sorted(progress.done for progress in seen) == [1, 2, 3]
    assert all("by the instructor's word" in one.protections[-1] for one in graded)
    rows = list(csv.reader(io.StringIO((tmp_path / "out" / "table.csv").read_text("utf-8-sig"))))
    assert rows[0] == [
        "submission",
        "relu_forward",
        "batchnorm_backward",
        "adam",
        "points",
        "of",
        "faults",
        "protections",
    ]
    assert rows[2][:7] == [
        "ben__late",
        "1",
        "5",
        "0",
        "6",
        "13",
        "batchnorm_backward.factor_two_missing",
    ]
    assert "factor 2" in (tmp_path / "out" / "misconceptions.csv").read_text("utf-8-sig")
    assert "ben__late" in (tmp_path / "out" / "index.html").read_text()
    results = json.loads((tmp_path / "out" / "gradescope" / "ben__late.json").read_text())
    assert results["score"] == 6
    assert [test["status"] for test in results["tests"]] == ["passed", "failed", "failed"]


def test_what_is_judged_is_not_judged_again(handed_in, tmp_path):
    out, counted = tmp_path / "out", []
    first = grade(handed_in, out, rubric=RUBRIC, isolation="none", progress=counted.append)
    again = grade(handed_in, out, rubric=RUBRIC, isolation="none", progress=counted.append)
    assert again == first
    assert len(counted) == 3
    (handed_in / "carl.py").write_text("def relu_forward(x):\n    return x * (x > 0), x\n")
    third = grade(handed_in, out, rubric=RUBRIC, isolation="none", progress=counted.append)
    assert len(counted) == 4
    assert third[2].scores["relu_forward"] == 1
    assert third[:2] == first[:2]


def test_killed_while_grading_it_continues(handed_in, tmp_path):
    out = tmp_path / "out"
    code = (
        "from pathlib import Path; from normlab.checker.grading import grade\n"
        f"grade(Path({str(handed_in)!r}), Path({str(out)!r}), isolation='none', workers=1)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list((out / "records").glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = {path.name: path.stat().st_mtime_ns for path in (out / "records").glob("*.json")}
    assert done
    graded = grade(handed_in, out, isolation="none")
    assert len(graded) == 3
    assert all((out / "records" / name).stat().st_mtime_ns == when for name, when in done.items())


def test_a_record_survives_its_round_trip(handed_in):
    graded = grade_one(handed_in / "carl.py", isolation="none", seed=1)
    assert from_json(graded.to_json()) == graded
    assert json.loads(gradescope(graded, Rubric()))["score"] == 0


def test_a_record_that_is_damaged_is_made_again(handed_in, tmp_path):
    out = tmp_path / "out"
    first = grade(handed_in, out, isolation="none")
    (out / "records" / "anna.json").write_text("{")
    assert [one.scores for one in grade(handed_in, out, isolation="none")] == [
        one.scores for one in first
    ]


def test_a_rubric_is_read_and_its_mistakes_are_told(tmp_path):
    path = tmp_path / "rubric.toml"
    path.write_text("[points]\nrelu_forward = 2\n[keeps]\n'relu_forward.leaky' = 0.25\n")
    rubric = Rubric.read(path)
    assert rubric.total == 2
    path.write_text("[points]\nrelu_foward = 2\n")
    with pytest.raises(OptionError, match="did you mean 'relu_forward'"):
        Rubric.read(path)
    path.write_text("[points\n")
    with pytest.raises(DataError, match="cannot be read"):
        Rubric.read(path)
    with pytest.raises(OptionError, match="from 0 to 1"):
        Rubric(keeps={"leaky": 2})


def test_a_folder_without_submissions_is_an_error(tmp_path):
    with pytest.raises(DataError, match="holds no submissions"):
        find(tmp_path)
    with pytest.raises(DataError, match="no folder"):
        find(tmp_path / "nowhere")
    with pytest.raises(OptionError, match="isolation"):
        grade(tmp_path, tmp_path / "out", isolation="hope")


def test_a_test_cell_can_require_a_function():
    names = namespace(HALVED)
    require(names, "relu_forward", "batchnorm_forward")
    with pytest.raises(AssertionError, match="factor 2"):
        require(names, "batchnorm_backward")
    with pytest.raises(AssertionError, match="no such function"):
        require(names, "adam")


def test_a_misspelt_fault_is_refused():
    with pytest.raises(OptionError, match="did you mean 'factor_two_missing'"):
        Rubric(keeps={"factor_two_mising": 0.5})
    with pytest.raises(OptionError, match="did you mean 'batchnorm_backward'"):
        Rubric(keeps={"batchnorm_backwrd.factor_two_missing": 0.5})
    with pytest.raises(OptionError, match="follow_on='none' is not one of 'own', 'waits'"):
        Rubric(follow_on="none")
    with pytest.raises(OptionError, match="hint=4"):
        Rubric(hint=4)


def test_hints_are_capped(handed_in):
    outputs = {}
    for hint in (0, 3):
        graded = grade_one(handed_in / "ben, late.zip", isolation="none", seed=1)
        (test,) = [
            one
            for one in json.loads(gradescope(graded, Rubric(hint=hint)))["tests"]
            if one["name"] == "batchnorm_backward"
        ]
        outputs[hint] = test["output"]
    assert "hint 1" not in outputs[0]
    assert "hint 3" in outputs[3]
    assert "--hint" not in outputs[0]


def test_a_notebook_is_a_submission(tmp_path):
    source = "import numpy as np\ndef relu_forward(x):\n    return np.maximum(0, x), x\n"
    cells = [{"cell_type": "code", "source": source}]
    (tmp_path / "in" / "anna").mkdir(parents=True)
    (tmp_path / "in" / "anna" / "hw.ipynb").write_text(json.dumps({"cells": cells}))
    (tmp_path / "in" / "ben.ipynb").write_text(json.dumps({"cells": cells}))
    (tmp_path / "in" / "carl.ipynb").write_text("{")
    graded = grade(
        tmp_path / "in", tmp_path / "out", isolation="none", rubric=Rubric({"relu_forward": 1})
    )
    assert [one.score for one in graded] == [1, 1, 0]
    assert graded[2].report.wrong


def test_stopped_while_grading_it_loses_nobody(handed_in, tmp_path):
    """A judge that is ended leaves no record: the next run judges that submission again."""
    out = tmp_path / "out"
    (handed_in / "dora.py").write_text(
        "import time\ntime.sleep(4)\ndef relu_forward(x):\n    return x * (x > 0), x\n"
    )
    command = [
        sys.executable,
        "-m",
        "normlab.cli",
        "grade",
        str(handed_in),
        "--out",
        str(out),
        "--isolation",
        "none",
    ]
    process = subprocess.Popen([*command, "--workers", "1"], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while len(list((out / "records").glob("*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command continues" in told
    graded = grade(handed_in, out, isolation="none")
    assert {one.name: one.scores["relu_forward"] for one in graded}["dora"] == 1


SCIPY = """import numpy as np
from scipy.special import log_softmax
def softmax_loss(x, y):
    logp, rows = log_softmax(x, axis=1), np.arange(len(x))
    grad = np.exp(logp)
    grad[rows, y] -= 1
    return -logp[rows, y].mean(), grad / len(x)
"""
FOLLOWS = """import numpy as np
def batchnorm_forward(x, gamma, beta, bn_param):
    eps = bn_param.get("eps", 1e-5)
    mean, var = x.mean(0), x.var(0, ddof=1)
    xhat = (x - mean) / np.sqrt(var + eps)
    return gamma * xhat + beta, (xhat, x - mean, np.sqrt(var + eps), gamma)
def batchnorm_backward(dout, cache):
    xhat, xmu, std, gamma = cache
    N = len(xhat)
    dxhat = dout * gamma
    dvar = (dxhat * xmu).sum(0) * -0.5 / std**3
    dx = dxhat / std - (dxhat / std).mean(0) + dvar * 2 * xmu / (N - 1)
    return dx, (dout * xhat).sum(0), dout.sum(0)
"""


@needs_sandbox
@pytest.mark.skipif(importlib.util.find_spec("scipy") is None, reason="SciPy is not installed")
def test_a_rubric_allows_packages(tmp_path):
    (tmp_path / "anna.py").write_text(SCIPY)
    points = {"softmax_loss": 1}
    assert grade_one(tmp_path / "anna.py", rubric=Rubric(points)).score == 0
    allowed = Rubric(points, packages=["scipy"])
    assert grade_one(tmp_path / "anna.py", rubric=allowed).score == 1
    with pytest.raises(OptionError, match="packages has 'normlab'"):
        Rubric(packages=["normlab"])


def test_a_right_derivation_of_a_wrong_layer_has_its_points_unless_it_waits(tmp_path):
    (tmp_path / "anna.py").write_text(FOLLOWS)
    points = {"batchnorm_forward": 1, "batchnorm_backward": 1}
    own = grade_one(tmp_path / "anna.py", rubric=Rubric(points), isolation="none", seed=1)
    assert dict(own.scores) == {"batchnorm_forward": 0, "batchnorm_backward": 1}
    waits = Rubric(points, follow_on="waits")
    waiting = grade_one(tmp_path / "anna.py", rubric=waits, isolation="none", seed=1)
    assert dict(waiting.scores) == {"batchnorm_forward": 0, "batchnorm_backward": 0}
