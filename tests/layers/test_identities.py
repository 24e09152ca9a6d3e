"""Special cases that equal general ones, and foreign implementations where they are installed."""

import numpy as np
import pytest

from normlab import layers
from tests.layers.norms import NORMS, draw

RNG = np.random.RandomState


def test_layer_norm_is_batch_norm_turned_on_its_side():
    rng = RNG(0)
    x, dout = rng.randn(6, 9), rng.randn(6, 9)
    ones, zeros = np.ones(9), np.zeros(9)
    out, cache = layers.layernorm_forward(x, ones, zeros, {})
    turned, turned_cache = layers.batchnorm_forward(x.T, np.ones(6), np.zeros(6), {"mode": "train"})
    assert (out == turned.T).all()
    np.testing.assert_allclose(
        layers.layernorm_backward(dout, cache)[0],
        layers.batchnorm_backward(dout.T, turned_cache)[0].T,
        atol=1e-15,
    )


def test_one_group_is_layer_norm_and_a_group_a_channel_is_instance_norm():
    x, gamma, beta, dout = draw(NORMS["layernorm"], RNG(1))
    out, cache = layers.groupnorm_forward(x, gamma, beta, 1, {})
    as_layer, layer_cache = layers.layernorm_forward(x, gamma, beta, {})
    assert (out == as_layer).all()
    for a, b in zip(
        layers.groupnorm_backward(dout, cache),
        layers.layernorm_backward(dout, layer_cache),
        strict=True,
    ):
        assert (a == b).all()

    x, gamma, beta, dout = draw(NORMS["instancenorm"], RNG(2))
    assert (
        layers.groupnorm_forward(x, gamma, beta, 3, {})[0]
        == layers.instancenorm_forward(x, gamma, beta, {})[0]
    ).all()


def test_rms_norm_of_centred_features_is_layer_norm():
    x = RNG(3).randint(-8, 8, (5, 8)).astype(float)
    x[:, -1] -= x.sum(axis=1)  # whole numbers: the mean is exactly 0
    gamma = RNG(4).randn(8)
    np.testing.assert_allclose(
        layers.rmsnorm_forward(x, gamma, {})[0],
        layers.layernorm_forward(x, gamma, np.zeros(8), {})[0],
        rtol=1e-15,
    )


@pytest.mark.parametrize("shape", [(100, 50), (4000, 3)])
def test_the_two_backward_passes_of_batch_norm_agree(shape):
    x, gamma, beta, dout = draw(NORMS["batchnorm"], RNG(5), shape=shape)
    _, cache = layers.batchnorm_forward(x, gamma, beta, {"mode": "train"})
    staged, simplified = (
        layers.batchnorm_backward(dout, cache),
        layers.batchnorm_backward_alt(dout, cache),
    )
    np.testing.assert_allclose(staged[0], simplified[0], atol=1e-14)
    assert (staged[1] == simplified[1]).all()
    assert (staged[2] == simplified[2]).all()


def test_softmax_loss_is_the_negative_log_likelihood_of_softmax():
    x, y = RNG(12).randn(6, 5), RNG(13).randint(5, size=6)
    log_p = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(
        layers.nll_loss(log_p, y)[0], layers.softmax_loss(x, y)[0], rtol=1e-14
    )


@pytest.mark.parametrize("name", NORMS)
def test_normalized_output_ignores_shift_and_scale_of_its_group(name):
    norm = NORMS[name]
    x, gamma, beta, _ = draw(norm, RNG(6))
    expected, _ = norm.forward(x, gamma, beta, 0.0)
    shift = 3.0 if norm.centred else 0.0
    np.testing.assert_allclose(
        norm.forward(1.7 * x + shift, gamma, beta, 0.0)[0], expected, atol=1e-13
    )


@pytest.mark.parametrize("name", NORMS)
def test_a_stack_of_nets_gives_each_net_what_it_gets_alone(name):
    norm = NORMS[name]
    solo = [draw(norm, RNG(seed)) for seed in range(3)]
    x, gamma, beta, dout = (np.stack(arrays) for arrays in zip(*solo, strict=True))
    out, cache = norm.forward(x, gamma, beta, 1e-5)
    gradients = norm.backward(dout, cache)
    for m, (x1, gamma1, beta1, dout1) in enumerate(solo):
        out1, cache1 = norm.forward(x1, gamma1, beta1, 1e-5)
        assert (out[m] == out1).all()
        for stacked, alone in zip(gradients, norm.backward(dout1, cache1), strict=True):
            assert alone is None or (stacked[m] == alone).all()


