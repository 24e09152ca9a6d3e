"""What a race's times say: seconds a net, ratios to ours round by round, and the share of the floor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from proof.bench.floor import Work, floor_seconds
from proof.bench.peers import OURS
from proof.bench.spread import Spread, ratios, spread

__all__ = ["Floor", "Standing", "best", "floor_of", "standings"]


@dataclass(frozen=True)
class Standing:
    """One peer's place in a race."""

    name: str
    title: str
    threads: int
    processes: int
    a_net: Spread
    """Seconds a net."""
    study: float
    """Seconds for the whole study at the median, compilation apart; estimated where `trained` is below `nets`."""
    trained: int
    nets: int
    ratio: Spread
    """How much longer than normlab, round by round."""
    compiling: float
    ratio_with_compilation: float
    differs: str | None
    """How its work differs from ours, if it does: then its time counts for nothing."""


def standings(race: dict[str, Any]) -> list[Standing]:
    """Every measured peer of a race's result, in the order in which they ran."""
    ours = _a_net(race["peers"][OURS])
    study = spread(ours).median * race["nets"]
    found = []
    for name, entry in race["peers"].items():
        theirs = _a_net(entry)
        whole = spread(theirs).median * race["nets"]
        found.append(
            Standing(
                name=name,
                title=entry["title"],
                threads=entry["threads"],
                processes=entry["processes"],
                a_net=spread(theirs),
                study=whole,
                trained=entry["nets"],
                nets=race["nets"],
                ratio=ratios(theirs, ours),
                compiling=entry["compile_seconds"],
                ratio_with_compilation=(whole + entry["compile_seconds"]) / study,
                differs=entry["same_work"],
            )
        )
    return found


def best(found: list[Standing], kind: str, *, with_compilation: bool = False) -> Standing | None:
    """The quickest of the peers whose name begins with `kind` that did the same work."""
    fit = [each for each in found if each.name.startswith(kind) and each.differs is None]
    if with_compilation:
        return min(fit, key=lambda each: each.ratio_with_compilation, default=None)
    return min(fit, key=lambda each: each.a_net.median, default=None)


@dataclass(frozen=True)
class Floor:
    """The least time for a race's study on this machine, and how near ours came, round by round."""

    seconds: float
    without_evaluation: float
    sgemm: Spread
    triad: Spread | None
    share: Spread
    bound: str
    """What bounds it: 'arithmetic' or 'memory'."""


def floor_of(race: dict[str, Any]) -> Floor:
    """The floor by the highest peaks of the run: a peak measured while something else ran is none, and flatters."""
    work = Work(**race["work"])
    triad = race["triad"] if None not in race["triad"] else None
    sgemm, bandwidth = max(race["sgemm"]), max(triad) if triad else float("inf")
    floor = floor_seconds(work, sgemm, bandwidth)
    return Floor(
        seconds=floor,
        without_evaluation=floor_seconds(work, sgemm, bandwidth, evaluation=False),
        sgemm=spread(race["sgemm"]),
        triad=spread(triad) if triad else None,
        share=spread([floor / seconds for seconds in race["peers"][OURS]["seconds"]]),
        bound="arithmetic"
        if (work.training + work.evaluation) / sgemm >= work.bytes / bandwidth
        else "memory",
    )


def _a_net(entry: dict[str, Any]) -> list[float]:
    return [seconds / entry["nets"] for seconds in entry["seconds"]]
