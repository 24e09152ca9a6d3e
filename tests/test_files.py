"""A file is replaced all or nothing."""

import os
import signal
import subprocess
import sys
import time

import pytest

from normlab.files import write_atomically


def test_content_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "result.bin"
    write_atomically(path, b"old")
    assert write_atomically(path, b"new") == path
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["result.bin"]


def test_a_missing_folder_is_an_error_and_makes_nothing(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "missing" / "x", b"")


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_full_disk_keeps_the_old_content(tmp_path):
    path = tmp_path / "result.bin"
    path.write_bytes(b"old")
    code = (
        "import resource, signal, sys; from normlab.files import write_atomically;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"  # the write then fails, as on a full disk
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "write_atomically(sys.argv[1], bytes(10_000))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert "OSError" in done.stderr
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["result.bin"]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_killed_while_writing_the_file_is_old_or_new_never_a_part(tmp_path):
    path = tmp_path / "result.bin"
    size = 3_000_000
    path.write_bytes(bytes([255]) * size)
    code = (
        "import sys; from normlab.files import write_atomically; print('ready', flush=True)\n"
        "for round in range(10**6): write_atomically(sys.argv[1], bytes([round % 251]) * int(sys.argv[2]))"
    )
    for delay in (0.0, 0.003, 0.01, 0.02, 0.05):
        with subprocess.Popen([sys.executable, "-c", code, str(path), str(size)], stdout=subprocess.PIPE) as writer:
            writer.stdout.readline()
            time.sleep(delay)
            writer.send_signal(signal.SIGKILL)
        content = path.read_bytes()
        assert len(content) == size
        assert len(set(content)) == 1
