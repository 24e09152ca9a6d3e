"""The targets of speed and memory, and whether the results of a file meet them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from proof.bench.standings import Standing, best, floor_of, standings

__all__ = ["TARGETS", "Judged", "Target", "judge"]

STUDY = "initialization/cifar10"

Found = tuple[float, str] | None
"""A measured value and what it was measured on; None where it was not measured."""


@dataclass(frozen=True)
class Target:
    """What is asked, and how it is read from the sections of a results file."""

    asked: str
    bound: float
    find: Callable[[dict[str, Any]], Found]
    at_least: bool = True
    unit: str = "×"


@dataclass(frozen=True)
class Judged:
    """A target, what was measured, and whether that meets it; None where it was not measured."""

    target: Target
    measured: float | None
    on: str
    met: bool | None


def judge(sections: dict[str, Any]) -> list[Judged]:
    """Every target, held against the results; those of a quick look meet none and miss none."""
    results = {
        name: section["result"] for name, section in sections.items() if not section["quick"]
    }
    judged = []
    for target in TARGETS:
        found = target.find(results)
        if found is None or math.isnan(found[0]):
            judged.append(Judged(target, None, "not measured", None))
            continue
        value, on = found
        met = value >= target.bound if target.at_least else value <= target.bound
        judged.append(Judged(target, value, on, met))
    return judged


def _against(
    section: str, kind: str, *, processes: int | None = None, with_compilation: bool = False
) -> Callable[[dict[str, Any]], Found]:
    """The ratio to the best peer of a kind in a race, or to the best of those in so many processes."""

    def find(results: dict[str, Any]) -> Found:
        if section not in results:
            return None
        peers = [
            each for each in standings(results[section]) if processes in (None, each.processes)
        ]
        peer = best(peers, kind, with_compilation=with_compilation)
        if peer is None:
            return None
        ratio = peer.ratio_with_compilation if with_compilation else peer.ratio.median
        return ratio, _compared_with(peer, results[section], with_compilation=with_compilation)

    return find


def _as_written(results: dict[str, Any]) -> Found:
    """PyTorch as people write it."""
    race = results.get(STUDY)
    for peer in standings(race) if race else []:
        if peer.name == "torch" and peer.differs is None:
            return peer.ratio.median, _compared_with(peer, results[STUDY])
    return None


def _compared_with(peer: Standing, race: dict[str, Any], *, with_compilation: bool = False) -> str:
    """Whom a ratio is to, how much of it was estimated, and the ratio that a trainer at the floor would have."""
    some = f", estimated from {peer.trained} nets a round" if peer.trained < peer.nets else ""
    ceiling = (peer.study + (peer.compiling if with_compilation else 0.0)) / floor_of(race).seconds
    return f"{peer.title}{some}; the floor itself would reach {ceiling:.1f} ×"


def _roofline(results: dict[str, Any]) -> Found:
    race = results.get(STUDY)
    if race is None:
        return None
    floor = floor_of(race)
    return (
        floor.share.median,
        f"floor {floor.seconds:.2f} s, evaluation included, bound by {floor.bound}",
    )


def _kernel(name: str) -> Callable[[dict[str, Any]], Found]:
    def find(results: dict[str, Any]) -> Found:
        summary = results.get("kernels", {}).get("summary", {})
        return (summary[name][0], summary[name][1]) if summary.get(name) else None

    return find


def _cold(results: dict[str, Any]) -> Found:
    cold = results.get("cold")
    return (cold["extra_seconds"], cold["what"]) if cold else None


def _memory(results: dict[str, Any]) -> Found:
    memory = results.get("memory")
    return (memory["beyond_records"] / 1024, memory["what"]) if memory else None


TARGETS = (
    Target("CIFAR-10 study, against PyTorch eager as people write it", 9, _as_written),
    Target("against the best PyTorch arrangement", 4, _against(STUDY, "torch")),
    Target("against JAX in one process, warm", 3, _against(STUDY, "jax", processes=1)),
    Target("against JAX in one process, with compilation", 5,
           _against(STUDY, "jax", processes=1, with_compilation=True)),
    Target("against the best JAX arrangement, warm", 3, _against(STUDY, "jax")),
    Target("against the best JAX arrangement, with compilation", 5, _against(STUDY, "jax", with_compilation=True)),
    Target("share of the roofline", 0.7, _roofline, unit=""),
    Target("the study on digits, against the best PyTorch arrangement", 20,
           _against("initialization/digits", "torch")),
    Target("norm kernels against PyTorch, geometric mean", 2, _kernel("ratio")),
    Target("norm kernels on large arrays: share of copy bandwidth", 0.8, _kernel("share"), unit=""),
    Target("worst error at mean/std 1e4: PyTorch's over ours", 1000, _kernel("accuracy")),
    Target("cold start over warm", 30, _cold, at_least=False, unit="s"),
    Target("memory a further run, beyond its record", 1, _memory, at_least=False, unit="KiB"),
)  # fmt: skip
