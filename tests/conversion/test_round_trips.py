"""Out and back gives the same bits; and the check that says so can fail."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from normlab import TwoLayerNet, randomness
from normlab.conversion import export_net, import_net, load_net, save_net
from normlab.conversion.files import LIBRARIES
from normlab.conversion.net_parts import put_together, take_apart
from normlab.errors import OptionError, RecordsError, ShapeError
from normlab.nets import FullyConnectedNet
from proof.round_trips import same_net

PACKAGES = {"torch": "safetensors", "onnx": "onnx", "keras": "h5py"}


def out_and_back(net, library, folder, **options):
    pytest.importorskip(PACKAGES[library], reason=f"{PACKAGES[library]} is not installed")
    path = folder / f"net{LIBRARIES[library].SUFFIX}"
    export_net(net, path, library, **options)
    return import_net(path, library)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_net_comes_back_to_the_bit(net, library, tmp_path, X):
    back = out_and_back(net, library, tmp_path)
    assert same_net(net, back)
    assert back.loss(X).tobytes() == net.loss(X).tobytes()


@pytest.mark.parametrize("library", ["torch", "onnx"])
def test_also_with_running_variances_in_pytorch_s_convention(batchnorm_net, library, tmp_path):
    assert same_net(batchnorm_net, out_and_back(batchnorm_net, library, tmp_path, unbiased_for=20))


def test_also_through_a_checkpoint(net, tmp_path):
    assert same_net(net, load_net(save_net(tmp_path / "net", net)))


def test_settings_of_each_layer_and_extreme_values_come_back(tmp_path):
    rng = randomness.generator(3)
    net = FullyConnectedNet(
        [3, 2], input_dim=2, normalization="batchnorm", dtype=np.float64, rng=rng
    )
    net.bn_params = [
        {
            "mode": "train",
            "eps": 1e-3,
            "momentum": 0.99,
            "running_mean": [1e300, -0.0, 5e-324],
            "running_var": [0, 1, 2],
        },
        {"mode": "test", "momentum": 0.5, "num_batches_tracked": 2**40},
    ]
    net.params["W1"][0, 0], net.params["b1"][0] = np.nan, -np.inf
    for library in LIBRARIES:
        assert same_net(net, out_and_back(net, library, tmp_path)) is (library == "torch")
        net.bn_params[1].pop("num_batches_tracked")
        assert same_net(net, out_and_back(net, library, tmp_path))
        net.bn_params[1]["num_batches_tracked"] = 2**40


def test_the_comparison_notices_one_bit_anywhere(batchnorm_net):
    for change in (
        lambda net: net.params["W2"].__setitem__(
            (0, 0), np.nextafter(net.params["W2"][0, 0], np.float32(9))
        ),
        lambda net: net.bn_params[1]["running_var"].__setitem__(
            0, np.nextafter(net.bn_params[1]["running_var"][0], 9)
        ),
        lambda net: net.bn_params[0].update(eps=2e-5),
        lambda net: net.bn_params[2].update(momentum=0.8),
        lambda net: setattr(net, "reg", 0.2),
        lambda net: net.dropout_param.update(p=0.7),
    ):
        other = put_together(take_apart(batchnorm_net))
        assert same_net(batchnorm_net, other)
        change(other)
        assert not same_net(batchnorm_net, other)


def test_the_same_net_is_the_same_file(batchnorm_net):
    parts = take_apart(batchnorm_net)
    for library in LIBRARIES:
        pytest.importorskip(PACKAGES[library], reason=f"{PACKAGES[library]} is not installed")
        assert LIBRARIES[library].to_bytes(parts) == LIBRARIES[library].to_bytes(parts)


def test_the_assignment_s_first_net_goes_too(tmp_path, X):
    net = TwoLayerNet(6, 5, 4, weight_scale=1.0, rng=randomness.generator(0))
    assert out_and_back(net, "torch", tmp_path).loss(X).tobytes() == net.loss(X).tobytes()


def test_a_net_that_comes_back_trains_on_with_its_own_generator(tmp_path, X):
    net = FullyConnectedNet(
        [8], input_dim=6, num_classes=4, dropout=0.5, rng=randomness.generator(0)
    )
    export_net(net, tmp_path / "net.safetensors", "torch")
    y = np.zeros(len(X), int)
    losses = [
        import_net(tmp_path / "net.safetensors", "torch", rng=randomness.generator(seed)).loss(
            X, y
        )[0]
        for seed in (1, 1, 2)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_the_imported_net_is_a_copy(batchnorm_net):
    before = copy.deepcopy(batchnorm_net.params)
    back = put_together(take_apart(batchnorm_net))
    for value in back.params.values():
        value += 1
    back.bn_params[0]["running_mean"] += 1
    assert all(np.array_equal(before[name], batchnorm_net.params[name]) for name in before)
    assert same_net(batchnorm_net, put_together(take_apart(batchnorm_net)))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda net: net.params.pop("b2"), "the net has no b2; its parameters are"),
        (
            lambda net: net.params.update(W2=np.zeros((3, 2, 2), "f4")),
            r"W2 has shape \(3, 2, 2\); .* one at a time",
        ),
        (
            lambda net: net.params.update(b1=np.zeros(5, "f4")),
            r"b1 has shape \(5,\); expected \(12,\)",
        ),
        (
            lambda net: net.params.update(W2=np.zeros((5, 18), "f4")),
            "affine layer 1 gives 12 values .* 2 takes 5",
        ),
        (
            lambda net: net.params.update(scale1=np.zeros(3, "f4")),
            "parameters that no net .* has: 'scale1'",
        ),
        (
            lambda net: net.params.update(b1=np.zeros(12)),
            "type float32 and float64; expected float32 or float64",
        ),
        (
            lambda net: net.bn_params[0].update(running_var=np.zeros(3)),
            r"running_var has shape \(3,\); expected \(12,\)",
        ),
    ],
)
def test_a_net_of_another_kind_is_refused_by_name(batchnorm_net, change, sentence, tmp_path):
    net = put_together(take_apart(batchnorm_net))
    change(net)
    with pytest.raises(ShapeError, match=sentence):
        export_net(net, tmp_path / "net.safetensors", "torch")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_a_sentence_and_leaves_nothing(batchnorm_net, tmp_path):
    with pytest.raises(RecordsError, match="cannot be written: No such file"):
        export_net(batchnorm_net, tmp_path / "absent" / "net.safetensors", "torch")
    with pytest.raises(OptionError, match=r"does not end in .safetensors"):
        export_net(batchnorm_net, tmp_path / "net.pt", "torch")
    with pytest.raises(
        OptionError, match=r"library='pytorch' is not one of .* did you mean 'torch'"
    ):
        export_net(batchnorm_net, tmp_path / "net.safetensors", "pytorch")
    net = put_together(take_apart(batchnorm_net))
    net.bn_params[0]["running_var"][0] = 1e39
    with pytest.raises(OptionError, match=r"1\.running_var holds 1e\+39, more than float32 can"):
        export_net(net, tmp_path / "net.safetensors", "torch")
    assert not list(tmp_path.iterdir())
