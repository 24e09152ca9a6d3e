"""The main job stopped in every way: Ctrl-C, SIGTERM, SIGKILL at random instants, two at once; nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from normlab.records import Records

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")

ROOT = Path(__file__).parents[2]
# the command line, with a catalogue of the one small study, and without its page, which other tests
# look at
PROGRAM = """
import sys
sys.path.insert(0, {root!r})
from normlab.studies.catalog import STUDIES
from proof.small_study import TINY
STUDIES.clear()
STUDIES["depth"] = TINY
import normlab.report
normlab.report.write = lambda findings, folder: folder / "index.html"
from normlab.cli import main
main()
"""


def started(out: Path, *words: str) -> subprocess.Popen[str]:
    """The job as a process of its own, in a process group of its own as a shell would start it."""
    command = [sys.executable, "-c", PROGRAM.format(root=str(ROOT)), "reproduce"]
    command += ["--engine", "reference", "--out", str(out)]
    return subprocess.Popen(
        [*command, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def results(out: Path) -> list[dict[str, Any]]:
    """The results table, less what depends on when and how fast it was made, and in an order of its own."""
    with Records(out / "records.sqlite", mode="r") as records:
        rows = records.export_rows()
    of_the_moment = ("seconds", "started", "finished")
    return sorted(
        ({k: v for k, v in row.items() if k not in of_the_moment} for row in rows),
        key=lambda r: r["key"],
    )


def runs_in(out: Path) -> int:
    if not (out / "records.sqlite").exists():
        return 0
    try:
        return len(results(out))
    except Exception:  # the writer has just the file in hand
        return 0


def wait_for_runs(out: Path, number: int) -> None:
    until = time.monotonic() + 60
    while runs_in(out) < number:
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    out = tmp_path_factory.mktemp("undisturbed")
    process = started(out, "--workers", "1", "--quiet")
    assert process.communicate(timeout=120) == ("", "")
    assert process.returncode == 0
    return results(out)


@pytest.mark.parametrize(
    ("request_to_end", "workers"),
    [(signal.SIGINT, "1"), (signal.SIGINT, "2"), (signal.SIGTERM, "1")],
)
def test_a_polite_end_says_what_is_kept_and_how_to_go_on(
    tmp_path: Path, undisturbed: list[dict[str, Any]], request_to_end: int, workers: str
) -> None:
    process = started(tmp_path, "--workers", workers)
    wait_for_runs(tmp_path, 2)
    # Ctrl-C in a terminal reaches the whole group, workers included; a scheduler's SIGTERM the
    # process alone
    if request_to_end == signal.SIGINT:
        os.killpg(process.pid, request_to_end)
    else:
        process.send_signal(request_to_end)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    kept = runs_in(tmp_path)
    assert 2 <= kept < 20
    assert (
        f"Stopped. {kept} finished runs ({kept} of them new) are kept in "
        f"{tmp_path / 'records.sqlite'}" in said
    )
    assert f"To continue:        normlab reproduce --data digits --out {tmp_path}" in said
    assert "Traceback" not in said
    process = started(tmp_path, "--workers", "1")
    out, said = process.communicate(timeout=120)
    reused = f"{kept} of 20 runs are in the records and are not trained again.\n"
    assert (process.returncode, said) == (0, reused)
    assert f"({kept} from before)" in out
    assert results(tmp_path) == undisturbed


def test_killed_at_random_instants_it_ends_with_the_same_table(
    tmp_path: Path, undisturbed: list[dict[str, Any]]
) -> None:
    rng = random.Random(7)
    kills = 0
    while (before := runs_in(tmp_path)) < 20 and kills < 12:
        process = started(tmp_path, "--workers", "1", "--quiet")
        # by then it is loading, opening the records, training or writing: any instant will do
        time.sleep(rng.uniform(0.4, 2.0))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        kills += 1
        assert runs_in(tmp_path) >= before
    process = started(tmp_path, "--workers", "1", "--quiet")
    assert process.communicate(timeout=120) == ("", "")
    assert process.returncode == 0
    assert results(tmp_path) == undisturbed


def test_two_at_once_on_one_folder_lose_nothing(
    tmp_path: Path, undisturbed: list[dict[str, Any]]
) -> None:
    both = [started(tmp_path, "--workers", "1") for _ in range(2)]
    for process in both:
        _, said = process.communicate(timeout=180)
        # the one that starts a moment later may find the other's first runs
        assert process.returncode == 0
        assert said == "" or said.endswith("are in the records and are not trained again.\n")
    assert results(tmp_path) == undisturbed
