"""How far the norms are from the truth: y, dx, dgamma and dbeta on ten thousand adversarial inputs.

Every input of `selftest.inputs` goes through the reference layers, the fused kernels and PyTorch,
and each result is compared with `selftest.reference`, which rounds nothing. A row is one norm, one
type and one result; it shows the worst input of the worst implementation of this package.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from normlab.selftest.implementations import Implementation, Results, ours, pytorch
from normlab.selftest.inputs import DTYPES, NORMS, Case, cases
from normlab.selftest.measured import Measured
from normlab.selftest.reference import Quantity, Truth, error, truth
from normlab.typing import Array

QUANTITIES = ("y", "dx", "dgamma", "dbeta")
BOUNDS = {"float32": (1e-7, 1e-6), "float64": (1e-15, 1e-14)}  # of y, and of the gradients
QUICK, FULL = 300, 10_000
LONG_QUICK, LONG_FULL = 100, 4000  # thousands of rows


@dataclass
class Tally:
    """The errors of one result, over many inputs."""

    results: int = 0
    within: int = 0
    worst: float = 0.0
    words: str = ""

    def add(self, size: float, bound: float, words: str) -> None:
        """Count one input's error."""
        self.results += 1
        self.within += size <= bound
        if size > self.worst or not self.words:
            self.worst, self.words = size, words


Tallies = dict[tuple[str, str, str], Tally]  # by norm, type and result


def rows(full: bool) -> Iterator[Measured]:
    """Norm by norm, type by type, result by result; then a batch of very many rows."""
    yield from table(cases(FULL if full else QUICK))
    yield from long_batches(LONG_FULL if full else LONG_QUICK)


def table(
    inputs: Iterable[Case], chosen: Callable[[str], dict[str, Implementation]] = ours
) -> Iterator[Measured]:
    """The rows for these inputs. `chosen` gives the implementations of a norm, by name: this package's."""
    mine: Tallies = defaultdict(Tally)
    peers: Tallies = defaultdict(Tally)
    counts = Counter[tuple[str, str]]()
    peer = pytorch()
    for case in inputs:
        true = truth(case)
        counts[case.norm, case.x.dtype.name] += 1
        for name, run in chosen(case.norm).items():
            _count(mine, case, run, true, f"{name}: {case.words}")
        # where var + eps is 0 the result is a convention, which nobody else is measured by; and
        # PyTorch's batch norm refuses eps = 0
        if peer is not None and not true.undefined and (case.eps > 0 or case.norm != "batch norm"):
            _count(peers, case, peer, true, case.words)
    for norm in NORMS:
        for dtype in DTYPES:
            for quantity in QUANTITIES:
                if (norm, dtype, quantity) in mine:
                    promise = f"{norm}, {dtype}: error of {quantity}"
                    yield _row(promise, (norm, dtype, quantity), counts[norm, dtype], mine, peers)


def long_batches(thousands: int) -> Iterator[Measured]:
    """Batch norm of very many rows far from zero: a thousand rows again and again, whose truth is the thousand's."""
    mine: Tallies = defaultdict(Tally)
    peers: Tallies = defaultdict(Tally)
    for dtype, mean in (("float32", 1e6), ("float64", 1e11)):
        rng = np.random.RandomState(0)
        x, dout = ((rng.standard_normal((1000, 1)) + far).astype(dtype) for far in (mean, 0.0))
        tile = Case(
            "batch norm",
            x,
            np.ones(1, dtype),
            np.zeros(1, dtype),
            dout,
            1e-5,
            1,
            f"mean/std {mean:g}",
        )
        true = truth(tile)
        true = true._replace(
            dgamma=_times(true.dgamma, thousands), dbeta=_times(true.dbeta, thousands)
        )
        long = tile._replace(x=np.tile(x, (thousands, 1)), dout=np.tile(dout, (thousands, 1)))
        for name, run in ours("batch norm").items():
            _count(mine, long, _of_a_thousand(run), true, f"{name}: {tile.words}")
        if (peer := pytorch()) is not None:
            _count(peers, long, _of_a_thousand(peer), true, tile.words)
        for quantity in QUANTITIES:
            promise = f"batch norm of {thousands * 1000:,} rows, {dtype}: error of {quantity}"
            yield _row(promise, ("batch norm", dtype, quantity), 1, mine, peers)


def _times(true: Quantity, repeats: int) -> Quantity:
    return true._replace(values=true.values * repeats, terms=true.terms * repeats)


def _of_a_thousand(run: Implementation) -> Implementation:
    """Of each thousand rows of y and dx, which are to be the same, the ones furthest from the first thousand."""

    def furthest(values: Array) -> Array:
        blocks = values.reshape(-1, 1000, 1)
        block: Array = blocks[
            np.abs(blocks - blocks[0]).max(axis=(1, 2)).argmax()
        ]  # NaN is the furthest of all
        return block

    def summary(case: Case) -> Results:
        y, dx, dgamma, dbeta = run(case)
        return Results(furthest(y), furthest(dx), dgamma, dbeta)

    return summary


def _count(tallies: Tallies, case: Case, run: Implementation, true: Truth, words: str) -> None:
    """Run one implementation on one input, and count the errors of its results."""
    dtype = case.x.dtype.name
    try:
        results = run(case)
    except Exception as raised:  # whatever it is, it is no result
        errors = dict.fromkeys(QUANTITIES, math.inf)
        words = f"{type(raised).__name__}: {raised}; {words}"
    else:
        found = {
            quantity: values for quantity, values in results._asdict().items() if values is not None
        }
        errors = {
            quantity: error(values, getattr(true, quantity)) for quantity, values in found.items()
        }
    for quantity, size in errors.items():
        tallies[case.norm, dtype, quantity].add(size, BOUNDS[dtype][quantity != "y"], words)


def _row(
    promise: str, key: tuple[str, str, str], cases: int, mine: Tallies, peers: Tallies
) -> Measured:
    tally, (_, dtype, quantity) = mine[key], key
    wrong = tally.results - tally.within
    beyond = f"{wrong} of {tally.results} results beyond it; " if wrong else ""
    peer = peers.get(key)
    return Measured(
        area="numerics",
        promise=promise,
        bound=f"{BOUNDS[dtype][quantity != 'y']:.0e} of max|{quantity}|",
        measured=_shown(tally.worst),
        holds=wrong == 0,
        cases=cases,
        peer=f"{_shown(peer.worst)}, {peer.within / peer.results:.0%} within" if peer else "",
        note=f"{beyond}worst by {tally.words}",
    )


def _shown(size: float) -> str:
    return f"{size:.1e}" if math.isfinite(size) else "NaN or inf"
