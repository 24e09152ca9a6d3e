"""What must not change a bit: metamorphic identities, on the adversarial inputs of `selftest.inputs`.

A power of two rounds nothing, so it must pass through every norm without a trace; the book's sums have no order, so
its results have none; and what one example or feature gets must not depend on its neighbours. Each identity is asked of
the book's norms, and of the fused kernels where they promise it too: those add in the order of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from normlab.randomness import generator
from normlab.selftest.hazards import hazards
from normlab.selftest.implementations import BOOK, FUSED, Implementation, fused, has_numba
from normlab.selftest.inputs import LAYOUTS, Case, cases
from normlab.selftest.measured import Measured
from normlab.typing import Array, Generator

QUICK, FULL = 100, 2000
# Of float64 numbers beyond these, squares come near the end of the range of float64: there the kernels leave the work
# to the book, and 1 / std may be a subnormal number, which has fewer bits. All float32 numbers lie between.
SMALLEST, LARGEST = 1e-90, 1e90

Pairs = list[tuple[Any, Any]]  # results that are to be the same, bit for bit


def rows(full: bool) -> Iterator[Measured]:
    """The identities, then what happens to NaN, infinity, constant, empty and single inputs."""
    count = FULL if full else QUICK
    for promise, identity in IDENTITIES.items():
        yield _row("book", promise, identity, BOOK, count)
    for promise in OF_THE_KERNELS:
        if has_numba():
            yield _row("fused kernels", promise, IDENTITIES[promise], {norm: fused(norm) for norm in FUSED}, count)
        else:
            yield Measured("identities", f"fused kernels: {promise}", "", "", None, 0, note="Numba is not installed")
    yield from hazards(full)


def power_of_two(run: Implementation, case: Case, rng: Generator) -> Pairs:
    """x times a power of two and eps times its square: y, dgamma and dbeta stay, dx is divided by it."""
    factor = 2.0 ** rng.randint(-40, 41)
    with np.errstate(all="ignore"):
        x = case.x * case.x.dtype.type(factor)
        if not (np.isfinite(x).all() and (x / case.x.dtype.type(factor) == case.x).all()):
            return []  # it left the range of its type
        sizes = np.abs([case.x, x])
        if sizes.max() > LARGEST or sizes[sizes > 0].min(initial=1.0) < SMALLEST:
            return []
    before, after = run(case), run(case._replace(x=x, eps=case.eps * factor * factor))
    limits = np.finfo(x.dtype)
    with np.errstate(all="ignore"):
        expected = (before.dx / np.float64(factor)).astype(x.dtype)
    # subnormal numbers are rounded to fewer bits
    normal = [(limits.smallest_normal < abs(dx)) & (abs(dx) < limits.max) for dx in (before.dx, expected)]
    both = np.logical_and(*normal)
    return [(before.y, after.y), (expected[both], after.dx[both]), *zip(before[2:], after[2:], strict=True)]


def reordered(run: Implementation, case: Case, rng: Generator) -> Pairs:
    """Rows, features within their groups, and positions in another order: every result in that order."""
    order = [rng.permutation(size) for size in case.x.shape]
    members = case.x.shape[1] // case.groups
    within = [group * members + rng.permutation(members) for group in rng.permutation(case.groups)]
    order[1] = np.concatenate(within)
    return _reordered(run, case, order, parameters=True)


def neighbours_reordered(run: Implementation, case: Case, rng: Generator) -> Pairs:
    """Features of batch norm, examples of the others in another order: y and dx in that order."""
    order = [np.arange(size) for size in case.x.shape]
    apart = 1 if case.norm == "batch norm" else 0
    order[apart] = rng.permutation(case.x.shape[apart])
    return _reordered(run, case, order, parameters=apart == 1)


def _reordered(run: Implementation, case: Case, order: list[Array], parameters: bool) -> Pairs:
    index, channels = np.ix_(*order), order[1]
    before = run(case)
    gamma, beta = case.gamma[channels], case.beta[channels]
    after = run(case._replace(x=case.x[index], gamma=gamma, beta=beta, dout=case.dout[index]))
    pairs: Pairs = [(before.y[index], after.y), (before.dx[index], after.dx)]
    for a, b in zip(before[2:], after[2:], strict=True):
        if parameters and a is not None:
            pairs.append((a[channels], b))
    return pairs


def strides(run: Implementation, case: Case, _rng: Generator) -> Pairs:
    """Any layout in memory, of x and of dout, and parameters that are every second number: the same results."""
    before = run(case._replace(x=case.x.copy(order="C"), dout=case.dout.copy(order="C")))
    pairs: Pairs = []
    for layout in LAYOUTS.values():
        pairs += zip(before, run(case._replace(x=layout(case.x), dout=layout(case.dout))), strict=True)
    gamma, beta = (np.repeat(parameter, 2)[::2] for parameter in (case.gamma, case.beta))
    return [*pairs, *zip(before, run(case._replace(gamma=gamma, beta=beta)), strict=True)]


def shifted(run: Implementation, case: Case, rng: Generator) -> Pairs:
    """x plus a number, where neither has to be rounded: the same results. (RMS norm has no such identity.)"""
    if case.norm == "RMS norm":
        return []
    scale = 2.0 ** rng.randint(-30, 31)
    x = (rng.randint(-1000, 1000, size=case.x.shape) * scale).astype(case.x.dtype)
    by = x.dtype.type(rng.randint(-(2**22), 2**22) * scale)
    return list(zip(run(case._replace(x=x)), run(case._replace(x=x + by)), strict=True))


def split(run: Implementation, case: Case, rng: Generator) -> Pairs:
    """Some features of batch norm, some examples of the others, on their own: what they got among all."""
    axis = 1 if case.norm == "batch norm" else 0
    size = case.x.shape[axis]
    some = np.sort(rng.permutation(size)[: max(min(2, size), size // 2)])
    index = (slice(None),) * axis + (some,)
    before = run(case)
    alone = case._replace(x=case.x[index], dout=case.dout[index])
    if axis == 1:
        alone = alone._replace(gamma=case.gamma[some], beta=case.beta[some])
    after = run(alone)
    pairs: Pairs = [(before.y[index], after.y), (before.dx[index], after.dx)]
    return pairs if axis == 0 else [*pairs, (before.dgamma[some], after.dgamma), (_at(before.dbeta, some), after.dbeta)]


def untouched(run: Implementation, case: Case, _rng: Generator) -> Pairs:
    """The inputs stay as they are, results share no memory with them, and a second call gives the same."""
    inputs = (case.x, case.gamma, case.beta, case.dout)
    copies = [array.copy() for array in inputs]
    first, second = run(case), run(case)
    shared = [np.shares_memory(a, b) for a in first if a is not None for b in inputs]
    return [
        *zip(copies, inputs, strict=True),
        *zip(first, second, strict=True),
        (np.zeros(len(shared)), np.array(shared)),
    ]


IDENTITIES: dict[str, Callable[[Implementation, Case, Generator], Pairs]] = {
    "x times a power of two (eps times its square): the same bits": power_of_two,
    "rows, features or positions in another order: the same bits": reordered,
    "features of batch norm, examples of the others in another order: the same bits": neighbours_reordered,
    "any strides: the same bits": strides,
    "x plus a number, nothing rounded: the same bits": shifted,
    "part of the features of batch norm, of the examples of the others: the same bits": split,
    "inputs untouched, nothing aliased, twice the same bits": untouched,
}
# the kernels add up in the order of memory: of what is added, another order may change the last bit of float64
OF_THE_KERNELS = [promise for promise, identity in IDENTITIES.items() if identity not in (reordered, shifted)]


def _row(
    who: str,
    promise: str,
    identity: Callable[[Implementation, Case, Generator], Pairs],
    implementations: dict[str, Implementation],
    count: int,
) -> Measured:
    rng = generator(1)
    compared, differing, asked, note = 0, 0, 0, ""
    for case in cases(count, seed=1):
        if case.norm not in implementations:
            continue
        pairs = identity(implementations[case.norm], case, rng)
        asked += bool(pairs)
        for a, b in pairs:
            if a is None and b is None:
                continue
            compared += 1
            if not np.array_equal(a, b, equal_nan=True):
                differing += 1
                note = note or f"first: {case.words}"
    return Measured(
        "identities",
        f"{who}: {promise}",
        "0 arrays differ",
        f"{differing} of {compared:,}",
        differing == 0,
        asked,
        note=note,
    )


def _at(array: Array | None, index: Array) -> Array | None:
    return None if array is None else array[index]
