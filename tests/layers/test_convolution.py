"""Convolution, pooling and the norms of images: against slow definitions, foreign implementations and slopes."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normlab import layers
from normlab.errors import MissingKeyError, OptionError, ShapeError
from tests.layers.test_gradients import assert_gradients

CONVOLUTIONS = {
    "naive": (layers.conv_forward_naive, layers.conv_backward_naive),
    "fast": (layers.conv_forward_fast, layers.conv_backward_fast),
}
POOLS = {
    "naive": (layers.max_pool_forward_naive, layers.max_pool_backward_naive),
    "fast": (layers.max_pool_forward_fast, layers.max_pool_backward_fast),
}


@st.composite
def convolutions(draw):
    """(x, w, b, conv_param) of every kind: not square, strides that leave a rest, pads larger than the filter."""
    N, C, F = (draw(st.integers(1, 4)) for _ in range(3))
    H, W = (draw(st.integers(1, 7)) for _ in range(2))
    stride, pad = draw(st.integers(1, 4)), draw(st.integers(0, 3))
    HH, WW = draw(st.integers(1, H + 2 * pad)), draw(st.integers(1, W + 2 * pad))
    rng = np.random.RandomState(draw(st.integers(0, 2**31)))
    x, w, b = rng.randn(N, C, H, W), rng.randn(F, C, HH, WW), rng.randn(F)
    return x, w, b, {"stride": stride, "pad": pad}


@st.composite
def pools(draw):
    H, W = (draw(st.integers(1, 7)) for _ in range(2))
    height, width = draw(st.integers(1, H)), draw(st.integers(1, W))
    rng = np.random.RandomState(draw(st.integers(0, 2**31)))
    x = rng.permutation(2 * 3 * H * W).reshape(2, 3, H, W).astype(float)  # no ties
    return x, {"pool_height": height, "pool_width": width, "stride": draw(st.integers(1, 4))}


def slow_convolution(x, w, b, conv_param):
    """One output at a time, its window cut out of the padded image."""
    s, pad = conv_param["stride"], conv_param["pad"]
    z = np.zeros((*x.shape[:2], x.shape[2] + 2 * pad, x.shape[3] + 2 * pad))
    z[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]] = x
    HH, WW = w.shape[2:]
    height, width = 1 + (z.shape[2] - HH) // s, 1 + (z.shape[3] - WW) // s
    out = np.zeros((len(x), len(w), height, width))
    for n, f, i, j in np.ndindex(*out.shape):
        window = z[n, :, i * s : i * s + HH, j * s : j * s + WW]
        out[n, f, i, j] = (
            sum(a * c for a, c in zip(window.ravel(), w[f].ravel(), strict=True)) + b[f]
        )
    return out


@pytest.mark.parametrize("name", CONVOLUTIONS)
@given(case=convolutions())
@settings(max_examples=40, deadline=None)
def test_forward_is_the_sum_over_the_window(name, case):
    out, _ = CONVOLUTIONS[name][0](*case)
    expected = slow_convolution(*case)
    # n terms of a few units each, rounded once: far below 1e-12
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", CONVOLUTIONS)
@given(case=convolutions(), seed=st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_backward_is_the_slope(name, case, seed):
    forward, backward = CONVOLUTIONS[name]
    *arrays, conv_param = case
    assert_gradients(
        lambda x, w, b: forward(x, w, b, conv_param), backward, arrays, np.random.RandomState(seed)
    )


@given(case=convolutions(), seed=st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_fast_is_naive_in_another_order(case, seed):
    x, w, b, conv_param = case
    out, cache = layers.conv_forward_naive(x, w, b, conv_param)
    fast, fast_cache = layers.conv_forward_fast(x, w, b, conv_param)
    np.testing.assert_allclose(fast, out, rtol=0, atol=1e-12)
    dout = np.random.RandomState(seed).randn(*out.shape)
    slow, quick = (
        layers.conv_backward_naive(dout, cache),
        layers.conv_backward_fast(dout, fast_cache),
    )
    for ours, theirs in zip(quick, slow, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-11)
    without = layers.conv_backward_fast(dout, fast_cache, with_dx=False)
    assert without[0] is None
    assert all((a == b).all() for a, b in zip(without[1:], quick[1:], strict=True))


def test_many_blocks_are_one(monkeypatch):
    """However few images fit into a block of columns, the same sums over each window."""
    from normlab.layers import fast_convolution

    rng = np.random.RandomState(0)
    x, w, b = rng.randn(7, 2, 5, 6), rng.randn(3, 2, 3, 3), rng.randn(3)
    for stride in (1, 2):
        param = {"stride": stride, "pad": 1}
        whole, cache = layers.conv_forward_fast(x, w, b, param)
        dout = rng.randn(*whole.shape)
        gradients = layers.conv_backward_fast(dout, cache)
        for images in (1, 3):
            monkeypatch.setattr(fast_convolution, "BLOCK", images * 2 * 9 * 5 * 8 * 8)
            np.testing.assert_allclose(
                layers.conv_forward_fast(x, w, b, param)[0], whole, atol=1e-13
            )
            for ours, theirs in zip(layers.conv_backward_fast(dout, cache), gradients, strict=True):
                np.testing.assert_allclose(ours, theirs, atol=1e-12)
        monkeypatch.undo()


def test_a_filter_that_is_turned_around_gives_the_proper_convolution():
    """Cross-correlation with the turned filter is Σ w[p, q] x[i - p, j - q], which commutes; this one does not."""
    rng = np.random.RandomState(0)
    x, w = rng.randn(1, 1, 4, 4), rng.randn(1, 1, 3, 3)
    param = {"stride": 1, "pad": 2}
    correlated = layers.conv_forward_naive(x, w, np.zeros(1), param)[0]
    turned = layers.conv_forward_naive(x, w[:, :, ::-1, ::-1], np.zeros(1), param)[0]
    full = np.zeros((6, 6))
    for i, j in np.ndindex(4, 4):
        full[i : i + 3, j : j + 3] += x[0, 0, i, j] * w[0, 0]
    np.testing.assert_allclose(turned[0, 0], full, atol=1e-14)
    assert np.abs(correlated - turned).max() > 0.1


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_error_stays_within_the_bound_that_is_promised(name):
    """float32: within n u Σ|x||w| + u|b| of the exact sum, u = 2**-24."""
    rng = np.random.RandomState(1)
    x = (rng.randn(2, 5, 6, 6) * 1e3).astype(np.float32)
    w, b = rng.randn(3, 5, 3, 3).astype(np.float32), rng.randn(3).astype(np.float32)
    param = {"stride": 1, "pad": 1}
    exact = slow_convolution(*(a.astype(np.float64) for a in (x, w, b)), param)
    terms = slow_convolution(*(np.abs(a).astype(np.float64) for a in (x, w, b)), param)
    out = CONVOLUTIONS[name][0](x, w, b, param)[0]
    assert out.dtype == np.float32
    assert (np.abs(out - exact) <= (5 * 9 + 1) * 2.0**-24 * terms).all()


@pytest.mark.parametrize("name", POOLS)
@given(case=pools(), seed=st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_pool_is_the_largest_of_each_window_and_its_gradient_goes_there(name, case, seed):
    forward, backward = POOLS[name]
    x, param = case
    out, cache = forward(x, param)
    dout = np.random.RandomState(seed).randn(*out.shape)
    dx = np.zeros_like(x)
    s = param["stride"]
    for n, c, i, j in np.ndindex(*out.shape):
        window = x[n, c, i * s : i * s + param["pool_height"], j * s : j * s + param["pool_width"]]
        assert out[n, c, i, j] == window.max()
        p, q = np.unravel_index(window.argmax(), window.shape)
        dx[n, c, i * s + p, j * s + q] += dout[n, c, i, j]
    np.testing.assert_allclose(backward(dout, cache), dx, atol=1e-14)


@pytest.mark.parametrize("name", POOLS)
def test_ties_give_the_whole_gradient_once(name):
    """ReLU's zeros tie: the gradients of a window's pixels sum to dout, whoever gets it; the first one does."""
    forward, backward = POOLS[name]
    x = np.zeros((1, 2, 4, 4))
    param = {"pool_height": 2, "pool_width": 2, "stride": 2}
    dout = np.arange(1.0, 9.0).reshape(1, 2, 2, 2)
    dx = backward(dout, forward(x, param)[1])
    assert (dx[:, :, ::2, ::2] == dout).all()
    assert dx.sum() == dout.sum()


@pytest.mark.parametrize("name", POOLS)
def test_nan_and_infinity_stay_in_their_window(name):
    forward, backward = POOLS[name]
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    x[0, 0, 0, 1] = np.nan
    param = {"pool_height": 2, "pool_width": 2, "stride": 2}
    out, cache = forward(x, param)
    assert np.isnan(out).sum() == 1
    assert np.isnan(out[0, 0, 0, 0])
    dout = np.ones((1, 1, 2, 2))
    dout[0, 0, 1, 1] = np.inf
    dx = backward(dout, cache)
    assert dx[0, 0, 0, 1] == 1
    assert dx[0, 0, 3, 3] == np.inf
    assert np.count_nonzero(dx) == 4
    assert not np.isnan(dx).any()


def test_spatial_batch_norm_of_single_pixels_is_batch_norm():
    rng = np.random.RandomState(0)
    x, gamma, beta, dout = rng.randn(6, 3), rng.randn(3), rng.randn(3), rng.randn(6, 3)
    flat, images = {"mode": "train"}, {"mode": "train"}
    out, cache = layers.batchnorm_forward(x, gamma, beta, flat)
    pixels, pixel_cache = layers.spatial_batchnorm_forward(x[:, :, None, None], gamma, beta, images)
    assert (pixels[:, :, 0, 0] == out).all()
    assert (flat["running_var"] == images["running_var"]).all()
    gradients = layers.batchnorm_backward_alt(dout, cache)
    spatial = layers.spatial_batchnorm_backward(dout[:, :, None, None], pixel_cache)
    assert (spatial[0][:, :, 0, 0] == gradients[0]).all()
    assert all((a == b).all() for a, b in zip(spatial[1:], gradients[1:], strict=True))


@pytest.mark.parametrize("shape", [(2, 6, 3, 2), (1, 6, 2, 5)])
def test_norms_of_images_against_slopes(shape):
    rng = np.random.RandomState(0)
    x = rng.randn(*shape)
    gamma, beta = rng.randn(6), rng.randn(6)
    assert_gradients(
        lambda *a: layers.spatial_batchnorm_forward(*a, {"mode": "train"}),
        layers.spatial_batchnorm_backward,
        (x, gamma, beta),
        rng,
    )
    for G, form in itertools.product((1, 2, 6), ((6,), (1, 6, 1, 1))):
        assert_gradients(
            lambda *a, G=G: layers.spatial_groupnorm_forward(*a, G, {}),
            layers.spatial_groupnorm_backward,
            (x, gamma.reshape(form), beta.reshape(form)),
            rng,
        )


def test_joined_layers_are_their_parts():
    rng = np.random.RandomState(0)
    x, w, b = rng.randn(2, 3, 4, 6), rng.randn(4, 3, 3, 3), rng.randn(4)
    gamma, beta = rng.randn(4), rng.randn(4)
    conv, pool = {"stride": 1, "pad": 1}, {"pool_height": 2, "pool_width": 2, "stride": 2}
    joined = [
        (lambda *a: layers.conv_relu_forward(*a, conv), layers.conv_relu_backward, (x, w, b)),
        (
            lambda *a: layers.conv_relu_pool_forward(*a, conv, pool),
            layers.conv_relu_pool_backward,
            (x, w, b),
        ),
        (
            lambda *a: layers.conv_bn_relu_forward(*a, conv, {"mode": "train"}),
            layers.conv_bn_relu_backward,
            (x, w, b, gamma, beta),
        ),
    ]
    for forward, backward, arrays in joined:
        assert_gradients(forward, backward, arrays, rng)
    a = layers.relu_forward(layers.conv_forward_naive(x, w, b, conv)[0])[0]
    np.testing.assert_allclose(layers.conv_relu_forward(x, w, b, conv)[0], a, atol=1e-13)
    pooled = layers.max_pool_forward_naive(a, pool)[0]
    np.testing.assert_allclose(
        layers.conv_relu_pool_forward(x, w, b, conv, pool)[0], pooled, atol=1e-13
    )


@given(case=convolutions(), seed=st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_pytorch_agrees(case, seed):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x, w, b, param = case
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, w, b)]
    theirs = torch.nn.functional.conv2d(*tensors, stride=param["stride"], padding=param["pad"])
    out, cache = layers.conv_forward_fast(x, w, b, param)
    np.testing.assert_allclose(out, theirs.detach().numpy(), atol=1e-12)
    dout = np.random.RandomState(seed).randn(*out.shape)
    theirs.backward(torch.tensor(dout))
    for ours, tensor in zip(layers.conv_backward_fast(dout, cache), tensors, strict=True):
        np.testing.assert_allclose(ours, tensor.grad.numpy(), atol=1e-11)


@given(case=pools(), seed=st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_pytorch_pools_alike_with_ties(case, seed):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x, param = case
    x = np.floor(x / 3)  # ties
    tensor = torch.tensor(x, requires_grad=True)
    size = (param["pool_height"], param["pool_width"])
    theirs = torch.nn.functional.max_pool2d(tensor, size, param["stride"])
    out, cache = layers.max_pool_forward_fast(x, param)
    assert (out == theirs.detach().numpy()).all()
    dout = np.random.RandomState(seed).randn(*out.shape)
    theirs.backward(torch.tensor(dout))
    np.testing.assert_allclose(
        layers.max_pool_backward_fast(dout, cache), tensor.grad.numpy(), atol=1e-13
    )


X, W, B = np.zeros((2, 3, 5, 5)), np.zeros((4, 3, 3, 3)), np.zeros(4)
FITTING = {"stride": 1, "pad": 1}


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((X[0], W, B, FITTING), ShapeError, "expected (N, C, H, W)"),
        ((X, W[:, :2], B, FITTING), ShapeError, "as many channels as x has"),
        ((X, W, B[:2], FITTING), ShapeError, "one value a filter"),
        ((X, np.zeros((4, 3, 9, 3)), B, FITTING), ShapeError, "must fit into the padded image"),
        ((X, W, B, {"stride": 1}), MissingKeyError, "conv_param['pad']"),
        ((X, W, B, {"stride": 0, "pad": 1}), OptionError, "conv_param['stride']=0"),
        ((X, W, B, {"stride": 1, "pad": 0.5}), OptionError, "conv_param['pad']=0.5"),
        ((X, W, B, {"stride": True, "pad": 1}), OptionError, "True is not a whole number"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_what_cannot_be_convolved_is_a_sentence(name, arguments, error, words):
    with pytest.raises(error) as caught:
        CONVOLUTIONS[name][0](*arguments)
    assert words in str(caught.value)


def test_other_sentences():
    pool = {"pool_height": 2, "pool_width": 2, "stride": 2}
    with pytest.raises(ShapeError, match="must fit"):
        layers.max_pool_forward_naive(X, pool | {"pool_width": 6})
    with pytest.raises(MissingKeyError, match="pool_param\\['stride'\\]"):
        layers.max_pool_forward_fast(X, {"pool_height": 2, "pool_width": 2})
    with pytest.raises(ShapeError, match="expected the output's"):
        layers.conv_backward_fast(X, layers.conv_forward_fast(X, W, B, FITTING)[1])
    with pytest.raises(ShapeError, match="expected \\(N, C, H, W\\): images"):
        layers.spatial_batchnorm_forward(X[0], np.ones(3), np.zeros(3), {"mode": "train"})
    with pytest.raises(ShapeError, match="one value a channel"):
        layers.spatial_groupnorm_forward(X, np.ones((3, 1)), np.zeros(3), 3, {})
