"""Provenance tells about what took part in the arithmetic, not about who else was in the room."""

import os

import pytest

from normlab.machine import available_cores, machine, one_blas_thread


def test_another_library_s_blas_is_not_ours():
    before = machine()
    pytest.importorskip("scipy.linalg", reason="SciPy is not installed")
    assert machine() == before


def test_threads_are_those_of_the_moment():
    with one_blas_thread():
        assert {library["threads"] for library in machine()["blas"]} == {1}


def test_cores_are_those_this_process_may_use():
    assert 1 <= available_cores() <= (os.cpu_count() or 1)
