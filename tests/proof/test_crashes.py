"""Kills, full disks, closed folders, flipped bits: nothing is lost; and programs that do lose something are caught."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from pathlib import Path

import pytest

from normlab import checkpoints
from normlab.errors import RecordsError
from normlab.records import Records
from normlab.selftest import small_sweep
from normlab.selftest.lean_process import lean_process
from proof import crashes, damage, kills
from proof.adversities import Bench, full_disk_checkpoint, small_disk
from proof.commands import Said
from proof.forking import CAN_FORK, NO_FORK

pytestmark = pytest.mark.skipif(not CAN_FORK, reason=NO_FORK)
QUIET = {"PYTHONWARNINGS": "ignore"}


def test_kills_while_saving_leave_the_old_or_the_new_checkpoint():
    found = crashes.killed_saves(full=False)
    assert found.measured == "0 of 50 bad", found
    assert "struck inside a save" in found.note


SAVES_IN_PLACE = """
from pathlib import Path
from normlab import checkpoints
from proof import kills

def in_place(path, content):
    with open(path, "wb") as file:
        for start in range(0, len(content), 1000):
            file.write(content[start : start + 1000])
            file.flush()
    return Path(path)

checkpoints.write_atomically = in_place
save_killed = kills.save_killed
"""


def test_saving_in_place_would_be_caught(tmp_path, monkeypatch):
    (tmp_path / "in_place.py").write_text(SAVES_IN_PLACE)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "here").mkdir()
    rng, wrong = random.Random(1), []
    with lean_process("in_place:save_killed", tmp_path) as killed:
        for _ in range(30):
            for left in (tmp_path / "here").iterdir():
                left.unlink()
            wrong.append(killed(str(tmp_path / "here"), rng.uniform(0, 0.02))["wrong"])
    assert any(wrong)


def test_a_killed_sweep_ends_with_the_same_table(tmp_path):
    path, undisturbed = tmp_path / "killed.sqlite", tmp_path / "undisturbed.sqlite"
    kills.sweep(str(undisturbed), 1)
    with lean_process("proof.kills:sweep_killed", tmp_path, QUIET) as killed:
        found = [killed(str(path), 1, after) for after in (0.02, 0.1, 0.15)]
    assert [each["wrong"] for each in found] == [None] * 3
    assert kills.sweep(str(path), 1) is None
    assert small_sweep.table(path) == small_sweep.table(undisturbed)


def test_a_sweep_that_loses_workers_ends_with_the_same_table(tmp_path):
    path, undisturbed = tmp_path / "killed.sqlite", tmp_path / "undisturbed.sqlite"
    kills.sweep(str(undisturbed), 1)
    with lean_process("proof.kills:sweep_losing_workers", tmp_path, QUIET) as losing:
        assert losing(str(path), 2, 1, 3)[1] is None
    kills.sweep(str(path), 1)
    assert small_sweep.table(path) == small_sweep.table(undisturbed)


def test_a_sweep_that_differs_in_one_run_has_another_table(tmp_path):
    one, other = tmp_path / "one.sqlite", tmp_path / "other.sqlite"
    kills.sweep(str(one), 1)
    with Records(one, mode="r") as whole, Records(other) as records:
        for spec, history in whole:
            loss = (*history.loss[:-1], history.loss[-1] * (1 + 2**-52))
            records.put(
                spec,
                type(history)(
                    loss, history.train_acc, history.val_acc, history.best_val_acc, False
                ),
            )
    assert small_sweep.table(one) != small_sweep.table(other)


@pytest.fixture(scope="module")
def bench():
    with (
        tempfile.TemporaryDirectory() as name
    ):  # pytest's own folders are closed to a user without rights
        folder = Path(name)
        folder.chmod(0o755)
        with lean_process("proof.commands:command", folder, QUIET) as call:
            yield Bench(folder, call)


def test_no_room_no_rights_no_handles(bench):
    assert bench.no_room(full=False).holds is True
    assert bench.full_disk(full=False).holds in (True, None)  # a small disk needs root
    assert bench.no_rights().note == ""
    assert bench.no_handles(full=False).holds is True


def test_a_place_that_may_not_be_reached_is_a_sentence(bench):
    closed = bench.fresh()
    closed.mkdir()
    shutil.copytree(bench.good, closed / "inside")
    closed.chmod(0o000)
    inside = str(closed / "inside")
    try:
        for words in (["results", inside], ["report", inside], ["reproduce", "--out", inside]):
            assert bench.refused(bench.call(words, {"nobody": True}), "permission denied") == []
        for name in ("cifar10", "mnist"):
            said = bench.call(["reproduce", "--data", name, "--data-dir", inside], {"nobody": True})
            assert bench.refused(said, inside) == []
    finally:
        closed.chmod(0o755)


def test_a_clock_set_back_and_a_request_to_end(bench):
    for row in (bench.clock_set_back(), bench.asked_to_end(full=False)):
        assert row.holds is True, row


@pytest.mark.parametrize(
    "said",
    [
        Said(code=1, out="", err="Traceback (most recent call last):\nOSError: is full\n"),
        Said(code=2, out="", err="normlab: something else\n"),
        Said(code=0, out="", err="normlab: the disk is full\n"),
        Said(code=2, out="", err="normlab: the disk is full\nTraceback\n"),
    ],
)
def test_what_is_no_refusal_is_noticed(bench, said):
    assert bench.refused(said, "is full")
    assert not bench.refused(Said(code=2, out="", err="normlab: the disk is full\n"), "is full")


def test_a_lost_run_is_noticed(bench):
    out = bench.fresh()
    shutil.copytree(bench.good, out)
    assert bench.kept_and_continued(out) == []
    bench.expected = bench.expected[1:]
    try:
        assert bench.kept_and_continued(out)
    finally:
        bench.expected = small_sweep.table(bench.good / "records.sqlite")


def test_a_small_disk_is_small(tmp_path):
    with small_disk(tmp_path / "disk", 40) as disk:
        if disk is None:
            pytest.skip("needs root on Linux")
        assert full_disk_checkpoint(disk) == []
    with small_disk(tmp_path / "disk", 4_000) as disk:
        assert full_disk_checkpoint(disk) == ["a checkpoint larger than the disk was saved"]


def test_damaged_files_are_not_taken_for_good():
    for row in (damage.checkpoint_row(150), damage.records_row(60), damage.command_row(4)):
        assert row.holds is True, row


def test_a_reader_that_believes_everything_would_be_caught(tmp_path):
    path = tmp_path / "numbers.json"
    path.write_text(json.dumps(list(range(50))))

    def read() -> object:
        try:
            return json.loads(path.read_text())
        except ValueError as error:
            raise RecordsError("no JSON") from error

    row = damage._row("file", path, read, lambda found: found == list(range(50)), 100)
    assert row.holds is False
    assert "taken for a good one" in row.note


def test_a_checkpoint_of_the_kill_test_tells_its_epoch(tmp_path):
    path = tmp_path / "net"
    checkpoints.save(path, kills.content(3), {"epoch": 3})
    assert kills._wrong_with(path, kills.OUTSIDE, 3) is None
    assert kills._wrong_with(path, kills.RENAMED, 2) is None
    assert "should be of 4" in str(kills._wrong_with(path, kills.OUTSIDE, 4))
    checkpoints.save(path, kills.content(2), {"epoch": 3})
    assert "not those of epoch 3" in str(kills._wrong_with(path, kills.OUTSIDE, 3))
    Path(path).write_bytes(path.read_bytes()[:-1])
    assert "damaged" in str(kills._wrong_with(path, kills.OUTSIDE, 3))
