"""normlab's own gradient check: right code passes, wrong code is found and located, pitfalls are named."""

import dataclasses
import re
from functools import partial

import numpy as np
import pytest

import normlab
from normlab import layers
from normlab.errors import MissingKeyError, OptionError, ShapeError, UserError
from normlab.gradcheck import check_gradient, check_layer, check_net
from normlab.layers.norms import BY_NAME
from normlab.nets import FullyConnectedNet, TwoLayerNet


def norm_inputs(N=4, D=5, dtype=np.float64):
    rng = np.random.default_rng(231)
    inputs = {
        "x": 5 * rng.standard_normal((N, D)) + 12,
        "gamma": rng.standard_normal(D),
        "beta": rng.standard_normal(D),
    }
    return {name: array.astype(dtype) for name, array in inputs.items()}


def bn_forward(x, gamma, beta):
    return layers.batchnorm_forward(x, gamma, beta, {"mode": "train"})


def plain_bn(x, gamma, beta):
    """Batch norm written out, which keeps what the wrong backwards below need."""
    centred = x - x.mean(axis=0)
    s = 1 / np.sqrt((centred**2).mean(axis=0) + 1e-5)
    xhat = centred * s
    return gamma * xhat + beta, (xhat, s, gamma)


def bn_backward(
    mean_path=1.0, variance_path=1.0, power=1.0, factor=1.0, at_eps=0.0, use_gamma=True
):
    """A batch-norm backward with its terms weighted: all ones is right."""

    def backward(dout, cache):
        xhat, s, gamma = cache
        dxhat = dout * gamma if use_gamma else dout
        paths = mean_path * dxhat.mean(axis=0) + variance_path * xhat * (dxhat * xhat).mean(axis=0)
        return (
            factor * (dxhat - paths) * s**power * (1 + at_eps * s**2),
            (dout * xhat).sum(axis=0),
            dout.sum(axis=0),
        )

    return backward


WRONG = {
    "path through the mean missing": {"mean_path": 0.0},
    "path through the variance missing": {"variance_path": 0.0},
    "both missing": {"mean_path": 0.0, "variance_path": 0.0},
    "factor 2 lost": {"variance_path": 0.5},
    "sign": {"variance_path": -1.0},
    "1/N forgotten": {"mean_path": 4.0},
    "variance for deviation": {"power": 2.0},
    "gamma forgotten": {"use_gamma": False},
    "all of it twice": {"factor": 2.0},
    "eps forgotten": {"at_eps": 0.5e-5},
}


def test_the_books_norms_pass():
    for N, D in ((4, 5), (100, 50)):
        assert check_layer(bn_forward, layers.batchnorm_backward, norm_inputs(N, D)).ok
        assert check_layer(bn_forward, layers.batchnorm_backward_alt, norm_inputs(N, D)).ok
        report = check_layer(
            partial(layers.layernorm_forward, ln_param={}),
            layers.layernorm_backward,
            norm_inputs(N, D),
        )
        assert [finding.verdict for finding in report.arguments] == ["right"] * 3


@pytest.mark.parametrize("mistake", WRONG)
def test_every_wrong_batch_norm_is_wrong_in_x_alone(mistake):
    assert check_layer(plain_bn, bn_backward(), norm_inputs()).ok
    report = check_layer(plain_bn, bn_backward(**WRONG[mistake]), norm_inputs())
    assert not report.ok
    assert [finding.verdict for finding in report.arguments] == ["wrong", "right", "right"]


def test_one_wrong_entry_is_located():
    def backward(dout, cache):
        dx, dgamma, dbeta = bn_backward()(dout, cache)
        dx[2, 3] *= 1 + 1e-6
        return dx, dgamma, dbeta

    finding = check_layer(plain_bn, backward, norm_inputs())["x"]
    assert (finding.verdict, finding.worst) == ("wrong", (2, 3))
    assert finding.analytic == pytest.approx(finding.numeric, rel=2e-6)
    assert finding.relative_error == pytest.approx(0.5e-6, rel=1e-2)
    assert "1 of the 20 coordinates are off" in finding.note


def test_a_common_factor_is_named():
    report = check_layer(plain_bn, bn_backward(factor=0.25), norm_inputs())
    assert "All 20 coordinates are off, each by the same factor 0.25." in str(report)


def test_a_saturated_relative_error_is_explained():
    x = np.arange(1.0, 4.0)
    finding = check_gradient(lambda x: (x**2).sum(), x, -2 * x)["x"]
    assert finding.relative_error == 1.0
    assert "each by the same factor -1" in finding.note
    assert "cannot say how far" in finding.note


