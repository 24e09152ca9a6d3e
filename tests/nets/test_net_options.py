"""What nets can be beyond the assignment: gradients, identities, effects."""

import copy

import numpy as np
import pytest

from normlab import starts
from normlab.errors import OptionError, ShapeError
from normlab.gradcheck import check_net
from normlab.layers import norms
from normlab.nets import FullyConnectedNet
from normlab.randomness import generator
from tests.nets.test_nets import batch

D, C = 7, 5
OPTIONS = {
    "sigmoid": {"activation": "sigmoid", "normalization": "batchnorm"},
    "tanh": {"activation": "tanh", "normalization": "layernorm"},
    "pre-norm": {"residual": "pre-norm", "normalization": "layernorm"},
    "post-norm": {"residual": "post-norm", "normalization": "batchnorm"},
    "pre-norm, no norm": {"residual": "pre-norm", "activation": "tanh"},
    "post-norm, DyT, dropout": {"residual": "post-norm", "normalization": "dyt", "dropout": 0.7},
    "pre-norm, derf, noise": {"residual": "pre-norm", "normalization": "derf", "norm_noise": 0.3},
    "eps": {"normalization": "rmsnorm", "eps": 0.5},
    "ghost batches": {"normalization": "batchnorm", "ghost_batch": 3},
    "ghost batches, post-norm": {
        "normalization": "batchnorm",
        "ghost_batch": 2,
        "residual": "post-norm",
    },
    "population": {"normalization": "batchnorm", "statistics": "population"},
    "noise": {"normalization": "layernorm", "norm_noise": 0.5, "dropout": 0.8},
}


def make(seed=0, depth=3, moved=True, **options):
    """A net of three hidden layers whose parameters are all away from where they start."""
    options = {"weight_scale": 0.3, "reg": 0.1, "dtype": np.float64} | options
    net = FullyConnectedNet([8] * depth, D, C, seed=11, rng=generator(seed), **options)
    rng = generator(seed + 100)
    for name, value in net.params.items():
        if moved and not name.startswith("W"):
            net.params[name] = value + 0.5 * rng.randn(*value.shape)
    return net


@pytest.mark.parametrize("name", OPTIONS)
def test_gradients_of_every_parameter(name):
    net = make(**OPTIONS[name])
    X, y = batch()
    net.loss(X, y)  # running statistics, if there are any, begin to exist
    still = copy.deepcopy(net.bn_params)

    def loss():
        net.bn_params = copy.deepcopy(still)  # what a step moves is not a part of its function
        return net.loss(X, y)

    _, grads = loss()
    rng = generator(2)
    for name, value in net.params.items():
        direction = rng.randn(*value.shape)
        losses = []
        for h in (1e-6, -1e-6):
            net.params[name] = value + h * direction
            losses.append(loss()[0])
        net.params[name] = value
        numeric, analytic = (losses[0] - losses[1]) / 2e-6, (grads[name] * direction).sum()
        assert abs(numeric - analytic) < 1e-7 * max(1, abs(losses[0]), np.abs(grads[name]).sum()), (
            name
        )


