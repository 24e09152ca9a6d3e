"""The assignment's five checkers: right slopes, in place, and everything put back."""

import random
from types import SimpleNamespace

import numpy as np
import pytest

from normlab.errors import ShapeError
from normlab.gradcheck import (
    eval_numerical_gradient,
    eval_numerical_gradient_array,
    eval_numerical_gradient_blobs,
    eval_numerical_gradient_net,
    grad_check_sparse,
)

# a centred difference at h = 1e-5 in float64: truncation h*h/6 * f''' and rounding eps/h are both
# near 1e-11
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture
def x():
    return np.random.default_rng(3).standard_normal((3, 4))


def test_gradient_of_a_number(x):
    before = x.copy()
    gradient = eval_numerical_gradient(lambda x: float((np.sin(x) * x).sum()), x, verbose=False)
    np.testing.assert_allclose(gradient, np.cos(x) * x + np.sin(x), **CLOSE)
    np.testing.assert_array_equal(x, before)


def test_the_function_may_ignore_its_argument_and_read_the_array(x):
    params = {"W": x}
    gradient = eval_numerical_gradient(
        lambda _: float((params["W"] ** 2).sum()), params["W"], verbose=False
    )
    np.testing.assert_allclose(gradient, 2 * x, **CLOSE)


def test_verbose_prints_a_line_an_entry(capsys):
    eval_numerical_gradient(lambda x: float(x.sum()), np.zeros((2, 2)))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(")")[0] for line in lines] == ["(0, 0", "(0, 1", "(1, 0", "(1, 1"]


def test_gradient_through_an_upstream_gradient(x):
    df = np.random.default_rng(4).standard_normal((3, 2))
    w = np.random.default_rng(5).standard_normal((4, 2))
    np.testing.assert_allclose(
        eval_numerical_gradient_array(lambda x: x @ w, x, df), df @ w.T, **CLOSE
    )


def test_a_forward_pass_may_reuse_its_buffer(x):
    buffer = np.empty_like(x)
    gradient = eval_numerical_gradient_array(
        lambda x: np.multiply(x, x, out=buffer), x, np.ones_like(x)
    )
    np.testing.assert_allclose(gradient, 2 * x, **CLOSE)


def blob(vals):
    return SimpleNamespace(vals=vals, diffs=np.ones_like(vals))


def test_blobs_and_nets(x):
    left, right, out = (
        blob(x),
        blob(np.random.default_rng(6).standard_normal((3, 4))),
        blob(np.zeros((3, 4))),
    )
    out.diffs = np.random.default_rng(7).standard_normal((3, 4))

    def multiply(a, b, result):
        result.vals[...] = a.vals * b.vals

    net = SimpleNamespace(forward=lambda: multiply(left, right, out))
    for gradients in (
        eval_numerical_gradient_blobs(multiply, (left, right), out),
        eval_numerical_gradient_net(net, [left, right], out),
    ):
        np.testing.assert_allclose(gradients[0], right.vals * out.diffs, **CLOSE)
        np.testing.assert_allclose(gradients[1], left.vals * out.diffs, **CLOSE)


def test_sparse_prints_both_gradients_and_their_error(x, capsys):
    random.seed(0)
    state = np.random.get_state()[1].tolist()
    grad_check_sparse(lambda x: float((x**2).sum()), x, 2 * x, num_checks=5)
    grad_check_sparse(lambda x: float((x**2).sum()), x, 3 * x, num_checks=5)
    errors = [
        float(line.split("relative error: ")[1]) for line in capsys.readouterr().out.splitlines()
    ]
    assert max(errors[:5]) < 1e-8
    assert errors[5:] == pytest.approx([0.2] * 5)  # |3 - 2| / (3 + 2)
    assert np.random.get_state()[1].tolist() == state


def test_sparse_calls_two_zeros_equal(capsys):
    grad_check_sparse(lambda _: 1.0, np.zeros(3), np.zeros(3), num_checks=1)
    assert "relative error: 0.0" in capsys.readouterr().out


def test_a_function_that_raises_leaves_the_array_as_it_was(x):
    before = x.copy()

    def fails_at_the_fifth_entry(x):
        if x[1, 0] != before[1, 0]:
            raise RuntimeError("out of patience")
        return 0.0

    with pytest.raises(RuntimeError, match="patience"):
        eval_numerical_gradient(fails_at_the_fifth_entry, x, verbose=False)
    np.testing.assert_array_equal(x, before)


def test_integers_are_refused_in_a_sentence():
    # int64 would swallow the step, and every gradient would come out 0
    with pytest.raises(ShapeError, match=r"x is an array of int64.*give it an array of floats"):
        eval_numerical_gradient(lambda x: float(x.sum()), np.arange(3), verbose=False)