def test_a_large_argument_is_looked_at_in_samples():
    report = check_layer(plain_bn, bn_backward(mean_path=0.0), norm_inputs(50, 40), coordinates=30)
    assert "30 coordinates looked at of 2000 are off" in report["x"].note


def test_an_error_in_no_single_coordinate_looked_at_is_still_an_error():
    x = np.random.default_rng(0).standard_normal(1000)
    gradient = 2 * x
    gradient[:3] = 0
    finding = check_gradient(lambda x: (x**2).sum(), x, gradient, coordinates=5)["x"]
    assert (finding.verdict, finding.worst) == ("wrong", None)
    assert "None of the 5 coordinates looked at of 1000" in finding.note


# ---------------------------------------------------------------- float32


def test_float32_inputs_are_checked_in_float64():
    report = check_layer(bn_forward, layers.batchnorm_backward, norm_inputs(dtype=np.float32))
    assert report.ok
    assert report["x"].direction_error < 1e-8
    assert "float64 copies of the float32 inputs" in report.method


def single(forward):
    """The forward pass in float32, whatever it is given."""
    return lambda *arrays: (lambda out, cache: (out.astype(np.float32), cache))(
        *forward(*map(np.float32, arrays))
    )


def test_a_layer_that_insists_on_float32_is_checked_with_larger_steps_and_says_so():
    assert check_layer(single(plain_bn), bn_backward(), norm_inputs(100, 5)).ok
    report = check_layer(single(plain_bn), bn_backward(factor=1.05), norm_inputs(100, 5))
    assert report["x"].verdict == "wrong"
    assert "float32 somewhere inside" in report.method


@pytest.mark.parametrize("outside", [np.float32, np.float64])
def test_a_float32_loss_is_known_even_when_it_is_a_python_float(outside):
    x = np.random.default_rng(1).standard_normal(20)
    report = check_gradient(lambda x: float(outside(np.float32(x) ** 3).sum()), x, 3 * x**2)
    assert report.ok, str(report)
    assert "stay hidden" in report.method


# ---------------------------------------------------------------- corners


def relu(x):
    return np.maximum(x, 0), x


@pytest.mark.parametrize("at_zero", [0.0, 1e-12, -1e-12])
@pytest.mark.parametrize("convention", [np.greater, np.greater_equal])
def test_a_corner_is_flagged_and_not_failed(at_zero, convention):
    x = np.random.default_rng(1).standard_normal((4, 5))
    x[1, 2] = x[3, 0] = at_zero
    finding = check_layer(relu, lambda dout, x: dout * convention(x, 0), {"x": x})["x"]
    assert finding.verdict == "corner"
    assert finding.ok
    assert "2 of 20 coordinates sit on a corner, for instance (1, 2)" in finding.note


def test_a_corner_excuses_nothing_else():
    x = np.random.default_rng(1).standard_normal((4, 5))
    x[1, 2] = 0
    report = check_layer(relu, lambda dout, _: dout, {"x": x})
    assert report["x"].verdict == "wrong"
    assert x[report["x"].worst] < 0


def test_nothing_but_corners_cannot_be_judged():
    report = check_layer(relu, lambda dout, x: dout * (x > 0), {"x": np.zeros(3)})
    assert report["x"].verdict == "unclear"
    assert not report.ok
    assert "add small random numbers" in str(report)
    assert "no mistake found, but x could not be judged" in str(report)


# ---------------------------------------------------------------- true zeros


def bias_before_norm(N=6):
    """y = batchnorm(x + b): the true gradient of b is 0, because the mean takes b away."""
    rng = np.random.default_rng(2)
    x, dout = rng.standard_normal((N, 3)), rng.standard_normal((N, 3))
    return lambda b: float((plain_bn(x + b, np.ones(3), np.zeros(3))[0] * dout).sum())


def test_a_true_zero_is_no_error():
    # rounding leaves some 1e-17 where the formula should give 0: a relative error of 1, and no
    # mistake
    finding = check_gradient(bias_before_norm(), np.zeros(3), np.array([1e-17, -3e-17, 2e-17]))["x"]
    assert finding.verdict == "zero"
    assert finding.ok
    assert "a relative error means nothing there" in finding.note


def test_a_gradient_where_there_is_none_is_wrong():
    assert (
        check_gradient(bias_before_norm(), np.zeros(3), np.array([0.0, 1e-6, 0.0]))["x"].verdict
        == "wrong"
    )


def test_no_gradient_where_there_is_one_is_wrong():
    finding = check_gradient(lambda x: (x**3).sum(), np.arange(1.0, 4.0), np.zeros(3))["x"]
    assert finding.verdict == "wrong"
    assert "All 3 coordinates are off: the formula gives 0." in finding.note


