"""Whole nets: gradients with every parameter away from its initial value, wiring, stacks, refusals."""

import numpy as np
import pytest

from normlab.errors import OptionError, ShapeError
from normlab.layers import norms
from normlab.nets import FullyConnectedNet, TwoLayerNet
from normlab.nets.regularization import l2_loss
from normlab.randomness import generator

NORMALIZATIONS = [None, *norms.BY_NAME]
N, D, C = 6, 7, 5
HIDDEN = [8, 6]


def make(normalization=None, seed=0, dtype=np.float64, dropout_seed=None, **options):
    if normalization == "groupnorm":
        options["num_groups"] = 2
    options = {"weight_scale": 0.3} | options
    net = FullyConnectedNet(
        HIDDEN,
        D,
        C,
        normalization=normalization,
        dtype=dtype,
        seed=dropout_seed,
        rng=generator(seed),
        **options,
    )
    rng = generator(
        seed + 100
    )  # gamma, beta and b at random: at 1, 0 and 0 a check is blind to most mistakes
    for name, value in net.params.items():
        if not name.startswith("W"):
            net.params[name] = (value + 0.5 * rng.randn(*value.shape)).astype(dtype)
    return net


def batch(seed=1):
    rng = generator(seed)
    return rng.randn(N, D), rng.randint(C, size=N)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("reg", [0.0, 3.14])
