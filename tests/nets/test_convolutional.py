"""Convolutional nets: gradients by slopes, norms of images as the norms there are, specs, and training."""

import numpy as np
import pytest

import normlab
from normlab import engines
from normlab.errors import OptionError, ShapeError
from normlab.layers import norms, spatial_batchnorm_forward, spatial_groupnorm_forward
from normlab.nets import ConvolutionalNet
from normlab.randomness import generator
from normlab.specs import NetSpec, RunSpec, TrainingSpec

NORMS = [None, *norms.BY_NAME]


def net_of(norm, per_pixel=False, filters=(4, 4), **options):
    return ConvolutionalNet(
        filters, (2, 8, 4), (6,), normalization=norm, num_groups=2 if norm == "groupnorm" else None,
        per_pixel=per_pixel, dtype=np.float64, weight_scale=0.3, rng=generator(1), num_classes=5, **options,
    )  # fmt: skip


@pytest.mark.parametrize("per_pixel", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_gradients_are_slopes(norm, per_pixel):
    net, rng = net_of(norm, per_pixel, reg=0.2), np.random.RandomState(0)
    X, y = rng.randn(6, 2, 8, 4), rng.randint(5, size=6)
    for name, value in net.params.items():
        net.params[name] = value + 0.1 * rng.randn(*value.shape)  # no gamma or beta at its start
    loss, grads = net.loss(X, y)
    assert grads.keys() == net.params.keys()
    for name, value in net.params.items():
        direction, h = rng.randn(*value.shape), 1e-6
        ahead, behind = [], []
        for side, step in ((ahead, h), (behind, -h)):
            net.params[name] = value + step * direction
            side.append(net.loss(X, y)[0])
        net.params[name] = value
        slope = (ahead[0] - behind[0]) / (2 * h)
        # of the bias before a batch norm the true gradient is 0: rounding alone is seen, 1e-16 / h
        assert abs(slope - (grads[name] * direction).sum()) <= 1e-6 * (1 + abs(loss)), name


def test_the_norms_of_images_are_the_assignments():
    rng = np.random.RandomState(0)
    x = rng.randn(3, 4, 8, 4)
    gamma, beta = rng.randn(4), rng.randn(4)
    layers = {
        "batchnorm": lambda: spatial_batchnorm_forward(x, gamma, beta, {"mode": "train"})[0],
        "groupnorm": lambda: spatial_groupnorm_forward(x, gamma, beta, 2, {})[0],
        "layernorm": lambda: spatial_groupnorm_forward(x, gamma, beta, 1, {})[0],
    }
    for name, layer in layers.items():
        net = net_of(name)
        parameters = [net._spread("feature", value, x) for value in (gamma, beta)]
        rows, _ = net.norm.forward(net._rows(x), *parameters, net.bn_params[0] | {"mode": "train"})
        np.testing.assert_allclose(net._unrows(rows, x.shape), layer(), atol=1e-12)


def test_batch_norm_by_pixels_is_batch_norm_of_features():
    """Nothing is shared between positions: another image's pixel moves that pixel's output alone."""
    rng = np.random.RandomState(0)
    x = rng.randn(5, 4, 8, 4)
    moved = x.copy()
    moved[0, 1, 2, 3] += 1
    for per_pixel in (False, True):
        net = net_of("batchnorm", per_pixel)
        param = {"mode": "train"}
        gamma, beta = net.params["gamma1"], net.params["beta1"]
        out, changed = (
            net._unrows(net.norm.forward(net._rows(a), gamma, beta, dict(param))[0], a.shape)
            for a in (x, moved)
        )
        where = np.argwhere((out != changed).any(axis=0))
        assert (len(where) == 1) is per_pixel
        assert set(where[:, 0]) == {1}


@pytest.fixture(scope="module")
def digits():
    return normlab.data.load("digits", num_training=100, num_validation=50, num_test=10)


def spec_of(data, norm="batchnorm", **options):
    net = NetSpec(
        (), norm, kind="convolutional", image_shape=(1, 8, 8), filters=(4, 8), start="he", **options
    )
    return RunSpec(
        net, TrainingSpec(batch_size=10, num_epochs=5, learning_rate=1e-2), data.spec, seed=3
    )


def test_a_convolutional_run_is_a_value_that_both_engines_train_alike(digits):
    spec = spec_of(digits, dtype="float64")
    assert RunSpec.from_json(spec.to_json()) == spec
    assert "filters" not in RunSpec(NetSpec((5,)), data=digits.spec).to_json()
    histories = [engines.train(name, spec, digits) for name in ("reference", "auto")]
    assert histories[0] == histories[1]


def test_a_convolutional_net_learns_digits(digits):
    histories = normlab.train(
        [spec_of(digits, norm) for norm in (None, "batchnorm")], digits, workers=1
    )
    assert all(history.best_train_acc > 0.5 for history in histories)  # guessing: 0.1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"filters": ()}, "needs filters and image_shape"),
        ({"image_shape": (8, 8)}, "needs filters and image_shape"),
        ({"filters": (2, 2, 2, 2)}, "which 16 must divide"),
        ({"filter_size": 4}, "filters have an odd size"),
        ({"dropout": 0.5}, "dropout=0.5 does not go with kind='convolutional'"),
        ({"residual": "pre-norm"}, "residual='pre-norm' does not go with"),
        ({"kind": "fully connected"}, "does not go with kind='fully connected'"),
        ({"normalization": "groupnorm", "num_groups": 3}, "num_groups=3 is none for [4, 8]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_makes_no_net_is_a_sentence(settings, words):
    usual = {"kind": "convolutional", "image_shape": (1, 8, 8), "filters": (4, 8)}
    with pytest.raises(OptionError) as caught:
        NetSpec((), **(usual | settings))
    assert words in str(caught.value)


def test_the_shape_of_square_images_need_not_be_said(digits):
    net = NetSpec((), kind="convolutional", filters=(4, 8))
    spec = RunSpec(net, TrainingSpec(batch_size=20, num_epochs=1), digits.spec)
    said = RunSpec(normlab.specs.replace(net, image_shape=(1, 8, 8)), spec.training, spec.data)
    assert engines.train("reference", spec, digits) == engines.train("reference", said, digits)
    with pytest.raises(OptionError, match="which 16 must divide"):
        RunSpec(NetSpec((), kind="convolutional", filters=(1,) * 4), data=digits.spec)


def test_images_that_do_not_fit(digits):
    net = NetSpec((), kind="convolutional", image_shape=(3, 8, 8), filters=(4,))
    with pytest.raises(OptionError, match="has 192 values, and an image of 'digits' has 64"):
        RunSpec(net, data=digits.spec)
    with pytest.raises(ShapeError, match="the net takes images of shape"):
        net_of(None).loss(np.zeros((2, 3, 8, 8)))
