"""exp, log, tanh, erf and the logistic function, against sixty digits."""

# ruff: noqa: E402  (the modules under test need Numba)
from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("numba", reason="Numba is not installed")
mpmath = pytest.importorskip("mpmath", reason="mpmath is not installed")

from numba import njit

from normlab.engines import functions
from normlab.lanes import COUNT, load, store

EXACT = {
    "exp": mpmath.exp,
    "log": mpmath.log,
    "tanh": mpmath.tanh,
    "erf": mpmath.erf,
    "logistic": lambda x: 1 / (1 + mpmath.exp(-x)),
}
BOUND = {"exp": 1, "log": 2, "tanh": 4, "erf": 2, "logistic": 3}  # units of the last place


def over_arrays(function):
    @njit(error_model="numpy", _nrt=False)
    def run(x, out):
        for k in range(0, x.size, COUNT):
            store(out, k, function(load(x, k)))

    return run


def inputs(name, rng):
    if name == "log":
        return np.concatenate([np.exp(rng.uniform(-700, 700, 400)), rng.uniform(0.5, 2, 400)])
    if name == "exp":
        return np.concatenate([rng.uniform(-700, 700, 400), rng.uniform(-1, 1, 400)])
    return np.concatenate([scale * rng.randn(160) for scale in (1e-6, 0.1, 1, 5, 30)])


@pytest.mark.parametrize("name", EXACT)
def test_within_the_stated_units_of_the_last_place(name):
    x = inputs(name, np.random.RandomState(0))
    found = np.empty_like(x)
    over_arrays(getattr(functions, name))(x, found)
    with mpmath.workdps(60):
        worst = max(
            abs(mpmath.mpf(float(y)) - EXACT[name](mpmath.mpf(float(value))))
            / math.ulp(float(EXACT[name](mpmath.mpf(float(value)))))
            for value, y in zip(x, found, strict=True)
        )
        # rounded to float32: the nearest number, but for ties that float64 cannot tell
        with np.errstate(over="ignore"):
            narrow = found.astype(np.float32)
        worst_narrow = max(
            abs(mpmath.mpf(float(y)) - EXACT[name](mpmath.mpf(float(value))))
            / float(np.spacing(np.abs(y)))
            for value, y in zip(x, narrow, strict=True)
            if 1e-30 < abs(y) < 1e30
        )
    assert worst < BOUND[name]
    assert worst_narrow < 0.5000001


@pytest.mark.parametrize("name", EXACT)
def test_at_the_ends(name):
    ends = np.array([np.nan, np.inf, 1e-310, 1.0, 40.0, 709.7, 800.0] + [0.5] * 9)
    x = ends if name == "log" else np.concatenate([ends[:7], -ends[:7], [0.0, 0.5]])
    with np.errstate(all="ignore"):
        expected = [
            {"exp": np.exp, "log": np.log, "tanh": np.tanh, "erf": math.erf,
             "logistic": lambda v: 1 / (1 + np.exp(-v))}[name](value)
            for value in x
        ]  # fmt: skip
    if name == "log":
        x[2], expected[2] = 2.0, math.log(2)  # of normal numbers only
    found = np.empty_like(x)
    over_arrays(getattr(functions, name))(x, found)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