# ---------------------------------------------------------------- nets


@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm", "rmsnorm"])
def test_a_net_passes_in_every_parameter(normalization):
    np.random.seed(231)
    X, y = np.random.randn(4, 15), np.random.randint(10, size=4)
    net = FullyConnectedNet([8, 9], 15, normalization=normalization, reg=0.3, weight_scale=0.2)
    before = {name: value.copy() for name, value in net.params.items()}
    report = check_net(net, X, y)
    assert report.ok, str(report)
    assert [finding.name for finding in report.arguments] == list(net.params)
    assert all(np.array_equal(net.params[name], value) for name, value in before.items())
    assert (
        net.bn_params == [] or "running_mean" not in net.bn_params[0]
    )  # the copy was trained, not the net
    zeros = [finding.name for finding in report.arguments if finding.verdict == "zero"]
    assert zeros == (["b1", "b2"] if normalization == "batchnorm" else [])


def test_a_forgotten_gamma_shows_only_on_shaken_parameters():
    class ForgetsGamma(FullyConnectedNet):
        def loss(self, X, y=None):
            loss, grads = super().loss(X, y)
            return loss, grads | {"beta1": grads["beta1"] * self.params["gamma1"]}

    np.random.seed(0)
    net = ForgetsGamma([8], 15, normalization="layernorm", weight_scale=0.2)
    X, y = np.random.randn(4, 15), np.random.randint(10, size=4)
    assert check_net(net, X, y, shake=False).ok
    report = check_net(net, X, y)
    assert [finding.name for finding in report.arguments if not finding.ok] == ["beta1"]
    assert "Made random first, being all alike: b1, gamma1, beta1, b2." in report.method


@pytest.mark.parametrize("seed", [None, 123])
def test_dropout_draws_the_same_units_at_every_call_and_leaves_the_generator_alone(seed):
    np.random.seed(1)
    net = FullyConnectedNet([20], 15, dropout=0.6, seed=seed, weight_scale=0.2)
    X, y = np.random.randn(4, 15), np.random.randint(10, size=4)
    state = np.random.get_state()[1].tolist()
    assert check_net(net, X, y).ok
    x = {"x": np.random.default_rng(0).standard_normal((4, 5))}
    drop = partial(layers.dropout_forward, dropout_param={"p": 0.5, "mode": "train"})
    assert check_layer(drop, layers.dropout_backward, x).ok
    assert np.random.get_state()[1].tolist() == state


def test_a_net_without_regularization_in_its_gradient():
    class Forgets(TwoLayerNet):
        def loss(self, X, y=None):
            loss, grads = super().loss(X, y)
            return loss, grads | {"W2": grads["W2"] - self.reg * self.params["W2"]}

    np.random.seed(0)
    net = Forgets(15, 8, 10, weight_scale=0.2, reg=0.7)
    report = check_net(net, np.random.randn(4, 15), np.arange(4))
    assert [finding.name for finding in report.arguments if not finding.ok] == ["W2"]


# ---------------------------------------------------------------- what cannot be compared


@pytest.mark.parametrize(
    ("gradient", "sentence"),
    [
        (np.ones((1, 3)), r"The gradient has shape \(1, 3\); the argument has shape \(3,\)"),
        (np.array([1.0, np.nan, np.inf]), "2 entries of the gradient are NaN or infinite"),
        (np.arange(3), "The gradient is an array of int64"),
    ],
)
def test_a_gradient_that_cannot_be_compared_is_wrong_and_says_why(gradient, sentence):
    report = check_gradient(lambda x: x.sum(), np.ones(3), gradient)
    assert not report.ok
    assert re.search(sentence, str(report))


def test_a_missing_gradient():
    report = check_gradient(
        lambda a, b: (a * b).sum(), {"a": np.ones(2), "b": np.ones(2)}, {"a": np.ones(2)}
    )
    assert report["a"].ok
    assert "There is no gradient of this name." in str(report["b"])


def test_a_function_with_its_own_chance_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(OptionError, match="give dropout a seed"):
        check_gradient(lambda x: x.sum() + rng.standard_normal(), np.ones(3), np.ones(3))


@pytest.mark.parametrize(
    ("f", "x", "error", "sentence"),
    [
        (lambda x: x, np.ones(3), ShapeError, "check a layer with check_layer"),
        (lambda _: np.nan, np.ones(3), OptionError, "needs a finite value"),
        (lambda _: 0.0, np.array(["a"]), ShapeError, "needs an array of real numbers"),
        (lambda _: 0.0, np.zeros((0, 3)), ShapeError, r"shape \(0, 3\)"),
    ],
)
def test_what_no_check_can_work_on_is_refused(f, x, error, sentence):
    with pytest.raises(error, match=sentence):
        check_gradient(f, x, np.ones(3))


