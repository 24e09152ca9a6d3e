"""The results file and the targets that are read from it."""

import math
from pathlib import Path

import pytest

from normlab.errors import RecordsError
from proof.bench.results import load_results, measured, save_section
from proof.bench.tables import markdown, tables
from proof.bench.targets import TARGETS, judge

from .conftest import race_result, section


def verdicts(sections: dict[str, object]) -> dict[str, bool | None]:
    return {each.target.asked: each.met for each in judge(sections)}


def test_nothing_measured_meets_nothing_and_misses_nothing() -> None:
    assert set(verdicts({}).values()) == {None}


def test_each_target_of_the_study_is_judged() -> None:
    seconds = {
        "fast": [4.0],
        "torch": [40.0],
        "torch-fused-many": [15.0],
        "jax-map": [13.0],
        "jax-map-many": [11.0],
    }
    found = verdicts({"initialization/cifar10": section(race_result(seconds, compiling=8.0))})
    assert found == dict.fromkeys((target.asked for target in TARGETS), None) | {
        "CIFAR-10 study, against PyTorch eager as people write it": True,  # 10 of 9
        "against the best PyTorch arrangement": False,  # 3.75 of 4
        "against JAX in one process, warm": True,  # 3.25 of 3
        "against JAX in one process, with compilation": True,  # 21 / 4 of 5
        "against the best JAX arrangement, warm": False,  # 2.75 of 3
        "against the best JAX arrangement, with compilation": False,  # 19 / 4 of 5
        "share of the roofline": True,  # 3 s of 4
    }


def test_a_target_beyond_the_floor_is_seen_to_be() -> None:
    seconds = {"fast": [4.0], "jax-map": [6.0]}
    judged = judge({"initialization/cifar10": section(race_result(seconds, compiling=3.0))})
    on = {each.target.asked: each.on for each in judged}
    assert (
        on["against the best JAX arrangement, warm"]
        == "jax-map; the floor itself would reach 2.0 ×"
    )
    assert on["against the best JAX arrangement, with compilation"].endswith(
        "the floor itself would reach 3.0 ×"
    )


def test_a_peer_that_did_other_work_decides_nothing() -> None:
    result = race_result({"fast": [4.0], "torch": [400.0]}, differs="it did not train")
    found = verdicts({"initialization/cifar10": section(result)})
    assert found["CIFAR-10 study, against PyTorch eager as people write it"] is None
    assert found["against the best PyTorch arrangement"] is None


def test_a_quick_look_is_not_judged() -> None:
    result = race_result({"fast": [4.0], "torch": [400.0]})
    assert set(verdicts({"initialization/cifar10": section(result, quick=True)}).values()) == {None}


@pytest.mark.parametrize(("extra", "met"), [(29.0, True), (31.0, False), (math.nan, None)])
def test_a_target_may_be_an_upper_bound(extra: float, met: bool | None) -> None:
    found = verdicts({"cold": section({"extra_seconds": extra, "what": "a command"})})
    assert found["cold start over warm"] is met


def test_other_figures_are_read_where_they_stand() -> None:
    kernels = {"summary": {"ratio": (2.5, "a"), "share": (0.7, "b"), "accuracy": None}}
    memory = {"beyond_records": 512.0, "what": "little"}
    found = {
        each.target.asked: each
        for each in judge({"kernels": section(kernels), "memory": section(memory)})
    }
    assert found["norm kernels against PyTorch, geometric mean"].met
    assert found["norm kernels on large arrays: share of copy bandwidth"].met is False
    assert found["worst error at mean/std 1e4: PyTorch's over ours"].met is None
    assert found["memory a further run, beyond its record"].measured == 0.5


def test_a_section_says_where_it_came_from() -> None:
    made = measured(lambda: {"found": 1}, ["machine", "--out", "a b.json"], quick=False)
    assert made["result"] == {"found": 1}
    assert made["command"] == "python -m proof.bench machine --out 'a b.json'"
    assert {"normlab", "numpy", "python"} <= made["versions"].keys()
    assert made["machine"]["cores"] >= 1


def test_a_file_keeps_other_sections_and_numbers_that_are_not_finite(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    save_section(path, "one", {"values": [1.0, math.inf, -math.inf, math.nan]})
    save_section(path, "two", {"nested": {"value": math.nan}})
    save_section(path, "two", {"nested": {"value": 2.0}})
    sections = load_results(path)["sections"]
    assert sections["one"]["values"][:3] == [1.0, math.inf, -math.inf]
    assert math.isnan(sections["one"]["values"][3])
    assert sections["two"] == {"nested": {"value": 2.0}}
    assert "NaN" not in path.read_text()


@pytest.mark.parametrize("content", ["", "[1]", '{"format": 99, "sections": {}}', "{"])
def test_what_is_no_results_file_is_refused_and_left(tmp_path: Path, content: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(RecordsError, match=r"results\.json (is no JSON file|holds no results)"):
        save_section(path, "one", {})
    assert path.read_text() == content


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordsError, match="name another file with --out"):
        save_section(tmp_path / "file" / "results.json", "one", {})


def test_a_table_for_a_document_has_a_line_a_row_and_its_command() -> None:
    sections = {"initialization/cifar10": section(race_result({"fast": [4.0], "torch": [40.0]}))}
    race, _ = (markdown(table).splitlines() for table in tables({"sections": sections}))
    assert race[0] == "**the 40-net initialization study on cifar10: 40 nets, 1 round**"
    assert race[2].count("|") == race[3].count("|") == race[4].count("|")
    assert race[5].startswith("| torch | 1 | 1.0000 | 1.0000 to 1.0000 | 40.00 | 10.00 |")
    assert race[-1].startswith(
        "`python -m proof.bench studies`; 2026-01-01T00:00:00+00:00, 1 s, a processor, 2 cores"
    )


def test_every_kind_of_section_has_a_table() -> None:
    sections = {
        "initialization/cifar10": section(race_result({"fast": [4.0], "torch": [40.0]}, nets=4)),
        "memory": section(
            {"bytes_a_run": {"1": [700.0]}, "kept_bytes": 600, "beyond_records": 100.0, "what": "w"}
        ),
        "cold": section(
            {name: [2.0] for name in ("cold", "warm", "extra", "compiling", "loading")}
            | {"command": "normlab reproduce", "extra_seconds": 2.0, "what": "w"}
        ),
    }
    titles = [str(table.title) for table in tables({"sections": sections})]
    assert titles == [
        "normlab reproduce",
        "the 40-net initialization study on cifar10: 40 nets, 1 round",
        "memory of a sweep",
        "the targets",
    ]
