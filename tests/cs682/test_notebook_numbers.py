"""Every number that the assignment's notebooks print comes out: seed 231, float64, every printed digit.

The one printed figure without a test here is the speedup of the simplified backward pass, since a
test that asserts a time fails on a busy machine: `proof/` measures it.
"""

import numpy as np
import pytest

from cs682 import optim
from cs682.classifiers.fc_net import (
    FullyConnectedNet,
    TwoLayerNet,
    batchnorm_backward,
    batchnorm_backward_alt,
    batchnorm_forward,
    layernorm_backward,
    layernorm_forward,
    softmax_loss,
    svm_loss,
)
from cs682.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array


def assert_prints(values, printed):
    """Equal to the printed figures in all of their 8 decimals."""
    np.testing.assert_allclose(values, printed, rtol=0, atol=0.5e-8 + 1e-12)


def rel_error(x, y):
    """The notebooks' measure: the largest |x - y| / (|x| + |y|), with a floor under the denominator."""
    return np.max(np.abs(x - y) / np.maximum(1e-8, np.abs(x) + np.abs(y)))


def two_layers(X, W1, W2):
    return np.maximum(0, X @ W1) @ W2


def activations(N):
    """What the norms are tried on: a two-layer net of random weights on random data, (N, 3)."""
    np.random.seed(231)
    return two_layers(np.random.randn(N, 50), np.random.randn(50, 60), np.random.randn(60, 3))


# ---------------------------------------------------------------- batch norm


def test_batchnorm_forward():
    a = activations(200)
    assert_prints(a.mean(axis=0), [-2.3814598, -13.18038246, 1.91780462])
    assert_prints(a.std(axis=0), [27.18502186, 34.21455511, 37.68611762])

    out, _ = batchnorm_forward(a, np.ones(3), np.zeros(3), {"mode": "train"})
    assert np.abs(out.mean(axis=0)).max() < 1e-15
    assert_prints(out.std(axis=0), [0.99999999, 1.0, 1.0])

    out, _ = batchnorm_forward(
        a, np.array([1.0, 2.0, 3.0]), np.array([11.0, 12.0, 13.0]), {"mode": "train"}
    )
    assert_prints(out.mean(axis=0), [11, 12, 13])
    assert_prints(out.std(axis=0), [0.99999999, 1.99999999, 2.99999999])


def test_batchnorm_in_test_mode_after_fifty_training_passes():
    np.random.seed(231)
    W1, W2 = np.random.randn(50, 60), np.random.randn(60, 3)
    bn_param = {"mode": "train"}
    for _ in range(50):
        batchnorm_forward(
            two_layers(np.random.randn(200, 50), W1, W2), np.ones(3), np.zeros(3), bn_param
        )
    bn_param["mode"] = "test"
    out, _ = batchnorm_forward(
        two_layers(np.random.randn(200, 50), W1, W2), np.ones(3), np.zeros(3), bn_param
    )
    assert_prints(out.mean(axis=0), [-0.03927354, -0.04349152, -0.10452688])
    assert_prints(out.std(axis=0), [1.01531428, 1.01238373, 0.97819988])


def norm_case(N, D):
    np.random.seed(231)
    x = 5 * np.random.randn(N, D) + 12
    return x, np.random.randn(D), np.random.randn(D), np.random.randn(N, D)


def gradient_errors(forward, backward):
    """Relative errors of dx, dgamma and dbeta at N=4, D=5."""
    x, gamma, beta, dout = norm_case(4, 5)
    numeric = (
        eval_numerical_gradient_array(lambda x: forward(x, gamma, beta)[0], x, dout),
        eval_numerical_gradient_array(lambda gamma: forward(x, gamma, beta)[0], gamma, dout),
        eval_numerical_gradient_array(lambda beta: forward(x, gamma, beta)[0], beta, dout),
    )
    analytic = backward(dout, forward(x, gamma, beta)[1])
    return [rel_error(*pair) for pair in zip(numeric, analytic, strict=True)]


