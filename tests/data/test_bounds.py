"""Every hostile file there is, in one process that may not grow: the promise on memory, and on time."""

import json
import subprocess
import sys

import pytest

from tests.data import corpus

MEGABYTES = 150  # promised are 200, for the whole process; it has 35 before it reads anything
SCRIPT = """
import json, pathlib, resource, sys
from normlab.data import archives, cifar10, mnist
from normlab.errors import DataError

# A reader that never ends is stopped after more time than all files together need on a slow machine.
resource.setrlimit(resource.RLIMIT_CPU, (200, 200))


def peak():
    # not ru_maxrss, which begins with the size of the process that started this one
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


readers = {
    "pickle": cifar10.read_batch,
    "tar": lambda path: list(archives.members(path, {"cifar-10-batches-bin/data_batch_1.bin"}, 48 << 20)),
    "idx": lambda path: mnist.read_idx(path, (20,)),
}
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    before = peak()
    try:
        readers[path.name.partition(" ")[0]](path)
        outcome = "read"
    except DataError as error:
        outcome = str(error)
    print(json.dumps([path.name, before, peak(), outcome]), flush=True)
"""


def files() -> dict[str, bytes]:
    """All corpora under names that say how to read them."""
    pickles = {
        **{what: corpus.a_value(value) for what, value in corpus.EXECUTING.items()},
        **corpus.BROKEN,
        **corpus.BOMBS,
    }
    groups = {"pickle": pickles, "tar": corpus.ARCHIVES, "idx": corpus.IDX_FILES}
    return {
        f"{kind} {number:02} {what.replace('/', ' ')}": content
        for kind, group in groups.items()
        for number, (what, content) in enumerate(group.items())
    }


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's size as Linux tells it")
def test_no_file_makes_the_process_grow(tmp_path):
    for name, content in files().items():
        (tmp_path / name).write_bytes(content)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    rows = [json.loads(line) for line in child.stdout.splitlines()]
    assert child.returncode == 0, child.stderr + str(rows[-1:])
    assert len(rows) == len(files()) > 150
    for name, before, after, outcome in rows:
        assert after < MEGABYTES, f"{name} took the process from {before:.0f} to {after:.0f} MB"
        assert outcome != "read" or name.endswith(("no members", "the batch is a folder"))
