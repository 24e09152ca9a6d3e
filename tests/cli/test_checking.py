"""The verbs around the checker: what they print anywhere, and the exit codes."""

import json
import os
import subprocess
import sys

import pytest

from normlab.cli.output import plain

WRONG = """import numpy as np
def relu_forward(x):
    return np.maximum(0, x), x
def relu_backward(dout, cache):
    return dout
"""


def said(*words, encoding=None, **environment):
    """What `normlab` prints, as bytes, and its exit code."""
    env = {**os.environ, "PYTHONUTF8": "0", **environment}
    if encoding:
        env["PYTHONIOENCODING"] = encoding
    done = subprocess.run(
        [sys.executable, "-m", "normlab.cli", *words], capture_output=True, env=env, check=False
    )
    assert b"Traceback" not in done.stderr
    return done.returncode, done.stdout


@pytest.fixture
def layers(tmp_path):
    (tmp_path / "layers.py").write_text(WRONG)
    return str(tmp_path / "layers.py")


@pytest.mark.parametrize("encoding", ["cp1252", "gbk", "ascii", "utf-8"])
def test_any_encoding_is_written_and_the_exit_code_is_the_verdict(encoding, layers):
    code, out = said("check", layers, "--seed", "1", encoding=encoding)
    assert code == 1
    text = out.decode(encoding)
    assert "relu_forward" in text
    assert "--seed 1" in text
    code, out = said("check", layers, "--json", encoding=encoding)
    assert code == 1
    assert json.loads(out.decode(encoding))["functions"]["relu_backward"] == "wrong"
    code, out = said("explain", "batchnorm_backward", encoding=encoding)
    assert code == 0
    assert "gamma" in plain(out.decode(encoding))


def test_explain_wraps_and_lists_its_names():
    code, out = said("explain", "layernorm_backward", encoding="utf-8", COLUMNS="50")
    steps = out.decode().split("\n\n", 2)[2].splitlines()
    assert max(len(line) for line in steps) <= 52
    assert not any(line.rstrip().endswith(("i", "|")) for line in steps)
    code, out = said("explain", encoding="utf-8")
    assert code == 0
    assert {"adam", "batchnorm_backward_alt", "TwoLayerNet"} <= set(out.decode().split())


def test_every_fault_is_listed():
    code, out = said("check", "--list-faults", encoding="ascii")
    assert code == 0
    assert b"factor_two_missing" in out
    assert said("check")[0] == 2


def test_a_crash_of_the_checker_has_no_verdicts_exit_code(layers):
    code = (
        "import sys, normlab.checker; from normlab.cli import main\n"
        "def broken(*a, **k): raise ZeroDivisionError('ours')\n"
        f"normlab.checker.check = broken; sys.argv = ['normlab', 'check', {layers!r}]; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 70
    assert "mistake of normlab" in done.stderr
