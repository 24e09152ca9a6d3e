"""Other services: JUnit, GitHub's annotations, and packs that are unpacked and run as the service does."""

import json
import os
import stat
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pytest

from normlab.checker import check
from normlab.checker.grading.packs import pack
from normlab.checker.show_services import github, junit
from normlab.errors import OptionError

WRONG = """import numpy as np


def relu_forward(x):
    return np.abs(x), x


def relu_backward(dout, cache):
    pass
"""


@pytest.fixture
def report(tmp_path):
    (tmp_path / "layers.py").write_text(WRONG)
    return check(tmp_path / "layers.py", seed=0)


def test_junit_counts_and_escapes(report):
    suite = ET.fromstring(junit(report))
    assert suite.attrib["failures"] == "1"
    assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
    (failure,) = suite.iter("failure")
    assert "layers.py:" in failure.attrib["message"]
    assert len(list(suite.iter("skipped"))) == int(suite.attrib["skipped"]) == 1
    odd = junit(report.__class__('a<b>&\x00"', report.findings))
    assert ET.fromstring(odd).attrib["name"].startswith("a<b>&")


def test_githubs_annotations_stand_at_the_line(report):
    lines = github(report).splitlines()
    errors = [line for line in lines if line.startswith("::error")]
    assert len(errors) == 1
    assert ",line=" in errors[0]
    assert "relu_forward" in errors[0]


def test_the_gradescope_pack_grades_as_the_service_would(tmp_path):
    """Unpacked into a folder laid out like the service's; this Python's normlab stands for the installed one."""
    rubric = tmp_path / "rubric.toml"
    rubric.write_text("[points]\nrelu_forward = 2\nrelu_backward = 3\n")
    with zipfile.ZipFile(_written(tmp_path / "pack.zip", pack("gradescope", rubric))) as archive:
        archive.extractall(tmp_path / "autograder" / "source")
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
    assert modes["run_autograder"] & stat.S_IXUSR
    assert modes["setup.sh"] & stat.S_IXUSR
    base = tmp_path / "autograder"
    (base / "submission").mkdir()
    (base / "submission" / "layers.py").write_text(WRONG)
    normlab = tmp_path / "normlab"
    normlab.write_text(f'#!/bin/sh\nexec {sys.executable} -m normlab "$@"\n')
    normlab.chmod(0o755)
    environment = os.environ | {"AUTOGRADER": str(base), "NORMLAB": str(normlab)}
    command = ["bash", str(base / "source" / "run_autograder")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads((base / "results" / "results.json").read_text())
    assert result["score"] == 0
    by_name = {test["name"]: test for test in result["tests"]}
    assert by_name["relu_forward"]["max_score"] == 2
    assert by_name["relu_forward"]["status"] == "failed"
    assert by_name["relu_backward"]["output"]
    for test in result[
        "tests"
    ]:  # the fields that the service's documentation names, with their types
        assert test["visibility"] == "visible"
        assert test["output_format"] == "text"
        assert isinstance(test["score"], int | float)


def test_a_grader_that_cannot_run_still_leaves_a_result(tmp_path):
    with zipfile.ZipFile(_written(tmp_path / "pack.zip", pack("gradescope"))) as archive:
        archive.extractall(tmp_path / "autograder" / "source")
    base = tmp_path / "autograder"
    (base / "submission").mkdir()
    environment = os.environ | {"AUTOGRADER": str(base), "NORMLAB": "/bin/false"}
    subprocess.run(["bash", str(base / "source" / "run_autograder")], env=environment, check=True)
    result = json.loads((base / "results" / "results.json").read_text())
    assert (result["score"], result["tests"]) == (0, [])


def test_what_cannot_be_packed_is_refused():
    with pytest.raises(OptionError, match="did you mean 'gradescope'"):
        pack("gradscope")
    with pytest.raises(OptionError, match="is no wheel of normlab"):
        pack("gradescope", wheel=Path("numpy-2.whl"))
    workflow = pack("github").decode()
    assert "normlab check . --github" in workflow
    assert "@@" not in workflow


def _written(path, content):
    path.write_bytes(content)
    return path
