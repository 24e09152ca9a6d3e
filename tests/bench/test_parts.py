"""Each part measured for real, as small as can be, and the verb that does it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from normlab.data import load
from normlab.data.dataset import Dataset
from normlab.errors import DataError, OptionError
from proof.bench import memory, parts, peers, scaling
from proof.bench.__main__ import main
from proof.bench.kernels import cases, grid
from proof.bench.parts import Wanted, sections
from proof.bench.peaks import Peaks
from proof.bench.tables import kernel_cases, tables
from proof.bench.workloads import WORKLOADS
from tests.cli.conftest import Run, program

from .conftest import section

numba = pytest.importorskip("numba", reason="Numba is not installed")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `python -m proof.bench` in this process."""
    return program(main, monkeypatch, capsys)


def drawn(name: str, result: dict[str, object]) -> str:
    """The section's table, as text."""
    from rich.console import Console

    console = Console(width=200)
    with console.capture() as captured:
        for table in tables({"sections": {name: section(result)}}, all_targets=False):
            console.print(table)
    return captured.get()


def test_peaks_are_measured_on_every_thread() -> None:
    peaks = Peaks(threads=2, quick=True)
    found = peaks.sgemm(times=1), peaks.copy(size=1 << 16), peaks.triad(size=1 << 16)
    assert all(isinstance(each, float) and 0 < each < math.inf for each in found)


def test_kernels_without_pytorch_are_timed_and_pytorch_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda _: None)
    monkeypatch.setattr(cases, "DTYPES", ("float32",))
    monkeypatch.setattr(grid, "DTYPES", ("float32",))
    found = grid.measure(1, ((20, 16),), 1e-5, lambda _: None)
    assert len(found["cases"]) == 4 * len({1, found["cores"]})  # two norms, two passes
    assert found["summary"]["ratio"] is None
    assert found["missing"] == {"torch": "torch is not installed: pip install 'normlab[peers]'"}
    for row in found["accuracy"]:
        assert row["ours"][0] < 1e-7
    assert "not measured: torch is not installed" in drawn("kernels", found)
    assert len(list(kernel_cases(found).columns[0].cells)) == len(found["cases"])


def test_the_summary_of_the_kernels() -> None:
    def case(threads: int, torch: float, n: int = 4096) -> dict[str, object]:
        size = n * 4096 * 4
        return {"norm": "batchnorm", "which": "forward", "n": n, "d": 4096, "dtype": "float32", "threads": threads,
                "bytes": 2 * size, "ours": [1.0], "reused": [1.0], "torch": [torch]}  # fmt: skip

    found = {
        "cores": 2,
        "cases": [case(1, 2.0), case(1, 8.0, n=50), case(2, 9.0), case(2, 1.0, n=50)],
        "copy": {str(4096 * 4096 * 4): [4 * 4096 * 4096 * 4], str(50 * 4096 * 4): [1.0]},
        "accuracy": [
            {"norm": "batchnorm", "ours": [1e-8, 1.0], "torch": [1e-3, 1.0]},
            {"norm": "layernorm", "ours": [1e-8, 1.0], "torch": [1e-4, 1.0]},
        ],
    }
    summary = grid.summary(found)
    assert summary["ratio"][0] == pytest.approx(3.0)  # of 4 on one thread and 3 on two, the lower
    assert summary["share"][0] == pytest.approx(0.5)  # large arrays only, all threads
    assert summary["accuracy"][0] == pytest.approx(1e4)


def test_both_sides_of_the_kernels_compute_the_same() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from proof.bench.kernels.ours import OurKernels
    from proof.bench.kernels.pytorch import PytorchKernels

    for norm in cases.NORMS:
        for side in (OurKernels(1), PytorchKernels()):
            y, dx = side.accuracy(norm, 20, 16, mean=0.0)
            assert y < 1e-6, (norm, torch.__version__)
            assert dx < 1e-5


def test_memory_of_a_sweep_is_measured_and_what_is_kept_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "available_cores", lambda: 1)
    found = memory.growth(1, lambda _: None, further=10, first=10)
    assert set(found["bytes_a_run"]) >= {"1"}
    assert found["kept_bytes"] > 300
    assert "which the caller keeps" in drawn("memory", found)


def test_growth_has_a_point_for_each_value() -> None:
    found = scaling.grow({"nets": (1, 2)}, load("digits"), 1, None, lambda _: None, quick=True)
    assert [point["value"] for point in found["points"]] == [1, 2]
    assert all(point["floor"] > 0 for point in found["points"])
    assert "seconds ∝ nets" in drawn("scaling", found)


def test_wishes_that_cannot_be_met_are_refused_before_any_work() -> None:
    with pytest.raises(OptionError, match="workload='depths' is not one of"):
        sections(Wanted(("machine", "studies"), workloads=("depths",), data=("digits",)))
    with pytest.raises(OptionError, match="part='speed'"):
        sections(Wanted(("speed",)))
    with pytest.raises(DataError, match="does not exist"):
        sections(Wanted(("studies",), data=("cifar10",), data_dir="nowhere"))


def test_without_numba_there_is_nothing_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = replace(parts.engines.COMPILED, why_not=lambda: "the compiled engine needs Numba")
    monkeypatch.setattr(parts.engines, "COMPILED", absent)
    with pytest.raises(OptionError, match="needs Numba"):
        sections(Wanted(("machine",)))


def test_the_workloads_are_the_notebook_s(digits: Dataset) -> None:
    counts = {
        name: len({spec.key for spec in work.runs(digits.spec)}) for name, work in WORKLOADS.items()
    }
    assert counts == {"initialization": 40, "depth": 8, "batch-size": 7}


@pytest.mark.usefixtures("tiny")
def test_the_verb_measures_saves_and_shows(bench: Run, tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    words = ("--data", "digits", "--peers", "course", "--rounds", "1", "--quick", "--out", str(out))
    said = bench("studies", "--workloads", "initialization", *words)
    assert said.code == 0, said.err
    assert "four small nets on digits" in said.out
    assert "a quick look, not to be quoted" in said.out
    assert "course-style NumPy, one process" in said.out
    saved = json.loads(out.read_text())["sections"]["initialization/digits"]
    assert saved["result"]["peers"]["course"]["same_work"] is None
    shown = bench("show", str(out))
    assert "the targets" in shown.out
    assert "not measured" in shown.out


def test_the_verb_names_peers_and_refuses_in_sentences(bench: Run, tmp_path: Path) -> None:
    assert "torch-fused-many" in bench("peers").out
    said = bench("studies", "--peers", "tensorflow", "--data", "digits")
    assert (said.code, said.out) == (2, "")
    assert "peer='tensorflow' is not one of" in said.err
    said = bench("show", str(tmp_path / "none.json"))
    assert said.code == 2
    assert "cannot be read" in said.err


@pytest.mark.usefixtures("tiny")
def test_interrupted_it_says_what_it_has(
    bench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(parts, "race", interrupted)
    words = (
        "--workloads",
        "initialization",
        "--data",
        "digits",
        "--out",
        str(tmp_path / "results.json"),
    )
    said = bench("studies", *words)
    assert said.code == 130
    assert "Stopped. Nothing is in" in said.err
