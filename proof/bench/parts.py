"""The parts of the benchmark, each a section of the results: what `python -m proof.bench` can be asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from normlab import engines
from normlab.data import load
from normlab.errors import OptionError, not_one_of
from proof.bench import cold, memory, scaling
from proof.bench.kernels import grid
from proof.bench.peaks import SIZES
from proof.bench.peers import peers_named
from proof.bench.processes import measuring
from proof.bench.race import Setting, race
from proof.bench.workloads import WORKLOADS, workload

__all__ = ["PARTS", "Wanted", "sections"]

Tell = Callable[[str], object]
Section = tuple[str, Callable[[Tell], dict[str, Any]]]
"""A section's name, and what measures it."""

PARTS = ("studies", "kernels", "machine", "memory", "cold", "scaling")
QUICK_SHAPES = ((50, 100), (1000, 500))
QUICK_AXES: dict[str, tuple[int, ...]] = {"nets": (1, 2), "batch size": (50, 100)}


@dataclass(frozen=True)
class Wanted:
    """What is to be measured, and how thoroughly."""

    parts: Sequence[str] = PARTS
    workloads: Sequence[str] = tuple(WORKLOADS)
    data: Sequence[str] = ("cifar10", "digits")
    peers: Sequence[str] | None = None
    nets: int | None = None
    rounds: int = 3
    quick: bool = False
    """Smaller sizes and no trials: to see that it works, not to be quoted."""
    data_dir: str | None = None


def sections(wanted: Wanted) -> Iterator[Section]:
    """The sections of what is wanted. Raises, before any is measured, OptionError and DataError for what cannot be."""
    for part in wanted.parts:
        if part not in PARTS:
            raise not_one_of("part", part, PARTS)
    if wanted.rounds < 1 or (wanted.nets is not None and wanted.nets < 2):
        raise OptionError(f"rounds={wanted.rounds} and nets={wanted.nets} must be at least 1 and 2")
    if (missing := engines.COMPILED.why_not()) is not None:
        raise OptionError(f"all that is measured here is held against the fast engine: {missing}")
    chosen = [section for part in wanted.parts for section in _SECTIONS[part](wanted)]
    return iter(chosen)


def _studies(wanted: Wanted) -> Iterator[Section]:
    setting = Setting(wanted.rounds, wanted.nets, not wanted.quick, wanted.data_dir)
    peers = peers_named(wanted.peers)
    for name in wanted.data:
        data = load(name, wanted.data_dir)
        for work in map(workload, wanted.workloads):
            yield f"{work.name}/{name}", partial(race, work, data, peers, setting)


def _kernels(wanted: Wanted) -> Iterator[Section]:
    shapes, least = (QUICK_SHAPES, 0.002) if wanted.quick else (None, 0.02)
    yield "kernels", lambda tell: grid.measure(wanted.rounds, shapes, least, tell)


def _machine(wanted: Wanted) -> Iterator[Section]:
    yield (
        "machine",
        lambda tell: peaks(wanted.rounds, SIZES[:2] if wanted.quick else SIZES, tell, wanted.quick),
    )


def _memory(wanted: Wanted) -> Iterator[Section]:
    further = 200 if wanted.quick else memory.FURTHER
    yield "memory", lambda tell: memory.growth(wanted.rounds, tell, further)


def _cold(wanted: Wanted) -> Iterator[Section]:
    studies = "depth" if wanted.quick else "depth,initialization"
    yield "cold", lambda tell: cold.cold_start(wanted.rounds, studies, 1, tell)


def _scaling(wanted: Wanted) -> Iterator[Section]:
    axes = QUICK_AXES if wanted.quick else scaling.AXES
    for name in wanted.data[:1]:
        data = load(name, wanted.data_dir)
        yield (
            "scaling",
            partial(scaling.grow, axes, data, wanted.rounds, wanted.data_dir, quick=wanted.quick),
        )


_SECTIONS: dict[str, Callable[[Wanted], Iterator[Section]]] = {
    "studies": _studies,
    "kernels": _kernels,
    "machine": _machine,
    "memory": _memory,
    "cold": _cold,
    "scaling": _scaling,
}


def peaks(rounds: int, sizes: Sequence[int], tell: Tell, quick: bool = False) -> dict[str, Any]:
    """The machine's arithmetic on one core and on all, and its memory at several sizes of array."""
    with (
        measuring("peaks", {"quick": quick}) as every,
        measuring("peaks", {"threads": 1, "quick": quick}) as one,
    ):
        found: dict[str, Any] = {
            "sizes": list(sizes),
            "sgemm": [],
            "sgemm_one": [],
            "copy": [],
            "triad": [],
        }
        for turn in range(rounds):
            found["sgemm"].append(every.ask("sgemm"))
            found["sgemm_one"].append(one.ask("sgemm"))
            for what in ("copy", "triad"):
                found[what].append([every.ask(what, size=size) for size in sizes])
            tell(f"round {turn + 1} of {rounds}")
    return found
