"""The measurement of numerics can fail: every planted fault turns its rows, and only those, to broken."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from normlab import layers
from normlab.selftest import numerics
from normlab.selftest.implementations import REFERENCE, Results
from normlab.selftest.inputs import Case, cases


def layer_norm_cases(count):
    return itertools.islice((case for case in cases(100_000) if case.norm == "layer norm"), count)


def verdicts(run, count=40):
    """Promise -> whether it holds, of one implementation of layer norm."""
    return {
        row.promise: row.holds
        for row in numerics.table(layer_norm_cases(count), lambda _norm: {"planted": run})
    }


def naive(case: Case) -> Results:
    """E[x²] - E[x]² in the input's own type, as a first-year program has it."""
    x, dtype = case.x, case.x.dtype
    with np.errstate(all="ignore"):
        mean = x.mean(axis=1, keepdims=True)
        rstd = (
            1 / np.sqrt((x * x).mean(axis=1, keepdims=True) - mean * mean + dtype.type(case.eps))
        ).astype(dtype)
        xhat = (x - mean) * rstd
        dxhat = case.dout * case.gamma
        slope = (dxhat * xhat).mean(axis=1, keepdims=True)
        dx = rstd * (dxhat - dxhat.mean(axis=1, keepdims=True) - xhat * slope)
        return Results(
            xhat * case.gamma + case.beta, dx, (case.dout * xhat).sum(axis=0), case.dout.sum(axis=0)
        )


def test_the_reference_layers_own_rows_hold():
    rows = list(numerics.table(cases(60)))
    assert len(rows) == 38
    assert all(row.holds for row in rows), [row.note for row in rows if not row.holds]
    assert {row.cases for row in rows} == {6}


def test_a_naive_layer_norm_is_found_broken():
    found = verdicts(naive)
    for dtype in ("float32", "float64"):
        for quantity in ("y", "dx", "dgamma"):
            assert found[f"layer norm, {dtype}: error of {quantity}"] is False


PLANTED = {
    "dgamma": lambda case, r: r._replace(
        dgamma=(case.dout * case.x).sum(axis=0, dtype=np.float64).astype(case.x.dtype)
    ),
    "dbeta": lambda case, r: r._replace(dbeta=r.dbeta * case.x.dtype.type(1 + 1e-5)),
    "y": lambda case, r: r._replace(
        y=np.nextafter(r.y, np.array(np.inf, r.y.dtype)) * case.x.dtype.type(1 + 2e-7)
    ),
    "dx": lambda _case, r: r._replace(dx=r.dx - r.dx.mean(axis=0)),
}


@pytest.mark.parametrize("quantity", PLANTED)
def test_a_fault_in_one_result_breaks_its_row_and_no_other(quantity):
    def run(case):
        with np.errstate(all="ignore"):
            return PLANTED[quantity](case, REFERENCE["layer norm"](case))

    broken = {promise for promise, holds in verdicts(run).items() if not holds}
    assert broken == {
        f"layer norm, {dtype}: error of {quantity}" for dtype in ("float32", "float64")
    }


def test_an_implementation_that_raises_is_broken_and_says_how():
    def run(_case):
        raise ZeroDivisionError("a planted fault")

    rows = list(numerics.table(layer_norm_cases(4), lambda _norm: {"planted": run}))
    assert all(row.holds is False for row in rows)
    assert all(
        "ZeroDivisionError: a planted fault; planted: layer norm" in row.note for row in rows
    )
    assert all(row.measured == "NaN or inf" for row in rows)


def test_long_batches_are_measured_and_a_plain_float32_sum_is_not_good_enough(monkeypatch):
    rows = list(numerics.long_batches(20))
    assert len(rows) == 8
    assert all(row.holds for row in rows), rows

    def plain(case):
        y, cache = layers.batchnorm_forward(
            case.x, case.gamma, case.beta, {"mode": "train", "eps": case.eps}
        )
        dx, dgamma, _ = layers.batchnorm_backward_alt(case.dout, cache)
        return Results(y, dx, dgamma, np.cumsum(case.dout, axis=0)[-1])

    monkeypatch.setattr(numerics, "ours", lambda _norm: {"planted": plain})
    broken = [row.promise for row in numerics.long_batches(20) if not row.holds]
    assert broken
    assert all("dbeta" in promise for promise in broken)
