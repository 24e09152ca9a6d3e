"""Every backward pass against central differences along random directions, with a random upstream gradient.

With dout all ones, the true gradient of a batch norm is zero and hides every mistake; so dout is
random. In float64 with h = 1e-6 the truncation error is about 1e-12 and the rounding error about
1e-10 of the loss's scale.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normlab import layers
from tests.layers.norms import NORMS, draw

H = 1e-6


def slope(loss, arrays, directions):
    ahead = loss(*(a + H * d for a, d in zip(arrays, directions, strict=True)))
    behind = loss(*(a - H * d for a, d in zip(arrays, directions, strict=True)))
    return (ahead - behind) / (2 * H)


def assert_gradients(forward, backward, arrays, rng):
    """forward(*arrays) -> (out, cache); backward(dout, cache) -> one gradient an array."""
    out, cache = forward(*arrays)
    dout = rng.standard_normal(out.shape)
    gradients = backward(dout, cache)
    for which, gradient in enumerate(gradients):
        directions = [np.zeros_like(array) for array in arrays]
        directions[which] = rng.standard_normal(arrays[which].shape)
        numeric = slope(lambda *a: float((forward(*a)[0] * dout).sum()), arrays, directions)
        analytic = float((gradient * directions[which]).sum())
        scale = (
            np.linalg.norm(gradient) * np.linalg.norm(directions[which]) + np.abs(out * dout).sum()
        )
        assert abs(numeric - analytic) <= 1e-7 * scale, (
            f"argument {which}: {numeric} against {analytic}"
        )


SHAPES = {
    2: (st.integers(2, 9), st.integers(1, 9)),
    3: (st.integers(1, 4), st.sampled_from([2, 4]), st.integers(2, 5)),
}


@pytest.mark.parametrize("name", NORMS)
@given(data=st.data(), seed=st.integers(0, 2**31), eps=st.sampled_from([1e-5, 0.5]))
@settings(max_examples=25, deadline=None)
def test_norms(name, data, seed, eps):
    norm = NORMS[name]
    axes = SHAPES[min(len(norm.shape), 3)]
    shape = tuple(data.draw(axis) for axis in axes)
    rng = np.random.RandomState(seed)
    x, gamma, beta, _ = draw(norm, rng, shape=shape)
    arrays = (x, gamma, beta) if norm.centred else (x, gamma)
    assert_gradients(
        lambda x, gamma, beta=beta: norm.forward(x, gamma, beta, eps),
        lambda dout, cache: [g for g in norm.backward(dout, cache) if g is not None],
        arrays,
        rng,
    )


@pytest.mark.parametrize("backward", [layers.batchnorm_backward, layers.batchnorm_backward_alt])
def test_batch_norm_with_its_statistics_held_fixed(backward):
    rng = np.random.RandomState(0)
    bn_param = {"mode": "test", "running_mean": rng.randn(4), "running_var": rng.uniform(0.1, 2, 4)}
    arrays = (rng.randn(6, 4), rng.randn(4), rng.randn(4))
    assert_gradients(lambda *a: layers.batchnorm_forward(*a, bn_param), backward, arrays, rng)


@given(shape=st.lists(st.integers(1, 4), min_size=2, max_size=4), seed=st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_affine(shape, seed):
    rng = np.random.RandomState(seed)
    D, H_out = int(np.prod(shape[1:])), 5
    arrays = (rng.randn(*shape), rng.randn(D, H_out), rng.randn(H_out))
    assert_gradients(layers.affine_forward, layers.affine_backward, arrays, rng)


def test_affine_relu_and_relu_away_from_the_kink():
    rng = np.random.RandomState(1)
    x = rng.randn(5, 4)
    x[np.abs(x) < 1e-3] = 0.5
    assert_gradients(
        layers.relu_forward, lambda dout, cache: [layers.relu_backward(dout, cache)], (x,), rng
    )
    arrays = (x, rng.randn(4, 3), rng.randn(3))
    assert_gradients(layers.affine_relu_forward, layers.affine_relu_backward, arrays, rng)


def test_dropout_multiplies_forward_and_backward_by_one_mask():
    rng = np.random.RandomState(2)
    dropout_param = {"mode": "train", "p": 0.6, "seed": 7}
    assert_gradients(
        lambda x: layers.dropout_forward(x, dropout_param),
        lambda dout, cache: [layers.dropout_backward(dout, cache)],
        (rng.randn(6, 5),),
        rng,
    )
    x = np.ones((200, 500))
    out, _ = layers.dropout_forward(x, {"mode": "train", "p": 0.6, "seed": 7})
    assert set(np.unique(out)) == {0.0, 1 / 0.6}
    assert abs((out > 0).mean() - 0.6) < 5 * np.sqrt(
        0.6 * 0.4 / x.size
    )  # p is the probability of keeping
    assert layers.dropout_forward(x, {"mode": "test", "p": 0.6})[0] is x


@pytest.mark.parametrize("loss", [layers.softmax_loss, layers.nll_loss, layers.svm_loss])
def test_losses(loss):
    rng = np.random.RandomState(3)
    x, y = rng.randn(6, 5), rng.randint(5, size=6)
    _, dx = loss(x, y)
    direction = rng.randn(*x.shape)
    numeric = slope(lambda x: float(loss(x, y)[0]), (x,), (direction,))
    assert abs(numeric - (dx * direction).sum()) < 1e-8


def test_losses_by_hand():
    x = np.log(np.array([[1.0, 2.0, 5.0], [4.0, 4.0, 8.0]]))
    loss, dx = layers.softmax_loss(x, np.array([1, 2]))
    assert loss == pytest.approx(-(np.log(2 / 8) + np.log(8 / 16)) / 2)
    np.testing.assert_allclose(
        dx, np.array([[1 / 8, 2 / 8 - 1, 5 / 8], [4 / 16, 4 / 16, 8 / 16 - 1]]) / 2
    )
    loss, dx = layers.svm_loss(np.array([[3.0, 2.5, 0.0], [0.0, 4.0, 1.0]]), np.array([0, 2]))
    assert loss == pytest.approx(((2.5 - 3 + 1) + (4 - 1 + 1)) / 2)
    np.testing.assert_allclose(dx, [[-0.5, 0.5, 0], [0, 0.5, -0.5]])


def test_softmax_survives_scores_that_overflow_exp():
    loss, dx = layers.softmax_loss(np.array([[1e4, 0.0], [0.0, 1e4]]), np.array([0, 0]))
    assert loss == 5e3
    np.testing.assert_array_equal(dx, [[0, 0], [-0.5, 0.5]])


def test_relu_passes_no_gradient_where_it_is_flat_not_even_infinity():
    dx = layers.relu_backward(np.array([np.inf, 1.0, 2.0]), np.array([-1.0, 0.0, 3.0]))
    np.testing.assert_array_equal(dx, [0, 0, 2])
