"""One copy of an object for all processes, that leaves nothing behind and is never mistaken for another."""

import errno
import multiprocessing
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from normlab import handover
from normlab.handover import Handle, handed_over, taken

needs_memory_files = pytest.mark.skipif(
    not hasattr(os, "memfd_create"), reason="no anonymous files on this system"
)


def made_up(seed=0):
    rng = np.random.RandomState(seed)
    return {
        "X": rng.randn(7, 5),
        "y": rng.randint(0, 3, 7),
        "empty": np.zeros((0, 4)),
        "turned": rng.randn(4, 3).T,
    }


def same(a, b):
    return a.keys() == b.keys() and all(
        np.array_equal(a[name], b[name]) and a[name].dtype == b[name].dtype for name in a
    )


@needs_memory_files
def test_what_is_taken_is_what_was_handed_over_and_is_shared_and_read_only():
    value = made_up()
    with handed_over(value) as given:
        assert len(pickle.dumps(given)) < 300
        got = taken(given)
        assert same(got, value)
        assert taken(given) is got
        assert not got["X"].flags.writeable
        assert got["X"].ctypes.data % 8 == 0
    assert same(got, value)  # whoever has taken it keeps it


def _sum_of(given):
    return taken(given)["X"].sum()


@needs_memory_files
def test_another_process_takes_it_too():
    value = made_up()
    with handed_over(value) as given, multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_sum_of, (given,)) == value["X"].sum()


@needs_memory_files
def test_the_next_object_is_not_mistaken_for_the_last_although_it_gets_the_same_place():
    paths = []
    for seed in (0, 1):
        with handed_over(made_up(seed)) as given:
            paths.append((given.path, given.parts))
            assert same(taken(given), made_up(seed))
    assert paths[0] == paths[1]


@needs_memory_files
def test_nothing_is_left_behind():
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(ZeroDivisionError), handed_over(made_up()) as given:
        raise ZeroDivisionError
    assert set(os.listdir("/proc/self/fd")) == before
    assert not os.path.exists(given.path)


@pytest.mark.parametrize("missing", ["the call", "a handle", "the way there"])
def test_without_such_files_the_object_itself_is_given(monkeypatch, missing):
    def no_handle_left(name):
        raise OSError(errno.EMFILE, name)

    if missing == "the call":
        monkeypatch.delattr(handover.os, "memfd_create", raising=False)
    elif missing == "the way there":
        monkeypatch.setattr(handover.os.path, "exists", lambda path: not path.startswith("/proc"))
    else:
        monkeypatch.setattr(handover.os, "memfd_create", no_handle_left, raising=False)
    value = made_up()
    with handed_over(value) as given:
        assert not isinstance(given, Handle)
        assert taken(given) is value


@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="no device here on which nothing can be written"
)
def test_where_no_memory_is_left_for_it_the_object_itself_is_given(monkeypatch):
    monkeypatch.setattr(
        os, "memfd_create", lambda _: os.open("/dev/full", os.O_WRONLY), raising=False
    )
    for length in (1, 100_000):  # refused as it is flushed, and as it is written
        value = {"numbers": np.zeros(length)}
        with handed_over(value) as given:
            assert given is value