@pytest.mark.parametrize("dropout", [1, 0.75])
def test_gradients_of_every_parameter(normalization, reg, dropout):
    net = make(normalization, reg=reg, dropout=dropout, dropout_seed=123)
    X, y = batch()
    _, grads = net.loss(X, y)
    assert set(grads) == set(net.params)
    rng = generator(2)
    for name, value in net.params.items():
        direction = rng.randn(*value.shape)
        losses = []
        for h in (1e-6, -1e-6):
            net.params[name] = value + h * direction
            losses.append(net.loss(X, y)[0])
        net.params[name] = value
        numeric = (losses[0] - losses[1]) / 2e-6
        analytic = (grads[name] * direction).sum()
        assert abs(numeric - analytic) < 1e-7 * max(1, abs(losses[0]), np.abs(grads[name]).sum()), (
            name
        )


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_a_stack_of_nets_gives_each_net_what_it_gets_alone(normalization):
    nets = [make(normalization, seed=seed, reg=0.1) for seed in range(3)]
    batches = [batch(seed) for seed in range(3)]
    stack = make(normalization, reg=0.1)
    stack.params = {name: np.stack([net.params[name] for net in nets]) for name in stack.params}
    X, y = (np.stack(arrays) for arrays in zip(*batches, strict=True))
    losses, grads = stack.loss(X, y)
    scores = stack.loss(X)
    for m, (net, (X1, y1)) in enumerate(zip(nets, batches, strict=True)):
        loss, grads1 = net.loss(X1, y1)
        np.testing.assert_allclose(losses[m], loss, rtol=1e-14)
        np.testing.assert_allclose(scores[m], net.loss(X1), rtol=1e-13)
        for name, gradient in grads1.items():
            np.testing.assert_allclose(grads[name][m], gradient, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_an_example_s_scores_do_not_depend_on_its_company(normalization):
    net = make(normalization)
    X, y = batch()
    net.loss(X, y)
    np.testing.assert_allclose(net.loss(X)[:2], net.loss(X[:2]), rtol=1e-12)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_parameters_and_their_types(normalization):
    net = make(normalization, dtype=np.float32)
    own = norms.BY_NAME[normalization].parameter_names if normalization else ()
    expected = {f"{kind}{layer}" for layer in (1, 2, 3) for kind in "Wb"}
    expected |= {
        f"{name}{layer}" for layer in (1, 2) for name in own
    }  # the scores are never normalized
    assert set(net.params) == expected
    X, y = batch()
    _, grads = net.loss(X, y)
    assert {array.dtype for array in (*net.params.values(), *grads.values(), net.loss(X))} == {
        np.dtype(np.float32)
    }
    for name, gradient in grads.items():
        assert gradient.shape == net.params[name].shape


def test_regularization_touches_weights_only():
    X, y = batch()
    plain, strong = make("batchnorm"), make("batchnorm", reg=2.0)
    (loss, grads), (strong_loss, strong_grads) = plain.loss(X, y), strong.loss(X, y)
    weights = [value for name, value in plain.params.items() if name.startswith("W")]
    assert strong_loss - loss == pytest.approx(sum((W**2).sum() for W in weights))
    for name in grads:
        added = 2.0 * plain.params[name] if name.startswith("W") else 0
        np.testing.assert_allclose(strong_grads[name], grads[name] + added, rtol=1e-12)


def test_without_regularization_weights_whose_squares_overflow_cost_nothing():
    with np.errstate(all="raise"):
        assert l2_loss({"W1": np.full((2, 2), 1e200)}, 0.0) == 0


def test_the_assignment_s_defaults():
    for net, hidden_dim, weight_scale in (
        (FullyConnectedNet([20], rng=generator(0)), 20, 1e-2),
        (TwoLayerNet(rng=generator(0)), 100, 1e-3),
    ):
        shapes = {name: value.shape for name, value in net.params.items()}
        assert shapes == {
            "W1": (3072, hidden_dim),
            "b1": (hidden_dim,),
            "W2": (hidden_dim, 10),
            "b2": (10,),
        }
        # of n normal draws, the standard deviation is known to 1 in sqrt(2n): here to 0.3 % or
        # better
        assert np.std(net.params["W1"]) == pytest.approx(weight_scale, rel=0.03)
        assert net.reg == 0


def test_weights_are_drawn_in_the_assignment_s_order():
    rng = np.random.RandomState(5)
    W1, W2, W3 = rng.randn(D, 8), rng.randn(8, 6), rng.randn(6, C)
    np.random.seed(5)
    from_global = FullyConnectedNet(HIDDEN, D, C, weight_scale=2e-2, dtype=np.float64)
    own = FullyConnectedNet(HIDDEN, D, C, weight_scale=2e-2, dtype=np.float64, rng=generator(5))
    for net in (from_global, own):
        for name, W in (("W1", W1), ("W2", W2), ("W3", W3)):
            np.testing.assert_array_equal(net.params[name], 2e-2 * W)
    np.random.seed(5)
    two = TwoLayerNet(D, 8, C, weight_scale=1.0)
    np.testing.assert_array_equal(two.params["W1"], W1)


def test_the_two_layer_net_is_the_general_net_with_one_hidden_layer():
    two = TwoLayerNet(D, 8, C, weight_scale=0.3, reg=0.7, rng=generator(6))
    general = FullyConnectedNet([8], D, C, reg=0.7, dtype=np.float64)
    general.params = two.params
    X, y = batch()
    np.testing.assert_array_equal(two.loss(X), general.loss(X))
    (loss, grads), (general_loss, general_grads) = two.loss(X, y), general.loss(X, y)
    assert loss == general_loss
    for name in grads:
        np.testing.assert_array_equal(grads[name], general_grads[name])


def test_dropout_is_for_training_only_and_a_seed_repeats_it():
    net = make(dropout=0.5, seed=9)
    X, y = batch()
    assert net.loss(X, y)[0] != net.loss(X, y)[0]
    np.testing.assert_array_equal(net.loss(X), net.loss(X))
    seeded = FullyConnectedNet(HIDDEN, D, C, dropout=0.5, seed=3)
    assert seeded.loss(X, y)[0] == seeded.loss(X, y)[0]


def test_a_seeded_net_drops_with_the_probability_it_was_given():
    X, y = batch()
    net = FullyConnectedNet(
        [8], D, C, dropout=0.5, seed=3, weight_scale=0.3, dtype=np.float64, rng=generator(4)
    )
    W1, W2 = net.params["W1"], net.params["W2"]
    mask = (np.random.RandomState(3).rand(N, 8) < 0.5) / 0.5
    scores = np.maximum(0, X @ W1) * mask @ W2  # the biases start at 0
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    assert net.loss(X, y)[0] == pytest.approx(-log_p[np.arange(N), y].mean(), rel=1e-12)


def test_a_net_without_dropout_draws_nothing_but_its_weights():
    X, y = batch()
    rng, alike = generator(5), generator(5)
    net = FullyConnectedNet([8], D, C, rng=rng)
    for fan_in, fan_out in ((D, 8), (8, C)):
        alike.randn(fan_in, fan_out)
    net.loss(X, y)
    assert rng.randn() == alike.randn()


def test_settings_as_the_assignment_s_nets_begin_with():
    """Notebooks look into these dictionaries, and hand them to the layers themselves."""
    assert FullyConnectedNet([8], D, C, dropout=0.5, seed=3).dropout_param == {
        "mode": "train",
        "p": 0.5,
        "seed": 3,
    }
    rng = generator(0)
    assert FullyConnectedNet([8], D, C, dropout=0.5, rng=rng).dropout_param == {
        "mode": "train",
        "p": 0.5,
        "rng": rng,
    }
    assert make().bn_params == []
    assert make("batchnorm").bn_params == [{"mode": "train"}] * 2
    assert make("groupnorm").bn_params == [{"mode": "train", "num_groups": 2}] * 2


def test_each_layer_s_running_statistics_lie_at_its_own_place():
    net = make("batchnorm")
    net.loss(*batch())
    assert [param["running_mean"].shape for param in net.bn_params] == [(8,), (6,)]


@pytest.mark.parametrize("normalization", [n.name for n in norms.BY_NAME.values() if n.over])
def test_a_norm_begins_without_an_effect_of_its_own(normalization):
    """gamma is 1 and beta 0: what comes out of the norm has mean square 1 and, where it is centred, mean 0."""
    num_groups = 2 if normalization == "groupnorm" else None
    net = FullyConnectedNet(
        [8], D, C, normalization=normalization, num_groups=num_groups, dtype=np.float64
    )
    parameters = [net.params[f"{name}1"] for name in net.norm.parameter_names]
    out, _ = net.norm.forward(1 + generator(1).randn(N, 8), *parameters, net.bn_params[0])
    axis = 0 if normalization == "batchnorm" else 1
    np.testing.assert_allclose(
        (out**2).mean(axis=axis), 1, rtol=1e-3
    )  # eps is 1e-5, and no variance below 0.02
    assert not net.norm.centred or np.abs(out.mean(axis=axis)).max() < 1e-14


def test_images_are_flattened():
    net = FullyConnectedNet([4], input_dim=12)
    X = generator(0).randn(3, 3, 2, 2)
    np.testing.assert_array_equal(net.loss(X), net.loss(X.reshape(3, 12)))


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: FullyConnectedNet([5], normalization="layer_norm"), "did you mean 'layernorm'"),
        (lambda: FullyConnectedNet([5], dropout=0), "dropout=1 means no dropout"),
        (lambda: FullyConnectedNet([5, 0]), "without units"),
        (lambda: FullyConnectedNet([5], reg=-1.0), "reg=-1.0"),
        (lambda: FullyConnectedNet([10, 15], normalization="groupnorm"), r"possible are \[1, 5\]"),
        (lambda: FullyConnectedNet([10], normalization="layernorm", num_groups=2), "goes with"),
    ],
)
def test_impossible_nets_are_refused(build, sentence):
    with pytest.raises(OptionError, match=sentence):
        build()


def test_data_of_another_size_is_refused():
    net = FullyConnectedNet([5], input_dim=64)
    with pytest.raises(ShapeError) as caught:
        net.loss(np.zeros((2, 3, 32, 32)))
    assert str(caught.value) == (
        "the net takes 64 values an example, and X of shape (2, 3, 32, 32) has 3072; build the "
        "net with input_dim=3072, or give it the data it was built for"
    )
    stack = make()
    stack.params = {name: np.stack([value, value]) for name, value in stack.params.items()}
    with pytest.raises(
        ShapeError,
        match=r"takes 7 values an example, and X of shape \(2, 6, 9\) has 9; .*input_dim=9,",
    ):
        stack.loss(np.zeros((2, N, 9)))
    with pytest.raises(ShapeError, match=r"X of shape \(\) has 1;"):
        net.loss(np.array(3.0))