@pytest.mark.parametrize("backward", [batchnorm_backward, batchnorm_backward_alt])
def test_batchnorm_backward(backward):
    dx, dgamma, dbeta = gradient_errors(
        lambda *args: batchnorm_forward(*args, {"mode": "train"}), backward
    )
    assert dx < 1e-8
    assert dgamma < 1e-11
    assert dbeta < 1e-11


def test_batchnorm_alternative_backward():
    x, gamma, beta, dout = norm_case(100, 500)
    _, cache = batchnorm_forward(x, gamma, beta, {"mode": "train"})
    staged, simplified = batchnorm_backward(dout, cache), batchnorm_backward_alt(dout, cache)
    assert rel_error(staged[0], simplified[0]) < 1e-11
    assert rel_error(staged[1], simplified[1]) == 0
    assert rel_error(staged[2], simplified[2]) == 0


# ---------------------------------------------------------------- layer norm


def test_layernorm_forward():
    a = activations(4)
    assert_prints(a.mean(axis=1), [-59.06673243, -47.60782686, -43.31137368, -26.40991744])
    assert_prints(a.std(axis=1), [10.07429373, 28.39478981, 35.28360729, 4.01831507])

    out, _ = layernorm_forward(a, np.ones(3), np.zeros(3), {"mode": "train"})
    assert np.abs(out.mean(axis=1)).max() < 1e-14
    assert_prints(out.std(axis=1), [0.99999995, 0.99999999, 1.0, 0.99999969])

    out, _ = layernorm_forward(a, np.full(3, 3.0), np.full(3, 5.0), {"mode": "train"})
    assert_prints(out.mean(axis=1), [5, 5, 5, 5])
    assert_prints(out.std(axis=1), [2.99999985, 2.99999998, 2.99999999, 2.99999907])


def test_layernorm_backward():
    dx, dgamma, dbeta = gradient_errors(
        lambda *args: layernorm_forward(*args, {}), layernorm_backward
    )
    assert dx < 1e-8
    assert dgamma < 1e-10
    assert dbeta < 1e-10


# ---------------------------------------------------------------- nets


def small_case():
    np.random.seed(231)
    return np.random.randn(2, 15), np.random.randint(10, size=2)


def small_net(**options):
    return FullyConnectedNet(
        [20, 30], input_dim=15, num_classes=10, weight_scale=5e-2, dtype=np.float64, **options
    )


# Printed to 12 decimals, for batch norm in full: there the last bit or two may differ from one BLAS
# to the next.
LOSSES = {
    None: (2.300479089768, 7.052114776533, 1e-12),
    "batchnorm": (2.2611955101340957, 6.996533220108303, 5e-15),
    "layernorm": (2.237831004147, 7.102137827252, 1e-12),
}


@pytest.mark.parametrize("normalization", LOSSES)
def test_initial_losses(normalization):
    X, y = small_case()
    without, regularized, last_digit = LOSSES[normalization]
    for reg, printed in ((0, without), (3.14, regularized)):
        loss, _ = small_net(reg=reg, normalization=normalization).loss(X, y)
        assert loss == pytest.approx(printed, rel=0, abs=last_digit)


def test_gradients_of_the_batchnorm_net():
    X, y = small_case()
    for reg in (0, 3.14):
        net = small_net(reg=reg, normalization="batchnorm")
        _, grads = net.loss(X, y)
        for name, gradient in grads.items():
            numeric = eval_numerical_gradient(
                lambda _, net=net: net.loss(X, y)[0], net.params[name], verbose=False, h=1e-5
            )
            if name in ("b1", "b2"):  # whose true gradient is zero: batch norm takes the bias away
                assert np.abs(gradient).max() < 1e-9
                assert np.abs(numeric).max() < 1e-9
            else:
                bound = {"W1": 2e-4, "W2": 2e-4, "W3": 2e-8, "b3": 2e-8}.get(name, 1e-8)
                assert rel_error(numeric, gradient) < bound, (name, reg)


