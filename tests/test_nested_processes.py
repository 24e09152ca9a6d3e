"""Training from within another program's process, daemon or thread: it ends, and leaves nothing behind."""

import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
import multiprocessing, os, sys, threading, warnings
from concurrent.futures import ProcessPoolExecutor
import psutil
import normlab
from normlab import NetSpec, RunSpec, TrainingSpec

def job(_=0):
    data = normlab.data.load("digits", num_training=200)
    spec = RunSpec(NetSpec((5,)), TrainingSpec(num_epochs=1), data.spec)
    specs = [normlab.specs.replace(spec, seed=seed) for seed in range(4)]
    return len(normlab.train(specs, data, engine="reference", workers=2))

def daemon():
    warnings.simplefilter("error")
    assert job() == 4

def in_a_pool():
    with ProcessPoolExecutor(1) as pool:
        assert list(pool.map(job, [0])) == [4]

def in_a_daemon():
    process = multiprocessing.get_context("spawn").Process(target=daemon, daemon=True)
    process.start()
    process.join()
    assert process.exitcode == 0

def in_a_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(job()))
    thread.start()
    thread.join()
    assert found == [4]

if __name__ == "__main__":
    globals()[sys.argv[1]]()
    left = psutil.Process().children(recursive=True)
    print([line for child in left if "resource_tracker" not in (line := " ".join(child.cmdline()))])
"""


@pytest.mark.parametrize("where", ["in_a_pool", "in_a_daemon", "in_a_thread"])
def test_it_ends_and_leaves_no_worker_and_no_warning(where, tmp_path):
    pytest.importorskip("psutil", reason="psutil is not installed")
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py"), where],
        capture_output=True,
        text=True,
        timeout=200,  # joblib's idle workers would keep the pool for 300 s
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
