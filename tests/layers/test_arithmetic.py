"""What the arithmetic is made of: float64 whatever the input's type, no floating-point alarms, scales kept apart."""

import warnings

import numpy as np
import pytest

from normlab import layers
from normlab.errors import NonFiniteWarning
from tests.layers.norms import NORMS, draw

RNG = np.random.RandomState


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_small_type_s_results_are_float64_s_rounded_once(name, dtype):
    norm = NORMS[name]
    x, gamma, beta, dout = draw(norm, RNG(0), dtype)
    out, cache = norm.forward(x, gamma, beta, 1e-5)
    small = (out, *norm.backward(dout, cache))
    out, cache = norm.forward(*(array.astype(np.float64) for array in (x, gamma, beta)), 1e-5)
    large = (out, *norm.backward(dout.astype(np.float64), cache))
    for ours, exact in zip(small, large, strict=True):
        assert ours is None or (ours.dtype == dtype and (ours == exact.astype(dtype)).all())


@pytest.mark.parametrize("backward", [layers.batchnorm_backward, layers.batchnorm_backward_alt])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_so_are_batch_norm_s_in_test_mode(backward, dtype):
    x, gamma, beta, dout = draw(NORMS["batchnorm"], RNG(1), dtype)
    bn_param = {
        "mode": "test",
        "running_mean": RNG(2).randn(4),
        "running_var": RNG(3).uniform(0.5, 2, 4),
    }
    out, cache = layers.batchnorm_forward(x, gamma, beta, bn_param)
    small = (out, *backward(dout, cache))
    out, cache = layers.batchnorm_forward(
        *(array.astype(np.float64) for array in (x, gamma, beta)), bn_param
    )
    large = (out, *backward(dout.astype(np.float64), cache))
    for ours, exact in zip(small, large, strict=True):
        assert ours.dtype == dtype
        assert (ours == exact.astype(dtype)).all()


@pytest.mark.parametrize("loss", [layers.softmax_loss, layers.nll_loss, layers.svm_loss])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_so_are_the_losses(loss, dtype):
    x, y = RNG(4).randn(6, 5).astype(dtype), RNG(5).randint(5, size=6)
    value, dx = loss(x, y)
    exact_value, exact_dx = loss(x.astype(np.float64), y)
    assert value == exact_value
    assert dx.dtype == dtype
    assert (dx == exact_dx.astype(dtype)).all()


@pytest.mark.parametrize("name", NORMS)
def test_each_group_has_its_own_scale(name):
    """Neighbours 300 orders of magnitude away leave no trace: each group's bits are those of its unscaled values."""
    norm = NORMS[name]
    x, gamma, beta, _ = draw(norm, RNG(6))
    expected, _ = norm.forward(x, gamma, beta, 0.0)
    scaled = x.copy()
    for number, group in enumerate(norm.groups(x.shape)):
        for index in group:
            scaled[index] *= 2.0 ** (500 - 1000 * (number % 2))
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", NonFiniteWarning
        )  # a variance of 2**1000 squared cannot be a running one
        assert (norm.forward(scaled, gamma, beta, 0.0)[0] == expected).all()


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("case", ["huge", "tiny", "constant", "nan", "infinite"])
def test_no_flag_is_raised_that_the_layer_has_an_answer_to(name, case):
    """Even for a user who wants every floating-point flag as an error, all of them belong to the layer's method."""
    norm = NORMS[name]
    x, gamma, beta, _ = draw(norm, RNG(7))
    x = {
        "huge": x * 1e300,
        "tiny": x * 1e-300,
        "constant": np.full_like(x, 1e300),
        "nan": np.where(x == x.max(), np.nan, x),
        "infinite": np.where(x == x.max(), np.inf, x),
    }[case]
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("ignore", NonFiniteWarning)
        norm.forward(x, gamma, beta, 0.0)


@pytest.mark.parametrize("scores", [[1e4, 0.0], [np.inf, 0.0], [np.nan, 0.0], [-np.inf, -np.inf]])
def test_softmax_answers_scores_that_ran_away_without_an_alarm(scores):
    with np.errstate(all="raise"):
        loss, _ = layers.softmax_loss(np.array([scores]), np.array([1]))
    assert loss == 1e4 if np.isfinite(scores).all() else np.isnan(loss)


def test_running_statistics_are_kept_where_the_mean_is_finite_and_the_variance_is_not():
    x = np.array([[1e200], [-1e200], [1e200]])  # whose variance, 1e400, is out of range
    for momentum in (
        0.9,
        1.0,
    ):  # with 1.0 the new value's weight is 0, and 0 times infinity must not show
        bn_param = {
            "mode": "train",
            "momentum": momentum,
            "running_mean": np.ones(1),
            "running_var": np.full(1, 2.0),
        }
        with np.errstate(all="raise"), pytest.warns(NonFiniteWarning, match="1 of 1 features"):
            layers.batchnorm_forward(x, np.ones(1), np.zeros(1), bn_param)
        assert (bn_param["running_mean"], bn_param["running_var"]) == (1.0, 2.0)