@pytest.mark.parametrize(
    "name", [name for name in OPTIONS if "noise" not in name and "drop" not in name]
)
def test_a_stack_of_nets_gives_each_net_what_it_gets_alone(name):
    nets = [make(seed, **OPTIONS[name]) for seed in range(3)]
    stack = make(**OPTIONS[name])
    stack.params = {key: np.stack([net.params[key] for net in nets]) for key in stack.params}
    batches = [batch(seed) for seed in range(3)]
    X, y = (np.stack(arrays) for arrays in zip(*batches, strict=True))
    losses, grads = stack.loss(X, y)
    scores = stack.loss(X)
    for m, (net, (X1, y1)) in enumerate(zip(nets, batches, strict=True)):
        loss, alone = net.loss(X1, y1)
        np.testing.assert_allclose(losses[m], loss, rtol=1e-14)
        np.testing.assert_allclose(scores[m], net.loss(X1), rtol=1e-13)
        for key, gradient in alone.items():
            np.testing.assert_allclose(grads[key][m], gradient, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("seen", [0, 1])
def test_gradients_of_the_population_s_norm_from_the_first_batch_on(seen):
    net = make(**OPTIONS["population"])
    for _ in range(seen):
        net.loss(*batch(7))
    assert check_net(net, *batch()).ok


@pytest.mark.parametrize("name", OPTIONS)
def test_float32_stays_float32(name):
    net = make(**OPTIONS[name], dtype=np.float32)
    net.params = {key: value.astype(np.float32) for key, value in net.params.items()}
    X, y = batch()
    _, grads = net.loss(X, y)
    assert {array.dtype for array in (*grads.values(), net.loss(X))} == {np.dtype(np.float32)}


@pytest.mark.parametrize("residual", ["pre-norm", "post-norm"])
def test_a_block_whose_branch_is_zero_is_the_identity(residual):
    """Without a norm, a net whose branches are 0 computes what its first layer alone does."""
    deep, shallow = make(residual=residual, depth=4), make(depth=1)
    for layer in (2, 3, 4):
        deep.params[f"W{layer}"][:] = deep.params[f"b{layer}"][:] = 0
    for ours, theirs in (("W1", "W1"), ("b1", "b1"), ("W5", "W2"), ("b5", "b2")):
        deep.params[ours] = shallow.params[theirs]
    X, _ = batch()
    np.testing.assert_array_equal(deep.loss(X), shallow.loss(X))


def test_pre_norm_leaves_the_sum_alone_and_post_norm_normalizes_it():
    """A first layer a thousand times larger: post-norm sees it once, pre-norm in every sum."""
    X, _ = batch()
    changes = {}
    for residual in ("pre-norm", "post-norm"):
        net = make(residual=residual, normalization="layernorm", eps=0.0)
        net.params = {
            key: np.zeros_like(v) if key[0] == "b" else v for key, v in net.params.items()
        }
        before = net.loss(X)
        net.params["W1"] = 1000 * net.params["W1"]
        changes[residual] = np.abs(net.loss(X) - before).max()
    assert changes["post-norm"] < 1e-12  # the first norm takes the factor out
    assert changes["pre-norm"] > 0.01  # the branches are a thousand times smaller beside the sum


def test_fixup_begins_with_blocks_that_are_the_identity_and_learns():
    net = make(residual="pre-norm", start="fixup", activation="relu", moved=False, depth=4)
    assert all(not net.params[f"W{layer}"].any() for layer in (2, 3, 4, 5))
    X, y = batch()
    assert not net.loss(X).any()
    for _ in range(3):
        _, grads = net.loss(X, y)
        net.params = {name: value - 0.1 * grads[name] for name, value in net.params.items()}
    assert all(net.params[f"W{layer}"].any() for layer in (2, 3, 4, 5))


@pytest.mark.parametrize("start", starts.BY_NAME)
def test_a_start_only_scales_the_assignment_s_draws(start):
    residual = "pre-norm" if starts.BY_NAME[start].of_residual_nets else None
    options = {"weight_scale": 1.0, "dtype": np.float64}
    plain = FullyConnectedNet([50, 50], 40, 10, rng=generator(3), **options)
    rng = generator(3)
    net = FullyConnectedNet([50, 50], 40, 10, rng=rng, start=start, residual=residual, **options)
    for layer, std in enumerate(starts.stds(start, (40, 50, 50, 10), 1.0), start=1):
        np.testing.assert_array_equal(net.params[f"W{layer}"], std * plain.params[f"W{layer}"])
    alike = generator(3)
    alike.randn(40 * 50 + 50 * 50 + 50 * 10)
    assert rng.randn() == alike.randn()


def test_he_s_start_keeps_the_mean_square_through_relu_and_the_fan_in_start_through_sums():
    rng = generator(4)
    h = rng.randn(2000, 400)
    for start, activation, kept in (("he", "relu", 1.0), ("fan-in", "relu", 0.5)):
        net = FullyConnectedNet(
            [400], 400, 10, start=start, activation=activation, rng=generator(5)
        )
        out = np.maximum(0, h @ net.params["W1"].astype(np.float64))
        # half of the sums' variance passes ReLU; 160,000 weights are known to 0.2 %
        assert (out**2).mean() == pytest.approx(kept, rel=0.02)
    net = FullyConnectedNet([300], 100, 10, start="glorot", rng=generator(6))
    assert net.params["W1"].std() == pytest.approx(np.sqrt(2 / 400), rel=0.02)


def test_noise_is_for_training_only_and_comes_from_the_nets_generator_in_order():
    rng, alike = generator(7), generator(7)
    options = {"normalization": "layernorm", "norm_noise": 0.5, "dropout": 0.75}
    net = FullyConnectedNet([8, 8], D, C, rng=rng, **options)
    X, y = batch()
    before = rng.get_state()[2]
    np.testing.assert_array_equal(net.loss(X), net.loss(X))
    assert rng.get_state()[2] == before  # test mode draws nothing
    net.loss(X, y)
    for fan_in, fan_out in ((D, 8), (8, 8), (8, C)):
        alike.randn(fan_in, fan_out)
    for _ in range(2):  # each layer's noise, then its mask
        alike.randn(len(X), 8)
        alike.rand(len(X), 8)
    assert rng.randn() == alike.randn()


def test_noise_has_the_standard_deviation_it_was_given():
    """With gamma 0 and beta 0, what leaves the norm is the noise."""
    net = FullyConnectedNet(
        [400], D, 2, normalization="layernorm", norm_noise=0.25, rng=generator(8), dtype=np.float64
    )
    net.params["gamma1"][:] = 0
    net.params["W2"] = np.ones((400, 2)) * [1.0, 0.0]
    X = generator(9).randn(500, D)
    _, caches = net._forward(X)
    noise = caches[0][2]  # ReLU's cache is what went into it
    assert noise.std() == pytest.approx(0.25, rel=0.01)
    assert abs(noise.mean()) < 0.25 * 5 / np.sqrt(noise.size)


def test_the_assignment_s_dictionaries_say_only_what_is_unusual():
    net = make(normalization="batchnorm", eps=1e-3, norm_momentum=0.5, ghost_batch=2)
    unusual = {"mode": "train", "eps": 1e-3, "momentum": 0.5, "ghost_batch": 2}
    assert net.bn_params == [unusual] * 3
    assert make(normalization="batchnorm").bn_params == [{"mode": "train"}] * 3


def test_momentum_says_how_much_of_the_running_statistics_is_kept():
    net = make(normalization="batchnorm", norm_momentum=0.0)
    X, y = batch()
    net.loss(X, y)
    z = X @ net.params["W1"] + net.params["b1"]
    np.testing.assert_allclose(net.bn_params[0]["running_mean"], z.mean(0), rtol=1e-12)
    np.testing.assert_allclose(net.bn_params[0]["running_var"], z.var(0), rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"activation": "gelu"}, "activation='gelu' is not one of 'relu'"),
        ({"start": "fixup"}, "for residual nets"),
        ({"residual": "sideways"}, "residual='sideways'"),
        ({"norm_noise": 0.1}, "comes after a norm"),
        ({"normalization": "batchnorm", "norm_momentum": 1.5}, "not from 0 to 1"),
        ({"normalization": "batchnorm", "eps": -1.0}, "eps=-1.0"),
        ({"normalization": "layernorm", "ghost_batch": 2}, "goes with normalization='batchnorm'"),
        (
            {"normalization": "dyt", "statistics": "population"},
            "goes with normalization='batchnorm'",
        ),
        (
            {"normalization": "batchnorm", "ghost_batch": 2, "statistics": "population"},
            "nobody's batch",
        ),
    ],
)
def test_impossible_options_are_refused(options, sentence):
    with pytest.raises(OptionError, match=sentence):
        make(**options)


def test_residual_layers_must_be_alike_and_ghosts_must_divide_the_batch():
    with pytest.raises(OptionError, match="as wide"):
        FullyConnectedNet([8, 6], D, C, residual="pre-norm")
    net = make(normalization="batchnorm", ghost_batch=4)
    with pytest.raises(ShapeError, match="multiple of 4"):
        net.loss(*batch())


def test_every_norm_can_stand_in_a_residual_block():
    X, y = batch()
    for name, norm in norms.BY_NAME.items():
        groups = {"num_groups": 2} if "num_groups" in norm.options else {}
        loss, _ = make(normalization=name, residual="post-norm", **groups).loss(X, y)
        assert np.isfinite(loss)
