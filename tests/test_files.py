"""A file is replaced all or nothing."""

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from normlab.files import NotForcedError, unwritten, write_atomically


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
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert "OSError" in done.stderr
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["result.bin"]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_killed_while_writing_the_file_is_old_or_new_never_a_part(tmp_path):
    path = tmp_path / "result.bin"
    size = 3_000_000
    path.write_bytes(bytes([255]) * size)
    code = (
        "import sys; from normlab.files import write_atomically; print('ready', flush=True)\nfor "
        "round in range(10**6): write_atomically(sys.argv[1], bytes([round % 251]) * "
        "int(sys.argv[2]))"
    )
    for delay in (0.0, 0.003, 0.01, 0.02, 0.05):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(size)], stdout=subprocess.PIPE
        ) as writer:
            writer.stdout.readline()
            time.sleep(delay)
            writer.send_signal(signal.SIGKILL)
        content = path.read_bytes()
        assert len(content) == size
        assert len(set(content)) == 1


posix = pytest.mark.skipif(sys.platform == "win32", reason="links, modes and devices are POSIX")


@posix
def test_a_link_is_followed_and_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "page.html", tmp_path / "page.html"
    target.write_bytes(b"old")
    link.symlink_to("real/page.html")
    assert write_atomically(link, b"new") == link
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    target.unlink()
    write_atomically(link, b"again")  # a link to what is not there yet
    assert target.read_bytes() == b"again"
    assert sorted(os.listdir(tmp_path)) == ["page.html", "real"]
    assert os.listdir(tmp_path / "real") == ["page.html"]


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_the_old_file_s_permissions_stay(tmp_path, mode):
    path = tmp_path / "result"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_atomically(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == mode


@posix
def test_a_new_file_has_the_permissions_that_open_gives(tmp_path):
    (tmp_path / "usual").write_bytes(b"")
    write_atomically(tmp_path / "ours", b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


@posix
def test_a_device_is_written_into_and_stays_a_device():
    assert write_atomically("/dev/null", b"x" * 100_000) == Path("/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@posix
def test_a_pipe_is_written_into_and_stays_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    content = bytes(range(256)) * 1000  # more than a pipe holds at once
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit((tmp_path / "pipe").read_bytes)
        write_atomically(tmp_path / "pipe", content)
        assert reading.result() == content
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_folder_in_the_way_is_an_error(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(OSError, match=r"directory|denied"):
        write_atomically(tmp_path / "x", b"new")
    assert os.listdir(tmp_path) == ["x"]


def test_a_name_may_have_all_255_bytes(tmp_path):
    path = tmp_path / ("n" * 251 + ".bin")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    with pytest.raises(OSError, match=r"name too long|Invalid argument|No such file"):
        write_atomically(tmp_path / ("n" * 256), b"new")
    assert os.listdir(tmp_path) == [path.name]


def refusing(monkeypatch, number, only_folders=True):
    """os.fsync as a file system answers it that cannot do this."""
    usual = os.fsync

    def fsync(handle):
        if not only_folders or stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        usual(handle)

    monkeypatch.setattr(os, "fsync", fsync)


@posix
@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES])
@pytest.mark.parametrize("only_folders", [True, False])
def test_what_cannot_be_forced_to_the_disk_is_no_error(tmp_path, monkeypatch, number, only_folders):
    refusing(monkeypatch, number, only_folders)
    write_atomically(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new"


@posix
def test_after_the_replacement_nothing_is_called_untouched(tmp_path, monkeypatch):
    (tmp_path / "x").write_bytes(b"old")
    refusing(monkeypatch, errno.EIO)
    with pytest.raises(NotForcedError) as caught:
        write_atomically(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new"
    assert "untouched" not in unwritten("x", caught.value)
    assert "x is written, but the disk did not confirm it" in unwritten("x", caught.value)
    refusing(monkeypatch, errno.EIO, only_folders=False)
    with pytest.raises(OSError, match="error") as caught:
        write_atomically(tmp_path / "x", b"newer")
    assert (tmp_path / "x").read_bytes() == b"new"
    assert "What was there before is untouched" in unwritten("x", caught.value)
    assert os.listdir(tmp_path) == ["x"]


@posix
@pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() == 0, reason="root may write everywhere"
)
def test_a_read_only_file_is_not_replaced(tmp_path):
    path = tmp_path / "result"
    path.write_bytes(b"old")
    path.chmod(0o444)
    with pytest.raises(PermissionError):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
