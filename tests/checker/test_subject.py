"""The child process: kept objects, lost processes, and its end when its parent ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from normlab.checker.child.framing import Kept
from normlab.checker.process import ChildSubject, Limits
from normlab.checker.subject import LocalSubject, SubjectLost

SOURCE = """import numpy as np
def affine_forward(x, w, b):
    x += 1
    return x @ w + b, {"x": x}
def affine_backward(dout, cache):
    cache["x"][:] = 0
    return dout, dout, dout
def relu_forward(x):
    while True: pass
def sgd(w, dw, config=None):
    raise ValueError("no luck")
def softmax_loss(x, y):
    return np.random.rand(), x
"""


@pytest.fixture(params=["child", "local"])
def subject(request, tmp_path):
    (tmp_path / "layers.py").write_text(SOURCE)
    if request.param == "child":
        with ChildSubject(tmp_path / "layers.py", limits=Limits(seconds_a_call=1)) as made:
            yield made
    else:
        names = {}
        exec(SOURCE, names)
        yield LocalSubject(names)


def test_a_cache_stays_there_and_changes_are_seen(subject):
    x = np.zeros((2, 3))
    outcome = subject.call("affine_forward", x, np.ones((3, 2)), np.zeros(2), keep=(1,))
    out, cache = outcome.value
    assert isinstance(cache, Kept)
    np.testing.assert_array_equal(out, np.full((2, 2), 3.0))
    np.testing.assert_array_equal(x, 0)
    np.testing.assert_array_equal(outcome.args[0], 1)
    assert subject.call("affine_backward", out, cache).changed == (True,)


def test_an_exception_tells_its_place(subject):
    raised = subject.call("sgd", np.zeros(2), np.zeros(2)).error
    assert (raised.type, raised.message, raised.line) == ("ValueError", "no luck", 11)


def test_a_seed_is_set_before_the_call(subject):
    first, second = (
        subject.call("softmax_loss", np.zeros(2), np.zeros(2), numpy_seed=4).value[0]
        for _ in range(2)
    )
    assert first == second == np.random.RandomState(4).rand()


def test_after_a_loss_the_next_call_finds_a_fresh_process(tmp_path):
    (tmp_path / "layers.py").write_text(SOURCE)
    with ChildSubject(tmp_path / "layers.py", limits=Limits(seconds_a_call=0.3)) as subject:
        with pytest.raises(SubjectLost, match="endless loop") as lost:
            subject.call("relu_forward", np.zeros(2))
        assert lost.value.function == "relu_forward"
        assert subject.call("sgd", np.zeros(2), np.zeros(2)).error.message == "no luck"


def runs(process: int) -> bool:
    """Whether a process exists and is more than a zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_the_child_ends_with_its_parent(how, tmp_path):
    (tmp_path / "layers.py").write_text(
        "import os\nprint(os.getpid(), file=open('pid', 'w'), flush=True)\nwhile True: pass\n"
    )
    code = (
        "from pathlib import Path; from normlab.checker.process import ChildSubject, Limits\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "ChildSubject(folder / 'layers.py', limits=Limits(file_size=100), working_folder=folder)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while (
        not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
        and time.monotonic() < deadline
    ):
        time.sleep(0.02)
    child = int((tmp_path / "pid").read_text())
    os.kill(parent.pid, how)
    parent.wait()
    while runs(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert time.monotonic() < deadline