def test_a_backward_with_too_few_gradients_is_refused():
    with pytest.raises(ShapeError, match=r"2 gradients for 3 inputs \(x, gamma, beta\)"):
        check_layer(plain_bn, lambda dout, cache: bn_backward()(dout, cache)[:2], norm_inputs())


def test_no_draws_compare_nothing():
    with pytest.raises(OptionError, match="draws=0"):
        check_gradient(lambda x: x.sum(), np.ones(3), np.ones(3), draws=0)


def test_a_report_is_a_value():
    report = check_gradient(lambda x: x.sum(), np.ones(3), np.ones(3))
    assert report == check_gradient(lambda x: x.sum(), np.ones(3), np.ones(3))
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.method = ""
    with pytest.raises(MissingKeyError, match="no argument 'y'; it has 'x'"):
        report["y"]


def _sum_of(norm):
    """The sum of a norm's output in train mode, which is constant where the norm subtracts a mean."""

    def f(x):
        settings = {"mode": "train"} | ({"num_groups": 1} if "num_groups" in norm.options else {})
        parameters = [np.full(p.size(x.shape[-1]), p.start) for p in norm.parameters]
        return norm.forward(x, *parameters, settings)[0].sum()

    return f


TRULY_ZERO = {
    "the course's batch norm": lambda x: ((x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)).sum(),
    "in float32": lambda x: ((x := x.astype("f4")) - x.mean(0)).sum(),
    "far from zero": lambda x: ((x + 1e6) - (x + 1e6).mean(0)).sum(),
    "equal sums": lambda x: x.sum() - x[::-1].sum(),
    "a softmax": lambda x: (np.exp(x) / np.exp(x).sum(1, keepdims=True)).sum(),
    "a constant": lambda _: 3.0,
    **{name: _sum_of(norm) for name, norm in BY_NAME.items() if norm.over and norm.centred},
}


@pytest.mark.parametrize("which", TRULY_ZERO)
def test_a_gradient_that_is_truly_zero_is_zero_in_200_of_200_draws(which):
    verdicts = [
        normlab.check_gradient(
            TRULY_ZERO[which], np.random.RandomState(seed).randn(5, 4), np.zeros((5, 4)), seed=seed
        )["x"].verdict
        for seed in range(200)
    ]
    assert verdicts == ["zero"] * 200


@pytest.mark.parametrize("off", [1e-4, -1e-4, 1.0])
def test_beside_terms_that_cancel_a_wrong_gradient_is_still_wrong(off):
    def f(x):
        return TRULY_ZERO["the course's batch norm"](x) + 1e-3 * (x**3).sum()

    for seed in range(20):
        x = np.random.RandomState(seed).randn(5, 4)
        assert normlab.check_gradient(f, x, 3e-3 * x**2, seed=seed).ok
        assert not normlab.check_gradient(f, x, 3e-3 * x**2 * (1 + off), seed=seed).ok


@pytest.mark.parametrize("gradient", [np.zeros((2, 3), int), np.zeros(3), np.full((2, 3), np.nan)])
def test_what_was_not_measured_is_not_called_different(gradient):
    text = str(normlab.check_gradient(lambda x: x.sum(), np.ones((2, 3)), gradient))
    assert "differs" not in text
    assert "is no gradient that could be compared" in text


def _no_cache(x):
    return x


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: normlab.check_gradient(sum, [1.0, 2.0], np.ones(2)), "x is .* it needs an array"),
        (lambda: normlab.check_gradient(sum, None, None), "x is None"),
        (
            lambda: normlab.check_gradient(lambda _: "1", np.ones(2), np.ones(2)),
            "expected one real number",
        ),
        (
            lambda: normlab.check_layer(_no_cache, _no_cache, [np.ones(2)]),
            "expected a dictionary of arrays",
        ),
        (
            lambda: normlab.check_layer(_no_cache, _no_cache, np.ones(2)),
            "inputs is of type ndarray",
        ),
        (
            lambda: normlab.check_layer(_no_cache, _no_cache, {"x": np.ones(2)}),
            r"expected \(out, cache\)",
        ),
        (
            lambda: normlab.check_net(normlab.NetSpec((3,)), np.ones((2, 3)), [0, 1]),
            "net is of type NetSpec",
        ),
        (
            lambda: normlab.check_gradient(sum, np.ones(2), np.ones(2), draws=True),
            "draws=True is not a whole number",
        ),
    ],
)
def test_other_things_are_sentences(call, said):
    with pytest.raises(UserError, match=said):
        call()
