"""Peers that train the same study, side by side: in every round each trains once, and every round in another order.

So whatever else the machine does meets all of them alike, and a ratio of two times comes from one
run. The machine's peak is measured in every round too.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from normlab.data.dataset import Dataset
from normlab.machine import available_cores
from normlab.request_server import Child, NoAnswerError
from normlab.specs import RunSpec
from proof.bench.floor import total
from proof.bench.peers import OURS, Peer, why_missing
from proof.bench.processes import measuring, together
from proof.bench.workloads import Workload, dealt, subset
from proof.process_memory import tree_peak_bytes

__all__ = ["Setting", "race", "same_work"]

Tell = Callable[[str], object]

TRIED = 4  # nets on which settings of threads are tried
SAME_LOSS = 1.25  # how far the median net's final loss may be from ours, as a factor
SAME_START = 1e-3  # and the first loss, relatively


@dataclass(frozen=True)
class Setting:
    """How the race is run."""

    rounds: int = 3
    nets: int | None = None
    """How many nets those train whose time is so much a net; all of them if not given."""
    trial: bool = True
    """Whether settings of threads are tried; otherwise each takes the first."""
    data_dir: str | None = None


class _Runner:
    """A peer in its processes, ready to train."""

    def __init__(
        self, peer: Peer, threads: int, specs: list[RunSpec], data: Dataset, setting: Setting
    ) -> None:
        self.peer, self.threads = peer, threads
        count = (
            1 if peer.trainer == "normlab" else peer.processes
        )  # normlab starts its workers itself
        self.children: list[Child] = []
        try:
            for _ in range(count):
                self.children.append(measuring(peer.trainer, peer.options, threads=threads))
            texts = [spec.to_json() for spec in specs]
            self._all(
                [
                    {
                        "method": "prepare",
                        "specs": texts,
                        "data": data.name,
                        "data_dir": setting.data_dir,
                    }
                ]
                * count
            )
        except BaseException:
            self.close()
            raise

    def compile(self, nets: Sequence[int]) -> float:
        """Seconds until all is compiled."""
        return self._timed("compile", nets)[0]

    def train(self, nets: Sequence[int]) -> tuple[float, dict[int, list[float]]]:
        """Seconds until all nets are trained, and what came of each."""
        seconds, answers = self._timed("train", nets)
        found: dict[int, list[float]] = {}
        for share, answer in zip(dealt(nets, len(self.children)), answers, strict=True):
            found |= dict(zip(share, answer["result"], strict=True))
        return seconds, found

    def _timed(self, do: str, nets: Sequence[int]) -> tuple[float, list[dict[str, Any]]]:
        requests = [{"method": do, "nets": share} for share in dealt(nets, len(self.children))]
        began = time.perf_counter()
        answers = self._all(requests)
        return time.perf_counter() - began, answers

    def _all(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return together(self.children, requests)

    def peak_bytes(self) -> int | None:
        """The most memory that its processes have taken, added up."""
        found = [tree_peak_bytes(child.process.pid) for child in self.children]
        return None if None in found else sum(each for each in found if each is not None)

    def close(self) -> None:
        for child in self.children:
            child.close()


def race(
    workload: Workload, data: Dataset, peers: Sequence[Peer], setting: Setting, tell: Tell
) -> dict[str, Any]:
    """What the race has measured, as plain values. Raises NoAnswerError where normlab itself cannot be measured."""
    specs = workload.runs(data.spec)
    missing = {peer.name: why for peer in peers if (why := why_missing(peer)) is not None}
    with contextlib.ExitStack() as stack:
        runners: list[_Runner] = []
        for peer in peers:
            if peer.name in missing:
                tell(f"{peer.title}: not measured, {missing[peer.name]}")
                continue
            try:
                runner = _ready(peer, specs, data, setting, tell)
            except NoAnswerError as error:
                if peer.name == OURS:
                    raise
                missing[peer.name] = str(error)
                tell(f"{peer.title}: not measured, {error}")
                continue
            stack.callback(runner.close)
            runners.append(runner)
        peaks = stack.enter_context(measuring("peaks", {"quick": not setting.trial}))
        return {
            "workload": workload.name,
            "data": data.name,
            "nets": len(specs),
            "rounds": setting.rounds,
            "cores": available_cores(),
            "work": total(specs)._asdict(),
            "missing": missing,
            **_rounds(
                specs, setting.nets if workload.alike else None, runners, peaks, setting, tell
            ),
        }


def _ready(
    peer: Peer, specs: list[RunSpec], data: Dataset, setting: Setting, tell: Tell
) -> _Runner:
    """The peer at its best setting of threads, by trial on a few nets of different kinds, one after the other."""
    best: tuple[float, int] = (math.inf, peer.settings[0])
    few = subset(len(specs), TRIED, len(specs) // (2 * TRIED))
    if setting.trial and len(peer.settings) > 1:
        for threads in peer.settings:
            runner = _Runner(peer, threads, specs, data, setting)
            try:
                runner.compile(few)
                # the slower of two turns: threads that wait for each other are quick only while
                # nobody disturbs them
                best = min(best, (max(runner.train(few)[0] for _ in range(2)), threads))
            finally:
                runner.close()
        tell(f"{peer.title}: {best[1]} thread{'s' if best[1] > 1 else ''} is best")
    return _Runner(peer, best[1], specs, data, setting)


def _rounds(
    specs: list[RunSpec],
    few: int | None,
    runners: list[_Runner],
    peaks: Child,
    setting: Setting,
    tell: Tell,
) -> dict[str, Any]:
    """The times of all rounds; `few` is how many nets a peer trains whose time is so much a net."""
    measured: dict[str, Any] = {}
    for runner in runners:
        nets = subset(len(specs), None if runner.peer.whole else few)
        compiling = runner.compile(nets) if runner.peer.compiles else 0.0
        # once outside the clock: compiled programs all the nets they were compiled for, others a
        # few on every worker
        some = [nets[number] for number in subset(len(nets), 4 * runner.peer.processes)]
        runner.train(nets if runner.peer.compiles and runner.peer.whole else some)
        measured[runner.peer.name] = {
            "title": runner.peer.title,
            "threads": runner.threads,
            "processes": runner.peer.processes,
            "compile_seconds": compiling,
            "nets": len(nets),
            "seconds": [],
            "outcomes": {},
        }
    rates, loads = [], []
    triad_size = int(total(specs).bytes / 24 / _steps(specs)) * 4 * available_cores()
    triads = []
    for turn in range(setting.rounds):
        rates.append(peaks.ask("sgemm"))
        triads.append(peaks.ask("triad", size=triad_size))
        loads.append(os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan)
        for position in range(len(runners)):
            runner = runners[(position + turn) % len(runners)]
            nets = subset(len(specs), None if runner.peer.whole else few, turn)
            seconds, outcomes = runner.train(nets)
            entry = measured[runner.peer.name]
            entry["seconds"].append(seconds)
            entry["outcomes"] |= outcomes
            tell(
                f"round {turn + 1} of {setting.rounds}, {runner.peer.title}: {len(nets)} nets in "
                f"{seconds:.2f} s"
            )
    for runner in runners:
        measured[runner.peer.name]["peak_bytes"] = runner.peak_bytes()
    reference = measured[OURS]["outcomes"] if OURS in measured else {}
    for entry in measured.values():
        entry["same_work"] = same_work(entry["outcomes"], reference)
        entry["outcomes"] = {str(net): found for net, found in sorted(entry["outcomes"].items())}
    return {
        "peers": measured,
        "sgemm": rates,
        "triad": triads,
        "triad_size": triad_size,
        "load": loads,
    }


def _steps(specs: list[RunSpec]) -> int:
    return sum(
        spec.training.num_epochs * max(spec.data.num_train // spec.training.batch_size, 1)
        for spec in specs
    )


def same_work(theirs: dict[int, list[float]], ours: dict[int, list[float]]) -> str | None:
    """None where a peer has done the work that ours did, or how it differs: a trainer that does not train cannot win.

    For each net: the first loss (the same weights and minibatch), how often accuracies were
    measured; and for the median net, the final loss. One net's may differ, since some of these
    trainings are chaotic.
    """
    factors = []
    for net, (first, final, _, measurements) in theirs.items():
        if net not in ours:
            continue
        our_first, our_final, _, our_measurements = ours[net]
        if measurements != our_measurements:
            return f"it measured accuracies {measurements} times, not {our_measurements}"
        if not math.isclose(first, our_first, rel_tol=SAME_START):
            return f"net {net} starts at a loss of {first:.6g}, not {our_first:.6g}"
        if math.isfinite(final) and math.isfinite(our_final):
            factors.append(max(final / our_final, our_final / final))
        elif math.isfinite(final) != math.isfinite(our_final):
            factors.append(math.inf)
    if factors and sorted(factors)[len(factors) // 2] > SAME_LOSS:
        return f"its final losses differ from ours by a factor of {sorted(factors)[len(factors) // 2]:.2f}"
    return None