def test_dropout_losses():
    X, y = small_case()
    for dropout, printed in (
        (1, 2.3004790897684924),
        (0.75, 2.302371489704412),
        (0.5, 2.3042759220785896),
    ):
        loss, _ = small_net(dropout=dropout, seed=123).loss(X, y)
        assert loss == pytest.approx(printed, rel=0, abs=5e-15)
    X, y = small_case()
    assert small_net(dropout=0.75, seed=123).loss(X, y)[0] == pytest.approx(
        2.301024461, rel=0, abs=0.5e-9
    )


def test_two_layer_net():
    net = TwoLayerNet(input_dim=5, hidden_dim=50, num_classes=7, weight_scale=1e-3)
    assert abs(net.params["W1"].std() - 1e-3) < 1e-4
    for name, low, high in (
        ("W1", -0.7, 0.3),
        ("b1", -0.1, 0.9),
        ("W2", -0.3, 0.4),
        ("b2", -0.9, 0.1),
    ):
        shape = net.params[name].shape
        net.params[name] = np.linspace(low, high, num=np.prod(shape)).reshape(shape)
    X = np.linspace(-5.5, 4.5, num=15).reshape(5, 3).T
    assert_prints(net.loss(X)[:, 0], [11.53165108, 12.05769098, 12.58373087])
    assert_prints(net.loss(X)[:, 6], [16.09215096, 16.18839143, 16.2846319])
    y = np.array([0, 5, 1])
    assert net.loss(X, y)[0] == pytest.approx(3.4702243556, rel=0, abs=0.5e-10)
    net.reg = 1.0
    assert net.loss(X, y)[0] == pytest.approx(26.5948426952, rel=0, abs=0.5e-10)


def test_losses():
    np.random.seed(231)
    x, y = 0.001 * np.random.randn(50, 10), np.random.randint(10, size=50)
    for loss, printed in ((svm_loss, 8.999602749), (softmax_loss, 2.302545845)):
        value, dx = loss(x, y)
        assert value == pytest.approx(printed, rel=0, abs=0.5e-9)
        numeric = eval_numerical_gradient(lambda x: loss(x, y)[0], x, verbose=False)  # noqa: B023
        assert rel_error(numeric, dx) < 2e-8


# ---------------------------------------------------------------- update rules


def ramp(low, high):
    return np.linspace(low, high, num=20).reshape(4, 5)


def printed_error(exact, ours):
    """The notebook compares with values printed to 8 decimals; the error it prints is theirs, not the rule's."""
    return f"{rel_error(np.round(exact, 8), ours):.2e}"


def test_momentum():
    w, dw, v = ramp(-0.4, 0.6), ramp(-0.6, 0.4), ramp(0.6, 0.9)
    next_w, config = optim.sgd_momentum(w, dw, {"learning_rate": 1e-3, "velocity": v})
    velocity = 0.9 * v - 1e-3 * dw
    assert printed_error(w + velocity, next_w) == "8.88e-09"
    assert printed_error(velocity, config["velocity"]) == "4.27e-09"


def test_rmsprop():
    w, dw, cache = ramp(-0.4, 0.6), ramp(-0.6, 0.4), ramp(0.6, 0.9)
    next_w, config = optim.rmsprop(w, dw, {"learning_rate": 1e-2, "cache": cache})
    moved = 0.99 * cache + 0.01 * dw**2
    assert printed_error(w - 1e-2 * dw / (moved**0.5 + 1e-8), next_w) == "9.52e-08"
    assert printed_error(moved, config["cache"]) == "2.65e-09"


def test_adam():
    w, dw, m, v = ramp(-0.4, 0.6), ramp(-0.6, 0.4), ramp(0.6, 0.9), ramp(0.7, 0.5)
    next_w, config = optim.adam(w, dw, {"learning_rate": 1e-2, "m": m, "v": v, "t": 5})
    m, v = 0.9 * m + 0.1 * dw, 0.999 * v + 0.001 * dw**2
    step = (m / (1 - 0.9**6)) / ((v / (1 - 0.999**6)) ** 0.5 + 1e-8)
    assert config["t"] == 6
    assert printed_error(w - 1e-2 * step, next_w) == "1.14e-07"
    assert printed_error(v, config["v"]) == "4.21e-09"
    assert printed_error(m, config["m"]) == "4.21e-09"
