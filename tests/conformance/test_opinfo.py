"""PyTorch's own samples, answered by both; the judge in extended precision, against fifty digits."""

from collections import Counter

import mpmath
import numpy as np
import pytest

from proof.conformance import extended, opinfo
from tests.layers.norms import NORMS, draw, exact
from tests.layers.test_parameterless import LAYERS

NEEDS = opinfo.why_not()
samples = pytest.mark.skipif(NEEDS is not None, reason=str(NEEDS))
judged = pytest.mark.skipif(not extended.has_extended(), reason="longdouble is float64 here")


@pytest.fixture(scope="module")
def answers():
    with np.errstate(over="ignore", under="ignore"):
        return list(opinfo.answers())


@samples
def test_where_pytorch_is_right_normlab_is_too(answers):
    wrong = [
        (answer.sample, answer.dtype, found)
        for answer in answers
        for found in answer.disagreements
        if found.right == "PyTorch"
    ]
    assert wrong == []
    assert sum(not answer.refusal for answer in answers) > 300


@samples
def test_no_disagreement_but_where_the_gradient_cancels(answers):
    for answer in answers:
        for found in answer.disagreements:
            assert found.result in ("dx", "dgamma")
            assert np.prod(answer.shape) <= 3  # one to three numbers in all


@samples
def test_what_normlab_refuses_is_refused_on_purpose(answers):
    reasons = Counter()
    for answer in answers:
        if answer.refusal.startswith("normlab"):
            known = ["empty batch", "eps=-0.5", "p=0.", "p=-1.0", "single number", "shape (0,)"]
            (reason,) = [words for words in known if words in answer.refusal]
            reasons[reason] += 1
    assert set(reasons) == {
        "empty batch",
        "eps=-0.5",
        "p=0.",
        "p=-1.0",
        "single number",
        "shape (0,)",
    }


@judged
@pytest.mark.parametrize("name", ["batchnorm", "layernorm", "rmsnorm"])
def test_the_judge_of_standardizing_norms_is_right_to_seventeen_digits(name):
    norm = NORMS[name]
    x, gamma, beta, dout = draw(norm, np.random.RandomState(0), np.float64, mean=100.0)
    axes = (0,) if name == "batchnorm" else (1,)
    beta = beta if norm.centred else None
    ours = extended.standardized(x, gamma, beta, dout, axes, 0.25, norm.centred)
    zero = np.zeros(x.shape[1]) if beta is None else beta
    for mine, true in zip(ours, exact(norm, x, gamma, zero, 0.25, dout), strict=True):
        if mine is not None:
            assert _error(mine, true) < 1e-17


@judged
@pytest.mark.parametrize(("name", "p"), [("L1", 1), ("L2", 2), ("L3", 3)])
def test_the_judge_of_lp_norm(name, p):
    rng = np.random.RandomState(1)
    x, dout = rng.standard_normal((4, 6)), rng.standard_normal((4, 6))
    with mpmath.workdps(50):
        truth = LAYERS[name].exact(x, dout)
    for mine, true in zip(extended.lp(x, dout, p, 1)[:2], truth, strict=True):
        assert _error(mine, true) < 1e-17


@judged
def test_the_judge_of_local_response():
    rng = np.random.RandomState(2)
    x, dout = rng.standard_normal((2, 7, 3)), rng.standard_normal((2, 7, 3))
    with mpmath.workdps(50):
        truth = LAYERS["local response, even window"].exact(x, dout)
    for mine, true in zip(
        extended.local_response(x, dout, 1, 2, 1.0, 0.25, 0.75)[:2], truth, strict=True
    ):
        assert _error(mine, true) < 1e-17


@judged
def test_the_judge_with_fixed_statistics_by_hand():
    x, dout = np.array([[3.0, 10.0]]), np.array([[1.0, 2.0]])
    gamma, beta = np.array([2.0, -1.0]), np.array([0.5, 0.0])
    y, dx, dgamma, dbeta = extended.with_fixed_statistics(
        x, gamma, beta, dout, np.array([1.0, 4.0]), np.array([3.0, 8.0]), 1.0
    )
    np.testing.assert_array_equal(y, [[2.5, -2.0]])  # divided by 2 and by 3
    np.testing.assert_allclose(dx.astype(float), [[1.0, -2 / 3]], rtol=1e-15)
    np.testing.assert_array_equal(dgamma, [[1.0, 4.0]])
    np.testing.assert_array_equal(dbeta, dout)


def _error(mine, true) -> float:
    """Largest difference over the largest true value, in more digits than longdouble has."""
    with mpmath.workdps(50):
        high = mine.astype(np.float64)
        low = (mine - high).astype(np.float64)
        values = [
            mpmath.mpf(float(a)) + mpmath.mpf(float(b))
            for a, b in zip(high.flat, low.flat, strict=True)
        ]
        difference = max(abs(a - b) for a, b in zip(values, true.flat, strict=True))
        return float(difference / max(abs(b) for b in true.flat))
