"""The identities can fail: each planted fault turns the right row to broken; the hazards notice what they look for."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from normlab import layers
from normlab.selftest import hazards, identities
from normlab.selftest.implementations import BOOK, Results


def held(identity, change):
    """Whether the identity's row holds for the book after a change of its results."""
    implementations = {norm: (lambda case, run=run: change(case, run(case))) for norm, run in BOOK.items()}
    return identities._row("planted", "", identity, implementations, 60).holds


def unchanged(_case, results):
    return results


def plain_sum(case, results):
    """dbeta by a sum whose bits depend on the order."""
    if results.dbeta is None:
        return results
    shared = tuple(axis for axis in range(case.dout.ndim) if axis != 1)
    dout = case.dout.transpose(1, *shared).reshape(case.dout.shape[1], -1)
    return results._replace(dbeta=np.array([np.cumsum(row)[-1] for row in dout]))


def spoiled(case, results):
    """Each result takes a little of the whole input with it."""
    with np.errstate(all="ignore"):
        return results._replace(y=results.y + case.x.ravel()[0] * results.y.dtype.type(1e-3))


def aliased(case, results):
    return results._replace(dx=case.dout)


@pytest.mark.parametrize("identity", identities.IDENTITIES.values(), ids=lambda identity: identity.__name__)
def test_the_book_keeps_every_identity(identity):
    assert held(identity, unchanged)


@pytest.mark.parametrize(
    ("identity", "change"),
    [
        (identities.reordered, plain_sum),
        (identities.power_of_two, spoiled),
        (identities.neighbours_reordered, spoiled),
        (identities.shifted, spoiled),
        (identities.split, spoiled),
        (identities.untouched, aliased),
    ],
    ids=lambda value: value.__name__,
)
def test_a_planted_fault_breaks_the_identity(identity, change):
    assert held(identity, change) is False


def test_a_result_that_depends_on_strides_breaks_that_identity():
    def by_memory(case, results):
        return results._replace(y=results.y if case.x.flags.c_contiguous else results.y + 1)

    assert held(identities.strides, by_memory) is False


def test_all_hazards_are_met():
    rows = list(hazards.hazards(full=False))
    assert all(row.holds for row in rows), [row.note for row in rows]
    assert {row.area for row in rows} == {"identities"}


def careless(x):
    """Batch norm with one mean for all features, which asks nothing of its input."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return (x - x.mean()) / np.sqrt(x.var(axis=0) + 1e-5)


def test_a_careless_layer_is_caught_by_nan_by_an_empty_batch_and_by_a_batch_of_one(monkeypatch):
    planted = hazards.LAYERS["batch norm, train"]._replace(run=careless)
    monkeypatch.setitem(hazards.LAYERS, "batch norm, train", planted)
    for hazard in (hazards.bad_numbers_stay, hazards.empty_batches_are_refused, hazards.single_examples):
        row = hazard()
        assert row.holds is False
        assert "batch norm, train" in row.note


def test_running_statistics_that_take_the_nan_are_caught(monkeypatch):
    def forward(x, _gamma, _beta, param):
        param["running_mean"] = x.mean(axis=0)
        param["running_var"] = x.var(axis=0)
        return x, None

    monkeypatch.setattr(layers, "batchnorm_forward", forward)
    with np.errstate(invalid="ignore"):
        assert hazards.running_statistics_are_kept().holds is False


def test_a_constant_that_leaves_a_trace_is_caught():
    def run(case):
        results = BOOK["layer norm"](case)
        return Results(results.y + 1e-30, *results[1:])

    assert hazards.constants_give_zero({"planted, layer norm": run}, full=False).holds is False