def test_affine_losses_and_relu_of_a_stack():
    rng = RNG(7)
    x, w, b, dout = rng.randn(3, 5, 4), rng.randn(3, 4, 6), rng.randn(3, 6), rng.randn(3, 5, 6)
    y = rng.randint(6, size=(3, 5))
    out, cache = layers.affine_forward(x, w, b)
    gradients = layers.affine_backward(dout, cache)
    for m in range(3):
        out1, cache1 = layers.affine_forward(x[m], w[m], b[m])
        assert (out[m] == out1).all()
        for stacked, alone in zip(gradients, layers.affine_backward(dout[m], cache1), strict=True):
            np.testing.assert_allclose(stacked[m], alone, rtol=1e-15)
    for loss in (layers.softmax_loss, layers.nll_loss, layers.svm_loss):
        losses, dx = loss(out, y)
        for m in range(3):
            loss1, dx1 = loss(out[m], y[m])
            np.testing.assert_allclose(losses[m], loss1, rtol=1e-15)
            assert (dx[m] == dx1).all()


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_results_have_the_types_of_what_they_belong_to(name, dtype):
    norm = NORMS[name]
    x, gamma, beta, dout = draw(norm, RNG(8), dtype)
    out, cache = norm.forward(x, gamma, beta, 1e-5)
    dx, dgamma, dbeta = norm.backward(dout, cache)
    assert (out.dtype, dx.dtype, dgamma.dtype) == (dtype, dtype, dtype)
    assert (dx.shape, dgamma.shape) == (x.shape, gamma.shape)
    assert dbeta is None or (dbeta.dtype, dbeta.shape) == (dtype, beta.shape)


def test_test_mode_uses_the_running_statistics_and_leaves_them():
    rng = RNG(9)
    x, gamma, beta = rng.randn(4, 3), rng.randn(3), rng.randn(3)
    running = {"running_mean": rng.randn(3), "running_var": rng.uniform(0.01, 0.1, 3)}
    bn_param = {"mode": "test", "eps": 0.5} | {
        name: value.copy() for name, value in running.items()
    }
    out, _ = layers.batchnorm_forward(x, gamma, beta, bn_param)
    expected = gamma * (x - running["running_mean"]) / np.sqrt(running["running_var"] + 0.5) + beta
    np.testing.assert_allclose(out, expected, rtol=1e-14)
    for name, value in running.items():
        assert (bn_param[name] == value).all()
    alone, _ = layers.batchnorm_forward(x[:1], gamma, beta, bn_param)
    assert (alone == out[:1]).all()  # an example's output does not depend on its company


def test_running_statistics_follow_the_recurrence_with_the_biased_variance():
    rng = RNG(10)
    bn_param = {"mode": "train", "momentum": 0.8}
    mean, var = np.zeros(3), np.zeros(3)
    for _ in range(5):
        x = rng.randn(4, 3)
        layers.batchnorm_forward(x, np.ones(3), np.zeros(3), bn_param)
        mean, var = 0.8 * mean + 0.2 * x.mean(0), 0.8 * var + 0.2 * x.var(0)
    np.testing.assert_allclose(bn_param["running_mean"], mean, rtol=1e-13)
    np.testing.assert_allclose(bn_param["running_var"], var, rtol=1e-13)


def test_pytorch_agrees():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    functional = torch.nn.functional
    references = {
        "batchnorm": lambda x, g, b: functional.batch_norm(
            x, None, None, g, b, training=True, eps=1e-5
        ),
        "layernorm": lambda x, g, b: functional.layer_norm(x, x.shape[1:], g, b, eps=1e-5),
        "rmsnorm": lambda x, g, _b: functional.rms_norm(x, x.shape[1:], g, eps=1e-5),
        "groupnorm": lambda x, g, b: functional.group_norm(x, 2, g, b, eps=1e-5),
        "instancenorm": lambda x, g, b: functional.instance_norm(x, None, None, g, b, eps=1e-5),
    }
    for name, reference in references.items():
        norm = NORMS[name]
        x, gamma, beta, dout = draw(norm, RNG(11))
        out, cache = norm.forward(x, gamma, beta, 1e-5)
        tensors = [torch.tensor(array, requires_grad=True) for array in (x, gamma, beta)]
        theirs = reference(*tensors)
        theirs.backward(torch.tensor(dout))
        np.testing.assert_allclose(out, theirs.detach().numpy(), atol=1e-12)
        for ours, tensor in zip(norm.backward(dout, cache), tensors, strict=True):
            if ours is not None:
                np.testing.assert_allclose(ours, tensor.grad.numpy(), atol=1e-12)
