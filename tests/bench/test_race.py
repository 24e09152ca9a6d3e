"""A race of small nets, in real processes; and who may win it."""

import math

import pytest

from normlab.data import load
from normlab.errors import OptionError
from normlab.request_server import NoAnswerError
from proof.bench import peers
from proof.bench.peers import PEERS, peers_named, why_missing
from proof.bench.processes import clean_environment, measuring
from proof.bench.race import Setting, race, same_work
from proof.bench.standings import best, floor_of, standings
from proof.bench.workloads import Workload, subset

from .conftest import race_result


def test_a_race_times_who_is_there_and_names_who_is_not(
    tiny: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numba", reason="Numba is not installed")
    monkeypatch.setattr(peers, "find_spec", lambda _: None)
    lines: list[str] = []
    wanted = peers_named(["course-many", "torch", "jax-map"])
    found = race(tiny, load("digits"), wanted, Setting(rounds=2, nets=2, trial=False), lines.append)
    assert set(found["peers"]) == {"fast", "course-many"}
    assert found["missing"] == {
        "torch": "torch is not installed: pip install 'normlab[peers]'",
        "jax-map": "jax is not installed: pip install 'normlab[peers]'",
    }
    assert any(
        "JAX jit of lax.map, one process: not measured, jax is not installed" in line
        for line in lines
    )
    fast, course = found["peers"]["fast"], found["peers"]["course-many"]
    assert (fast["nets"], course["nets"]) == (4, 2)
    assert sorted(course["outcomes"]) == ["0", "1", "2", "3"]  # two a round, others each round
    assert course["same_work"] is None
    assert all(len(peer["seconds"]) == 2 and min(peer["seconds"]) > 0 for peer in (fast, course))
    assert len(found["sgemm"]) == 2
    assert floor_of(found).share.median > 0
    assert [row.name for row in standings(found)] == ["fast", "course-many"]


OURS = {0: [2.3, 1.0, 0.5, 11], 1: [2.3, 2.0, 0.5, 11], 2: [2.3, 0.1, 0.5, 11]}


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (OURS, None),
        ({0: [2.3, 1.1, 0.4, 11]}, None),
        (
            {0: [2.3, 1.1, 0.5, 11], 1: [2.3, 2.1, 0.5, 11], 2: [2.3, 50.0, 0.5, 11]},
            None,
        ),  # one chaotic net
        ({0: [2.3, 1.0, 0.5, 1]}, "it measured accuracies 1 times, not 11"),
        ({0: [2.4, 1.0, 0.5, 11]}, "net 0 starts at a loss of 2.4, not 2.3"),
        (
            {0: [2.3, 2.3, 0.1, 11], 1: [2.3, 2.3, 0.1, 11], 2: [2.3, 2.3, 0.1, 11]},
            "differ from ours by a factor of",
        ),
        ({0: [2.3, math.nan, 0.1, 11]}, "differ from ours by a factor of inf"),
    ],
)
def test_who_does_other_work_is_found_out(theirs: dict[int, list[float]], said: str | None) -> None:
    found = same_work(theirs, OURS)
    assert found is None if said is None else said in (found or "")


def test_standings_count_seconds_a_net_and_ratios_by_round() -> None:
    rows = standings(race_result({"fast": [4.0, 5.0], "torch": [10.0, 20.0]}, nets=10))
    torch = rows[1]
    assert torch.a_net == (1.0, 1.5, 2.0)
    assert torch.study == 60.0
    assert torch.ratio.least == pytest.approx(1.0 / 0.1)
    assert torch.ratio.most == pytest.approx(2.0 / 0.125)
    assert (torch.trained, torch.nets) == (10, 40)


def test_the_best_is_the_quickest_that_did_the_work() -> None:
    rows = standings(race_result({"fast": [4.0], "torch": [40.0], "torch-fused-many": [20.0]}))
    found = best(rows, "torch")
    assert found is not None
    assert found.name == "torch-fused-many"
    cheats = standings(race_result({"fast": [4.0], "torch": [1.0]}, differs="it did not train"))
    assert best(cheats, "torch") is None


def test_with_compilation_another_may_be_best() -> None:
    result = race_result({"fast": [4.0], "jax-map": [16.0], "jax-vmap": [20.0]})
    result["peers"]["jax-map"]["compile_seconds"] = 12.0
    rows = standings(result)
    warm, whole = best(rows, "jax"), best(rows, "jax", with_compilation=True)
    assert warm is not None
    assert whole is not None
    assert (warm.name, warm.ratio.median) == ("jax-map", 4.0)
    assert (whole.name, whole.ratio_with_compilation) == ("jax-vmap", 5.0)


def test_the_floor_is_that_of_the_highest_peak_of_the_run() -> None:
    result = race_result({"fast": [6.0, 4.0]})
    result["sgemm"] = [1e11, 2e11]  # the first while something else ran
    floor = floor_of(result)
    assert floor.seconds == 3.0  # 6e11 operations at 2e11 a second
    assert floor.share == (0.5, 0.625, 0.75)
    assert floor.bound == "arithmetic"


def test_subsets_of_a_slow_peer_move_on() -> None:
    seen = {net for turn in range(4) for net in subset(40, 10, turn)}
    assert seen == set(range(40))


def test_an_unknown_peer_is_refused_with_the_names() -> None:
    with pytest.raises(OptionError, match="did you mean 'torch-fused'"):
        peers_named(["torch-fusd"])


def test_torch_compile_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda _: True)
    monkeypatch.setattr(peers.shutil, "which", lambda _: None)
    assert why_missing(PEERS["torch-compile"]) == (
        "torch.compile needs a C++ compiler, and none was found (CXX, g++, clang++)"
    )


def test_a_child_that_fails_is_a_sentence() -> None:
    with measuring("numpy") as child:
        with pytest.raises(
            NoAnswerError, match="Training failed: DataError: the data folder 'nowhere' does not"
        ):
            child.ask("prepare", specs=[], data="mnist", data_dir="nowhere")
        assert child.ask("compile", nets=[]) is None  # and it goes on


def test_a_child_that_dies_is_a_sentence() -> None:
    with measuring("numpy") as child:
        child.ask("compile", nets=[])
        child.process.kill()
        child.process.wait()
        with pytest.raises(NoAnswerError, match="ended by SIGKILL; it last said"):
            child.ask("compile", nets=[])


def test_the_caller_s_settings_do_not_reach_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("XLA_FLAGS", "--xla_slow")
    environment = clean_environment(2)
    assert environment["OMP_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == "2"
    assert "XLA_FLAGS" not in environment