def test_the_warning_points_at_the_caller():
    x = np.array([[np.nan], [0.0]])
    with pytest.warns(NonFiniteWarning) as caught:
        layers.batchnorm_forward(x, np.ones(1), np.zeros(1), {"mode": "train"})
    assert caught[0].filename == __file__


def test_momentum_reaches_from_nothing_to_everything():
    x = RNG(8).randn(5, 3)
    old = {"running_mean": np.array([1.0, 2.0, 3.0]), "running_var": np.array([4.0, 5.0, 6.0])}
    nothing = {"mode": "train", "momentum": 0} | old
    layers.batchnorm_forward(x, np.ones(3), np.zeros(3), nothing)
    np.testing.assert_allclose(nothing["running_mean"], x.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(nothing["running_var"], x.var(axis=0), rtol=1e-14)
    everything = {"mode": "train", "momentum": 1} | old
    layers.batchnorm_forward(x, np.ones(3), np.zeros(3), everything)
    for name, value in old.items():
        assert (everything[name] == value).all()
    with pytest.raises(ValueError, match=r"momentum=1\.5"):
        layers.batchnorm_forward(x, np.ones(3), np.zeros(3), {"mode": "train", "momentum": 1.5})


def test_running_statistics_come_back_as_float64_one_value_a_feature():
    x = RNG(9).randn(5, 3).astype(np.float32)
    for mode in ("train", "test"):
        bn_param = {
            "mode": mode,
            "running_mean": np.array([[0.1, 0.2, 0.3]], np.float32),
            "running_var": np.ones((1, 3), np.float32),
        }
        as_vectors = {"mode": mode} | {
            name: bn_param[name][0].astype(np.float64) for name in ("running_mean", "running_var")
        }
        ours, _ = layers.batchnorm_forward(x, np.ones(3), np.zeros(3), bn_param)
        expected, _ = layers.batchnorm_forward(x, np.ones(3), np.zeros(3), as_vectors)
        assert (ours == expected).all()
        if mode == "train":
            assert (bn_param["running_mean"].dtype, bn_param["running_mean"].shape) == (
                np.float64,
                (3,),
            )
            assert (bn_param["running_mean"] == as_vectors["running_mean"]).all()


class Equidistributed:
    """A generator whose draws are the multiples of 1/8 below 1, in order: no share is left to chance."""

    def rand(self, *shape):
        return (np.arange(np.prod(shape)) % 8 / 8).reshape(shape)


@pytest.mark.parametrize("p", [0.125, 0.5, 0.75, 1.0])
def test_dropout_keeps_exactly_the_share_p_of_equidistributed_draws(p):
    dropout_param = {"mode": "train", "p": p, "rng": Equidistributed()}
    x = np.ones((4, 8), np.float32)
    out, cache = layers.dropout_forward(x, dropout_param)
    assert (out != 0).mean() == p
    assert out.mean() == pytest.approx(1)  # what is kept makes up for what is not
    assert out.dtype == cache.mask.dtype == np.float32
    assert layers.dropout_backward(x, cache).dtype == np.float32


def test_dropout_without_p_drops_nothing_and_p_above_one_is_refused():
    x = RNG(10).randn(4, 8)
    assert (layers.dropout_forward(x, {"mode": "train"})[0] == x).all()
    with pytest.raises(ValueError, match=r"p=1\.5"):
        layers.dropout_forward(x, {"mode": "train", "p": 1.5})


@pytest.mark.parametrize("mode", ["train", "test"])
def test_dropout_s_cache_is_the_assignment_s_pair(mode):
    given = {"mode": mode, "p": 0.5}
    dropout_param, mask = layers.dropout_forward(np.ones((2, 2)), given)[1]
    assert dropout_param is given
    assert (mask is None) == (mode == "test")


def test_examples_of_one_number_need_no_axis_of_their_own():
    x, w, b = RNG(11).randn(5), RNG(12).randn(1, 3), RNG(13).randn(3)
    out, cache = layers.affine_forward(x, w, b)
    as_column, column_cache = layers.affine_forward(x[:, None], w, b)
    assert (out == as_column).all()
    dx, dw, _ = layers.affine_backward(out, cache)
    dx_column, dw_column, _ = layers.affine_backward(out, column_cache)
    assert (dx == dx_column[:, 0]).all()
    assert (dw == dw_column).all()
