"""The norms without parameters: local response, Lp and mean-variance, each against its definition in fifty digits.

The definitions walk over every pair of entries: y by its formula, dx by the full Jacobian, summed
with mpmath.
"""

from collections.abc import Callable
from typing import NamedTuple

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normlab import layers
from normlab.errors import OptionError, ShapeError
from tests.layers.norms import error
from tests.layers.test_gradients import assert_gradients

# y carries one rounding to its type; float64 adds a few of 1.1e-16, and local response a power of
# the result
BOUNDS = {np.float32: (1e-7, 1e-6), np.float64: (1e-15, 1e-14)}


class Plain(NamedTuple):
    """forward(x) -> (out, cache), backward(dout, cache) -> dx, and exact(x, dout) -> (y, dx) in 50 digits."""

    forward: Callable
    backward: Callable
    exact: Callable
    shape: tuple[int, ...]
    scale_free: bool  # scaling x by a power of two leaves y's bits


def _numbers(x):
    return np.vectorize(lambda value: mpmath.mpf(float(value)), otypes=[object])(x)


def local_response(n, k, alpha, beta):
    def exact(x, dout):
        k_, alpha_, beta_ = (mpmath.mpf(value) for value in (k, alpha, beta))
        x, dout = _numbers(x), _numbers(dout)
        C = x.shape[1]
        y, dx = np.empty(x.shape, object), _numbers(np.zeros(x.shape))
        for at in np.ndindex(*x.shape):
            channels = range(max(0, at[1] - (n - 1) // 2), min(C, at[1] + n // 2 + 1))
            members = [(at[0], c, *at[2:]) for c in channels]
            D = k_ + alpha_ * sum(x[i] ** 2 for i in members)
            y[at] = x[at] * D**-beta_ if D else mpmath.mpf(0)
            for i in members if D else []:
                dx[i] -= dout[at] * 2 * alpha_ * beta_ * x[i] * x[at] * D ** (-beta_ - 1)
                dx[i] += dout[at] * D**-beta_ if i == at else 0
        return y, dx

    def forward(x):
        return layers.localresponse_forward(x, {"n": n, "k": k, "alpha": alpha, "beta": beta})

    return Plain(forward, layers.localresponse_backward, exact, (2, 7, 3), False)


def lp(p):
    def exact(x, dout):
        x, dout = _numbers(x), _numbers(dout)
        y, dx = np.empty(x.shape, object), np.empty(x.shape, object)
        for row in np.ndindex(*x.shape[:-1]):
            norm = sum(abs(value) ** p for value in x[row]) ** (mpmath.mpf(1) / p)
            y[row] = x[row] / norm
            for j, value in enumerate(x[row]):
                slope = mpmath.sign(value) * (abs(value) / norm) ** (p - 1)
                dx[(*row, j)] = (
                    sum(dout[row][i] * ((i == j) - y[row][i] * slope) for i in range(x.shape[-1]))
                    / norm
                )
        return y, dx

    return Plain(
        lambda x: layers.lpnorm_forward(x, {"p": p}), layers.lpnorm_backward, exact, (4, 6), True
    )


def mean_variance(axes, shape):
    def exact(x, dout):
        x, dout = _numbers(x), _numbers(dout)
        y, dx = np.empty(x.shape, object), np.empty(x.shape, object)
        kept = [axis for axis in range(x.ndim) if axis not in axes]
        slices = {}
        for at in np.ndindex(*x.shape):
            slices.setdefault(tuple(at[axis] for axis in kept), []).append(at)
        for members in slices.values():
            K = len(members)
            mean = sum(x[i] for i in members) / K
            std = mpmath.sqrt(sum((x[i] - mean) ** 2 for i in members) / K)
            for i in members:
                y[i] = (x[i] - mean) / std
            for j in members:
                dx[j] = sum(dout[i] * ((i == j) - (1 + y[i] * y[j]) / K) for i in members) / std
        return y, dx

    return Plain(
        lambda x: layers.meanvariance_forward(x, {"axes": axes}),
        layers.meanvariance_backward,
        exact,
        shape,
        True,
    )


LAYERS = {
    "local response, AlexNet's": local_response(5, 2.0, 1e-4, 0.75),
    "local response, no constant": local_response(3, 0.0, 1.0, 0.5),
    "local response, even window": local_response(4, 1.0, 0.25, 0.75),
    "L1": lp(1),
    "L2": lp(2),
    "L3": lp(3),
    "mean-variance, a channel": mean_variance((0, 2), (3, 2, 4)),
    "mean-variance, all": mean_variance((0, 1), (4, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(np.float32, scale) for scale in (1e-40, 1e-30, 1.0, 1e18, 1e37)]
    + [(np.float64, scale) for scale in (1e-300, 1e-160, 1.0, 1e160, 1e300)],
)
def test_error_against_fifty_digits(name, dtype, scale):
    layer = LAYERS[name]
    rng = np.random.RandomState(0)
    with np.errstate(under="ignore"):
        x = (rng.standard_normal(layer.shape) * scale).astype(dtype)
    dout = rng.standard_normal(layer.shape).astype(dtype)
    with mpmath.workdps(50):
        y, dx = layer.exact(x, dout)
    with np.errstate(
        over="ignore", under="ignore"
    ):  # dx may leave the type's range, when x is near its end
        out, cache = layer.forward(x)
        ours = layer.backward(dout, cache)
    compared = 0
    for mine, true, bound in zip((out, ours), (y, dx), BOUNDS[dtype], strict=True):
        # below the normal numbers of its type a value has no digits left to promise
        if np.finfo(dtype).tiny < max(map(abs, true.flat)) < np.finfo(dtype).max:
            assert mine.dtype == dtype
            assert error(mine, true) <= bound
            compared += 1
    assert compared >= 1 or scale in (1e-40, 1e-300, 1e300)


@pytest.mark.parametrize("mean", [1e4, 1e7])
def test_mean_variance_keeps_its_digits_far_from_zero(mean):
    layer = LAYERS["mean-variance, a channel"]
    rng = np.random.RandomState(1)
    x, dout = (
        (rng.standard_normal(layer.shape) + mean).astype(np.float32),
        rng.standard_normal(layer.shape),
    )
    with mpmath.workdps(50):
        y, dx = layer.exact(x, dout)
    out, cache = layer.forward(x)
    assert error(out, y) <= 1e-7
    assert error(layer.backward(dout, cache), dx) <= 1e-6


@given(name=st.sampled_from(sorted(LAYERS)), seed=st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_gradients(name, seed):
    layer, rng = LAYERS[name], np.random.RandomState(seed)
    x = rng.uniform(0.1, 2, layer.shape) * rng.choice(
        [-1, 1], layer.shape
    )  # away from the kink of |x| at 0
    assert_gradients(layer.forward, lambda dout, cache: [layer.backward(dout, cache)], (x,), rng)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layout_does_not_change_a_bit_and_inputs_stay_untouched(name, dtype):
    layer, rng = LAYERS[name], np.random.RandomState(2)
    x, dout = (rng.standard_normal(layer.shape).astype(dtype) for _ in range(2))
    before = x.copy(), dout.copy()
    out, cache = layer.forward(x)
    dx = layer.backward(dout, cache)
    assert (layer.backward(dout, cache) == dx).all()  # the cache is read, never spent
    assert (x == before[0]).all()
    assert (dout == before[1]).all()
    assert not np.shares_memory(out, x)
    assert not np.shares_memory(dx, dout)
    wide = np.zeros((2 * x.shape[0], *x.shape[1:]), dtype)
    wide[::2] = x
    for same in (np.asfortranarray(x), wide[::2], x[::-1].copy()[::-1]):
        ours, cache = layer.forward(same)
        assert (ours == out).all()
        assert (layer.backward(np.asfortranarray(dout), cache) == dx).all()


@pytest.mark.parametrize("name", [name for name in LAYERS if LAYERS[name].scale_free])
@pytest.mark.parametrize("power", [-60, 3, 40])
def test_scaling_by_a_power_of_two_gives_the_same_bits(name, power):
    layer = LAYERS[name]
    x = np.random.RandomState(3).standard_normal(layer.shape)
    assert (layer.forward(x * 2.0**power)[0] == layer.forward(x)[0]).all()


def test_the_order_of_an_example_s_features_does_not_change_a_bit():
    rng = np.random.RandomState(4)
    x, order = rng.standard_normal((5, 999)), rng.permutation(999)
    for p in (1, 2, 3):
        expected, permuted = (layers.lpnorm_forward(a, {"p": p})[0] for a in (x, x[:, order]))
        assert (expected[:, order] == permuted).all()
    axes = {"axes": (1,)}
    expected, permuted = (layers.meanvariance_forward(a, axes)[0] for a in (x, x[:, order]))
    assert (expected[:, order] == permuted).all()
    # a local response with an odd window does not know left from right
    assert (
        layers.localresponse_forward(x[:, ::-1], {})[0][:, ::-1]
        == layers.localresponse_forward(x, {})[0]
    ).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_own_slice_or_window(bad):
    rng = np.random.RandomState(5)
    x = rng.standard_normal((4, 9))
    poisoned = x.copy()
    poisoned[1, 4] = bad
    reach = {"local response": [(1, c) for c in range(2, 7)], "L2": [(1, c) for c in range(9)]}
    for name, forward in (
        ("local response", lambda x: layers.localresponse_forward(x, {})),
        ("L2", lambda x: layers.lpnorm_forward(x, {})),
    ):
        clean, out = forward(x)[0], forward(poisoned)[0]
        assert [tuple(index) for index in np.argwhere(np.isnan(out))] == reach[name]
        assert (out[~np.isnan(out)] == clean[~np.isnan(out)]).all()
    clean, out = (layers.meanvariance_forward(a, {})[0] for a in (x, poisoned))
    assert np.isnan(out[:, 4]).all()
    assert (np.delete(out, 4, axis=1) == np.delete(clean, 4, axis=1)).all()


def test_zeros_and_constants_give_exactly_zero():
    for layer in LAYERS.values():
        out, cache = layer.forward(np.zeros(layer.shape, np.float32))
        assert not out.any()
        assert np.isfinite(layer.backward(np.ones(layer.shape), cache)).all()
    for value in (0.1, -1 / 3, 1e10, 1e-40):
        assert not layers.meanvariance_forward(np.full((7, 3), value, np.float32), {})[0].any()


def test_mean_variance_norm_is_what_batch_norm_does_before_gamma_and_beta():
    rng = np.random.RandomState(6)
    x, dout = rng.standard_normal((6, 4)), rng.standard_normal((6, 4))
    out, cache = layers.meanvariance_forward(x, {"eps": 1e-5})
    expected, batch_cache = layers.batchnorm_forward(
        x, np.ones(4), np.zeros(4), {"mode": "train", "eps": 1e-5}
    )
    assert (out == expected).all()
    dx = layers.batchnorm_backward(dout, batch_cache)[0]
    np.testing.assert_allclose(layers.meanvariance_backward(dout, cache), dx, atol=1e-15)


def test_l2_norm_is_rms_norm_over_the_square_root_of_the_number_of_features():
    x = np.random.RandomState(7).standard_normal((5, 16))
    expected = layers.rmsnorm_forward(x, np.full(16, 0.25), {"eps": 0})[0]
    np.testing.assert_allclose(layers.lpnorm_forward(x, {})[0], expected, rtol=1e-15)


@pytest.mark.parametrize(
    ("call", "error_type", "says"),
    [
        (
            lambda: layers.localresponse_forward(np.ones((2, 3)), {"n": 0}),
            OptionError,
            "n=0 is not a whole number",
        ),
        (
            lambda: layers.localresponse_forward(np.ones((2, 3)), {"k": -1}),
            OptionError,
            "k=-1 is not a finite",
        ),
        (
            lambda: layers.localresponse_forward(np.ones((2, 3)), {"beta": np.nan}),
            OptionError,
            "AlexNet's is 0.75",
        ),
        (
            lambda: layers.localresponse_forward(np.ones((2, 3)), {"alpha": np.inf}),
            OptionError,
            "^alpha=inf is not a",
        ),
        (
            lambda: layers.localresponse_forward(np.ones(3), {}),
            ShapeError,
            "expected \\(N, C, ...spatial\\)",
        ),
        (lambda: layers.localresponse_forward(np.ones((0, 3)), {}), ShapeError, "empty batch"),
        (
            lambda: layers.lpnorm_forward(np.ones((2, 3)), {"p": 0.5}),
            OptionError,
            "p=0.5 is not a number from 1",
        ),
        (
            lambda: layers.lpnorm_forward(np.float64(3), {}),
            ShapeError,
            r"^Lp norm got a single number; expected x of shape \(..., D\)$",
        ),
        (lambda: layers.lpnorm_forward(np.ones((0, 3)), {}), ShapeError, "empty batch"),
        (
            lambda: layers.meanvariance_forward(np.ones((2, 3)), {"axes": (2,)}),
            OptionError,
            "some of 0 to 1$",
        ),
        (
            lambda: layers.meanvariance_forward(np.ones((2, 3)), {"axes": (0, -2)}),
            OptionError,
            "twice",
        ),
        (lambda: layers.meanvariance_forward(np.ones((1, 3)), {}), ShapeError, "its own mean"),
        (lambda: layers.meanvariance_forward(np.ones((0, 3)), {}), ShapeError, "empty batch"),
    ],
)
def test_what_is_refused_is_refused_in_a_sentence(call, error_type, says):
    with pytest.raises(error_type, match=says):
        call()


@pytest.mark.parametrize("name", LAYERS)
def test_every_refusal_names_the_layer(name):
    layer = LAYERS[name]
    called = "Lp norm" if name[0] == "L" else f"{name.split(',')[0]} norm"
    with pytest.raises(ShapeError, match=f"^{called} got an empty batch"):
        layer.forward(np.ones((0, *layer.shape[1:])))
    with pytest.raises(ShapeError, match=f"^{called} got x of type complex128"):
        layer.forward(np.ones(layer.shape) + 0j)
    _, cache = layer.forward(np.ones(layer.shape) + np.arange(layer.shape[-1]))
    with pytest.raises(
        ShapeError,
        match=rf"^{called}'s backward pass got dout of shape \(3,\); expected the output's",
    ):
        layer.backward(np.ones(3), cache)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_small_type_s_results_are_float64_s_rounded_once(name, dtype):
    layer = LAYERS[name]
    rng = np.random.RandomState(9)
    x, dout = (
        rng.standard_normal(layer.shape).astype(dtype),
        rng.standard_normal(layer.shape).astype(dtype),
    )
    out, cache = layer.forward(x)
    exact_out, exact_cache = layer.forward(x.astype(np.float64))
    assert (out == exact_out.astype(dtype)).all()
    exact_dx = layer.backward(dout.astype(np.float64), exact_cache)
    assert (layer.backward(dout, cache) == exact_dx.astype(dtype)).all()


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("case", ["huge", "tiny", "spread", "nan", "infinite"])
def test_no_flag_is_raised_that_the_layer_has_an_answer_to(name, case):
    layer = LAYERS[name]
    rng = np.random.RandomState(10)
    x = rng.standard_normal(layer.shape)
    x = {
        "huge": x * 1e300,
        "tiny": x * 1e-300,
        "spread": x * 10.0 ** -rng.uniform(0, 250, x.shape),
        "nan": np.where(x == x.max(), np.nan, x),
        "infinite": np.where(x == x.max(), np.inf, x),
    }[case]
    with np.errstate(all="raise"):
        _, cache = layer.forward(x)
        if case in ("nan", "infinite") or (case == "spread" and "local response" in name):
            layer.backward(np.ones(x.shape), cache)


@pytest.mark.parametrize(
    "name", [name for name in LAYERS if LAYERS[name].scale_free or "no constant" in name]
)
def test_each_slice_has_its_own_scale(name):
    layer = LAYERS[name]
    x = np.random.RandomState(11).standard_normal(layer.shape)
    powers = np.array([500, -500, 500, -500, 500, -500])
    if "mean-variance" in name:  # its slices lie along axis 1, or x is one slice
        powers = powers[: x.shape[1]].reshape(1, -1, *[1] * (x.ndim - 2)) if x.ndim > 2 else 500
    else:
        powers = powers[: x.shape[0]].reshape(-1, *[1] * (x.ndim - 1))
    # a power of the result, as local response has it, is not free of rounding
    tolerance = 1e-15 if "local response" in name else 0
    np.testing.assert_allclose(
        layer.forward(x * 2.0**powers)[0], layer.forward(x)[0], rtol=tolerance
    )


def test_every_axis_before_the_last_is_batch_for_lp_norm():
    x, dout = np.random.RandomState(12).standard_normal((2, 2, 3, 4, 5))
    out, cache = layers.lpnorm_forward(x, {"p": 3})
    flat_out, flat_cache = layers.lpnorm_forward(x.reshape(-1, 5), {"p": 3})
    assert (out.reshape(-1, 5) == flat_out).all()
    dx = layers.lpnorm_backward(dout, cache)
    assert (dx.reshape(-1, 5) == layers.lpnorm_backward(dout.reshape(-1, 5), flat_cache)).all()


def test_the_ends_of_the_settings_are_settings_and_the_defaults_are_alexnet_s():
    x = np.random.RandomState(13).standard_normal((4, 6))
    alexnet = {"n": 5, "k": 2, "alpha": 1e-4, "beta": 0.75}
    assert (
        layers.localresponse_forward(x, {})[0] == layers.localresponse_forward(x, alexnet)[0]
    ).all()
    # a window of one channel: each number by itself
    out, _ = layers.localresponse_forward(x, {"n": 1, "k": 1.0, "alpha": 0.5, "beta": 0.75})
    np.testing.assert_allclose(out, x / (1 + 0.5 * x**2) ** 0.75, rtol=1e-14)
    # the 100-norm is nearly the largest number: between it and 6**(1/100) times it
    out, _ = layers.lpnorm_forward(x, {"p": 100})
    share = np.abs(out).max(axis=1)
    assert ((share > 6**-0.01) & (share <= 1)).all()
    with pytest.raises(OptionError, match=r"p=101\.0 is not a number from 1 to 100"):
        layers.lpnorm_forward(x, {"p": 101})


def test_pytorch_agrees():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    functional = torch.nn.functional
    rng = np.random.RandomState(8)
    x, dout = rng.standard_normal((3, 7, 4)), rng.standard_normal((3, 7, 4))
    for forward, backward, reference in (
        (
            lambda x: layers.localresponse_forward(
                x, {"n": 5, "alpha": 0.3 / 5, "beta": 0.8, "k": 1.5}
            ),
            layers.localresponse_backward,
            lambda x: functional.local_response_norm(
                x, 5, alpha=0.3, beta=0.8, k=1.5
            ),  # alpha times the mean there
        ),
        (
            lambda x: layers.lpnorm_forward(x, {"p": 3}),
            layers.lpnorm_backward,
            lambda x: functional.normalize(x, 3, -1),
        ),
    ):
        out, cache = forward(x)
        tensor = torch.tensor(x, requires_grad=True)
        theirs = reference(tensor)
        theirs.backward(torch.tensor(dout))
        np.testing.assert_allclose(out, theirs.detach().numpy(), atol=1e-14)
        np.testing.assert_allclose(backward(dout, cache), tensor.grad.numpy(), atol=1e-14)
