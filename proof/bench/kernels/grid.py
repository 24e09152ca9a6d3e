"""All cases timed, ours and PyTorch's in turn, and what they come to."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable
from typing import Any

from normlab.machine import available_cores
from normlab.request_server import Child
from proof.bench.kernels.cases import ARRAYS, DTYPES, NORMS, PASSES, SHAPES
from proof.bench.peers import PEERS, why_missing
from proof.bench.processes import measuring
from proof.bench.spread import ratios, spread

__all__ = ["measure", "summary"]

LARGE = 64 << 20  # bytes of an array that no cache holds
FAR_MEAN = 1e4
SMALL_ENOUGH = 1 << 20  # numbers, for the accuracy


def measure(
    rounds: int,
    shapes: tuple[tuple[int, int], ...] | None,
    least: float,
    tell: Callable[[str], object],
) -> dict[str, Any]:
    """Times of every case, on one thread and on all, in every round ours and then PyTorch's; and accuracies."""
    cores = available_cores()
    shapes = SHAPES if shapes is None else shapes
    missing = why_missing(PEERS["torch"])
    cases: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        peaks = stack.enter_context(measuring("peaks"))
        settings = []
        for threads in dict.fromkeys((1, cores)):
            ours = stack.enter_context(
                measuring(
                    "kernels-normlab", {"threads": 1 if threads == 1 else None}, threads=threads
                )
            )
            theirs = (
                None
                if missing
                else stack.enter_context(measuring("kernels-pytorch", threads=threads))
            )
            settings.append((threads, ours, theirs))
        copies: dict[int, list[float]] = {}
        for (n, d), dtype in itertools.product(shapes, DTYPES):
            size = n * d * (4 if dtype == "float32" else 8)
            tell(f"({n}, {d}) {dtype}")
            copies.setdefault(size, [peaks.ask("copy", size=size) for _ in range(rounds)])
            for norm, which, (threads, ours, theirs) in itertools.product(NORMS, PASSES, settings):
                case = {"norm": norm, "which": which, "n": n, "d": d, "dtype": dtype}
                times: dict[str, list[float]] = {"ours": [], "reused": [], "torch": []}
                for _ in range(rounds):
                    times["ours"].append(ours.ask("time", **case, least=least))
                    if theirs is not None:
                        times["torch"].append(theirs.ask("time", **case, least=least))
                    times["reused"].append(ours.ask("time", **case, least=least, reuse=True))
                cases.append({**case, "threads": threads, "bytes": ARRAYS[which] * size, **times})
        accuracy = [
            _accuracy(n, d, norm, settings[0])
            for n, d in shapes
            if n * d <= SMALL_ENOUGH
            for norm in NORMS
        ]
    found = {
        "rounds": rounds,
        "cores": cores,
        "missing": {"torch": missing} if missing else {},
        "cases": cases,
        "copy": {str(size): rates for size, rates in copies.items()},
        "accuracy": accuracy,
        "mean_over_std": FAR_MEAN,
    }
    return found | {"summary": summary(found)}


def _accuracy(
    n: int, d: int, norm: str, setting: tuple[int, Child, Child | None]
) -> dict[str, Any]:
    _, ours, theirs = setting
    case = {"norm": norm, "n": n, "d": d}
    found = {**case, "ours": ours.ask("accuracy", **case, mean=FAR_MEAN)}
    return found | (
        {} if theirs is None else {"torch": theirs.ask("accuracy", **case, mean=FAR_MEAN)}
    )


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """The figures that the targets ask for, each with what it was measured on; None where it was not measured."""
    by_threads: dict[int, list[float]] = {}
    for case in found["cases"]:
        if case["torch"]:
            by_threads.setdefault(case["threads"], []).append(
                ratios(case["torch"], case["ours"]).median
            )
    means = {threads: geometric_mean(values) for threads, values in by_threads.items()}
    said = ", ".join(
        f"{mean:.2f} on {threads} thread{'s' if threads > 1 else ''}"
        for threads, mean in means.items()
    )
    shares = {
        f"{case['norm']} {case['which']} {case['dtype']}": share(case, found["copy"])
        for case in found["cases"]
        if case["threads"] == found["cores"] and case["bytes"] // ARRAYS[case["which"]] >= LARGE
    }
    lowest = min(shares, key=lambda name: shares[name], default=None)
    return {
        "ratio": (min(means.values()), said) if means else None,
        "share": (shares[lowest], f"lowest of {len(shares)}: {lowest}")
        if lowest is not None
        else None,
        "accuracy": _worst_accuracy(found["accuracy"]),
    }


def geometric_mean(values: list[float]) -> float:
    """The mean that treats twice as fast and twice as slow alike.

    >>> geometric_mean([0.5, 2.0])
    1.0
    """
    return math.exp(sum(map(math.log, values)) / len(values))


def share(case: dict[str, Any], copies: dict[str, list[float]]) -> float:
    """A case's bytes a second over those of a copy of the same array: results go to arrays that are there already."""
    size = case["bytes"] // ARRAYS[case["which"]]
    bytes_a_second: float = case["bytes"] / spread(case["reused"]).median
    return bytes_a_second / spread(copies[str(size)]).median


def _worst_accuracy(rows: list[dict[str, Any]]) -> tuple[float, str] | None:
    """The worst error of y of PyTorch's over the worst of ours, for the norm where that is least."""
    if not rows or "torch" not in rows[0]:
        return None
    worst = {
        norm: [max(row[who][0] for row in rows if row["norm"] == norm) for who in ("torch", "ours")]
        for norm in dict.fromkeys(row["norm"] for row in rows)
    }
    norm = min(worst, key=lambda norm: worst[norm][0] / worst[norm][1])
    theirs, ours = worst[norm]
    return theirs / ours, f"{norm}: {theirs:.1e} against {ours:.1e} of max|y|"
