"""The checker's table: planted, detected, named, falsely accused.

    python -m proof.checker [--draws 1000] [--pairs 300] [--seeds 1]

Run from the project's root. Plants every mistake of `tests/checker/mistakes.py` by itself (on
several seeds), then pairs of mistakes within one function and across functions, then asks the
correct styles on many draws.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from itertools import combinations

import numpy as np

from normlab.checker.findings import Report
from tests.checker.mistakes import PLANTS
from tests.checker.planting import (
    BASE,
    STYLES,
    Plant,
    examined,
    outcome,
    planted,
    relevant,
    text_of,
)

SOURCE = text_of(*BASE)


def singles(seeds: int) -> None:
    """Every mistake alone."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for plant in PLANTS:
        source = planted(SOURCE, plant.edits)
        for seed in range(seeds):
            counts[plant.shows][outcome(plant, examined(source, relevant(plant), seed))] += 1
    print(f"{'single mistakes':28} {'planted':>8} {'detected':>9} {'named':>6} {'accused':>8}")
    for shows, label in (
        ("wrong", "change an output or a state"),
        ("remark", "conventions and remarks"),
        ("right", "harmless"),
    ):
        count = counts[shows]
        total, accused = sum(count.values()), count["accused"]
        print(
            f"{label:28} {total:8} {total - count['missed'] - accused:9} {count['named']:6} "
            f"{accused:8}"
        )


def pairs(number: int, *, within: bool) -> None:
    """Two mistakes at once; those that cannot be told from one alone (or from none) are counted apart."""
    wrong = [plant for plant in PLANTS if plant.shows == "wrong"]
    every = [
        pair
        for pair in combinations(wrong, 2)
        if not within
        or (
            len(pair[0].edits) == len(pair[1].edits) == 1
            and set(pair[0].edits) == set(pair[1].edits)
        )
    ]
    count: Counter[str] = Counter()
    for index in np.random.default_rng(0).permutation(len(every))[:number]:
        first, second = every[index]
        try:
            source = planted(planted(SOURCE, first.edits), second.edits)
            compile(source, "pair", "exec")
        except (AssertionError, SyntaxError):
            continue  # both edit the same text
        names = (relevant(first), relevant(second))
        scope = None if None in names else (names[0] or set()) | (names[1] or set())
        count[_pair_outcome(first, second, examined(source, scope), scope)] += 1
    label = "within one function" if within else "anywhere in the file"
    told = sum(count.values()) - count["hidden"]
    print(f"pairs {label}: {told} that differ from either alone; "
          f"both named {count['both']} ({count['both'] / told:.0%}), one named while the other's "
          f"function waits for it {count['waits']}, one named {count['one']}, detected only "
          f"{count['none']}, missed {count['missed']}; not counted: {count['hidden']} that one of "
          "the two, "
          f"or none, would give as well")  # fmt: skip


def _pair_outcome(first: Plant, second: Plant, report: Report, scope: set[str] | None) -> str:
    said = _said(report)
    wrong = {f.fault for f in report.wrong}
    one, other = (bool(wrong & set(plant.named)) for plant in (first, second))
    if one and other:
        return "both"
    waits = {f.function for f in report.findings if f.verdict == "waiting"}
    owners = [{name.partition(".")[0] for name in plant.named} for plant in (first, second)]
    if (one and owners[1] & waits) or (other and owners[0] & waits):
        return "waits"
    alone = [_said(examined(planted(SOURCE, plant.edits), scope)) for plant in (first, second)]
    if said in alone or not wrong:
        return "hidden" if said in alone or said == _said(examined(SOURCE, scope)) else "missed"
    return "one" if one or other else "none"


def _said(report: Report) -> frozenset[tuple[str, str, str, str]]:
    """What a report says, with its measurements: equal for code that computes the same."""
    return frozenset((f.function, f.verdict, f.fault, f.evidence) for f in report.findings)


def silence(draws: int) -> None:
    """Correct styles: how often is any of them accused?"""
    accused: Counter[str] = Counter()
    started = time.perf_counter()
    for style in STYLES:
        source = text_of(*style)
        for seed in range(draws):
            for finding in examined(source, seed=seed).findings:
                if finding.verdict != "right":
                    accused[
                        f"{style[0]}: {finding.fault or finding.verdict} ({finding.function}), "
                        f"seed {seed}"
                    ] += 1
    seconds = time.perf_counter() - started
    print(
        f"correct styles: {len(STYLES)} x {draws} draws, falsely accused {sum(accused.values())} "
        f"({seconds:.0f} s)"
    )
    for told in list(accused)[:20]:
        print("   ", told)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    singles(options.seeds)
    if options.pairs:
        pairs(options.pairs, within=True)
        pairs(options.pairs, within=False)
    silence(options.draws)
