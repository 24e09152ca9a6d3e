"""Records used from several threads, and locked by another process."""

import sqlite3
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from normlab.errors import RecordsError
from normlab.records import Records, opening


@pytest.fixture
def path(tmp_path):
    Records(tmp_path / "records.sqlite").close()
    return tmp_path / "records.sqlite"


def test_records_opened_in_one_thread_are_used_in_others(path):
    with Records(path) as records, ThreadPoolExecutor(8) as pool:
        new = pool.map(
            lambda n: records.put_measurement(f"key{n}", "kind", "{}", str(n)), range(100)
        )
        assert all(new)
        assert sorted(
            pool.map(records.get_measurement, [f"key{n}" for n in range(100)]), key=int
        ) == [str(n) for n in range(100)]
    with Records(path, mode="r") as records:
        assert len(list(records.measurements())) == 100


def test_a_wait_for_somebody_else_s_lock_is_said(path, monkeypatch):
    monkeypatch.setattr(opening, "SILENT_WAIT", 1)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    released = threading.Timer(0.3, lambda: other.execute("COMMIT"))
    released.start()
    with pytest.warns(
        opening.WaitingWarning, match="are being written by another process; waiting"
    ):
        records = Records(path)
    released.join()
    with records, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert records.put_measurement("other", "kind", "{}", "1")
    other.close()


def test_a_lock_that_is_never_released_is_a_sentence(path, monkeypatch):
    monkeypatch.setattr(opening, "SILENT_WAIT", 1)
    other = sqlite3.connect(path, isolation_level=None)
    with Records(path, timeout=0.2) as records:
        other.execute("BEGIN IMMEDIATE")
        with (
            pytest.warns(opening.WaitingWarning),
            pytest.raises(RecordsError, match="another process that did not finish in time"),
        ):
            records.put_measurement("key", "kind", "{}", "1")
    other.close()
