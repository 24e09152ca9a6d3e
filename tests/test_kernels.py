"""The fused norms keep the reference's promises: results, accuracy, errors, on any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

from normlab import layers
from normlab.errors import MissingKeyError, NonFiniteWarning, OptionError, ShapeError

kernels = pytest.importorskip("normlab.kernels", reason="the fused kernels need Numba")
from normlab import lanes  # noqa: E402
from normlab.kernels import columns, rows  # noqa: E402

SHAPES = [(2, 1), (3, 5), (50, 100), (257, 33), (300, 16), (70, 515)]
FUSED = {
    "batch norm": (kernels.batchnorm_forward, kernels.batchnorm_backward),
    "layer norm": (kernels.layernorm_forward, kernels.layernorm_backward),
}
REFERENCE = {
    "batch norm": (layers.batchnorm_forward, layers.batchnorm_backward_alt),
    "layer norm": (layers.layernorm_forward, layers.layernorm_backward),
}


@pytest.fixture(params=FUSED)
def norm(request):
    return request.param


def arguments(shape, dtype, mean=0.0, seed=0):
    """x, gamma, beta, dout."""
    rng = np.random.RandomState(seed)
    x, dout = mean + rng.randn(*shape), rng.randn(*shape)
    gamma, beta = rng.randn(2, shape[1])
    return [a.astype(dtype) for a in (x, gamma, beta, dout)]


def run(functions, x, gamma, beta, dout, **settings):
    """Forward in train mode, and backward: out, dx, dgamma, dbeta."""
    forward, backward = functions
    threads = {"threads": settings.pop("threads")} if "threads" in settings else {}
    out, cache = forward(x, gamma, beta, {"mode": "train"} | settings, **threads)
    return [out, *backward(dout, cache, **threads)]


def error(ours, theirs, scale=None):
    """Largest difference over the largest value (or `scale`)."""
    theirs = np.asarray(theirs, np.longdouble)
    return float(
        np.max(np.abs(ours - theirs)) / (np.max(np.abs(theirs)) if scale is None else scale)
    )


# One rounding to the result's type, after sums that differ by float64's: half a unit of float32, a
# few of float64.
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1.2e-7), (np.float64, 4e-15)])
@pytest.mark.parametrize("mean", [0.0, 1e4])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_results_are_the_reference_s(norm, shape, mean, dtype, tolerance):
    given = arguments(shape, dtype, mean)
    x, gamma, _, dout = given
    # dx is a small difference of terms of this size: of two examples, it is eps / var of them
    spread = np.var(x.astype(np.float64), axis=0 if norm == "batch norm" else 1)
    size_of_dx = np.max(np.abs(gamma)) * np.max(np.abs(dout)) / np.sqrt(spread.min() + 1e-5)
    scales = (None, size_of_dx, np.sqrt(len(x)) * np.max(np.abs(dout)) * 3, None)
    for ours, theirs, scale in zip(
        run(FUSED[norm], *given), run(REFERENCE[norm], *given), scales, strict=True
    ):
        assert ours.dtype == dtype
        assert error(ours, theirs, scale) < tolerance


def exact(x, axis):
    """(x - mean) / std in extended precision, of x as it is."""
    x = x.astype(np.longdouble)
    c = x - x.mean(axis=axis, keepdims=True)
    c -= c.mean(axis=axis, keepdims=True)
    return c / np.sqrt(np.mean(c * c, axis=axis, keepdims=True))


@pytest.mark.parametrize("order", ["random", "sorted"])
@pytest.mark.parametrize(
    ("dtype", "ratio", "promise"),
    [(np.float32, ratio, 1e-7) for ratio in (0, 1e2, 1e4, 1e6, 1e7)]
    + [(np.float64, ratio, 1e-15) for ratio in (0, 1e4, 1e8, 1e12)],
)
def test_no_digits_are_lost_to_a_large_mean(norm, dtype, ratio, promise, order):
    x = (np.random.RandomState(1).randn(400, 48) + ratio).astype(dtype)
    axis = 0 if norm == "batch norm" else 1
    if order == "sorted":  # the first rows, or numbers, say nothing about the others
        x.sort(axis=axis)
    one, zero = np.ones(48, dtype), np.zeros(48, dtype)
    out, _ = FUSED[norm][0](x, one, zero, {"mode": "train", "eps": 0})
    assert error(out, exact(x, axis)) <= promise


@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1e-15, 1e15, 1e30, 1e37])
def test_no_digits_are_lost_to_a_scale(norm, scale):
    x = (np.random.RandomState(1).randn(60, 40) * scale).astype(np.float32)
    out, _ = FUSED[norm][0](
        x, np.ones(40, np.float32), np.zeros(40, np.float32), {"mode": "train", "eps": 0}
    )
    assert error(out, exact(x, 0 if norm == "batch norm" else 1)) <= 1e-7


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("eps", [0, 1e-5])
@pytest.mark.parametrize("value", [0, 0.1, 12345.678, 1e10, 1e30])
def test_a_constant_input_is_exactly_beta(norm, value, eps, dtype):
    x, gamma, beta, dout = arguments((37, 21), dtype)
    x[:] = value
    out, cache = FUSED[norm][0](x, gamma, beta, {"mode": "train", "eps": eps})
    assert np.array_equal(out, np.broadcast_to(beta, out.shape))
    assert all(np.isfinite(gradient).all() for gradient in FUSED[norm][1](dout, cache))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(515, 70), (1500, 96)])
def test_the_same_bits_for_any_number_of_threads(norm, shape, dtype):
    given = arguments(shape, dtype, 5.0)
    given[0][:, 17:40].sort(axis=0)  # columns that are measured twice, beside some that are not
    alone = run(FUSED[norm], *given, threads=1)
    for threads in (2, 3, 7):
        assert all(map(np.array_equal, run(FUSED[norm], *given, threads=threads), alone))


def test_large_arrays_go_past_the_caches_to_the_same_bits(norm):
    x, gamma, beta, dout = arguments((2048, 1024), np.float32)
    few = slice(0, 64)
    ours = run(FUSED[norm], x, gamma, beta, dout)
    if (
        norm == "batch norm"
    ):  # a column does not know its neighbours; but it does know how many rows are added at once
        theirs = run(REFERENCE[norm], x[:, few].copy(), gamma[few], beta[few], dout[:, few].copy())
        for a, b in zip(ours, theirs, strict=True):
            assert error(a[..., few], b) < 1.2e-7
    else:
        theirs = run(FUSED[norm], x[few].copy(), gamma, beta, dout[few].copy())
        assert np.array_equal(ours[0][few], theirs[0])
        assert np.array_equal(ours[1][few], theirs[1])


def test_running_statistics_follow_and_test_mode_uses_them():
    x, gamma, beta, dout = arguments((40, 20), np.float32, 3.0)
    ours, theirs = ({"mode": "train", "momentum": 0.7} for _ in range(2))
    for _ in range(3):
        kernels.batchnorm_forward(x, gamma, beta, ours)
        layers.batchnorm_forward(x, gamma, beta, theirs)
    for name in ("running_mean", "running_var"):
        assert ours[name].dtype == np.float64
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-13)
    ours["mode"] = theirs["mode"] = "test"
    out, cache = kernels.batchnorm_forward(x, gamma, beta, ours)
    book_out, book_cache = layers.batchnorm_forward(x, gamma, beta, theirs)
    assert error(out, book_out) < 1.2e-7
    for a, b in zip(
        kernels.batchnorm_backward(dout, cache),
        layers.batchnorm_backward(dout, book_cache),
        strict=True,
    ):
        assert error(a, b) < 5e-7


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_the_books(norm, bad):
    x, gamma, beta, dout = arguments((9, 20), np.float32)
    x[4, 7] = bad
    if norm == "batch norm":
        before = {"running_mean": np.full(20, 2.0), "running_var": np.full(20, 3.0)}
        param = {"mode": "train"} | before
        with pytest.warns(NonFiniteWarning):
            out, cache = kernels.batchnorm_forward(x, gamma, beta, param)
        assert param["running_mean"][7] == 2
        assert param["running_mean"][6] != 2
        assert np.array_equal(np.isnan(out).any(axis=0), np.arange(20) == 7)
    else:
        out, cache = kernels.layernorm_forward(x, gamma, beta, {})
        assert np.array_equal(np.isnan(out).any(axis=1), np.arange(9) == 4)
    assert FUSED[norm][1](dout, cache)[0].shape == x.shape


@pytest.mark.filterwarnings("ignore::normlab.errors.NonFiniteWarning")
def test_what_the_book_is_left_with_goes_where_it_is_told(norm):
    """The kernels see what is not finite when they have written already."""
    x, gamma, beta, _ = arguments((9, 20), np.float32)
    x[4, 7] = np.nan
    target = np.zeros_like(x)
    out, _ = FUSED[norm][0](x, gamma, beta, {"mode": "train"}, out=target)
    assert out is target
    assert np.array_equal(
        out, REFERENCE[norm][0](x, gamma, beta, {"mode": "train"})[0], equal_nan=True
    )


@pytest.mark.parametrize("n", [2, 15, 17, 50, 67, 300, 1100])
def test_every_row_is_counted_once_whatever_the_chunks(n):
    """dbeta of a dout of ones is the number of rows, of which the last group and chunk may have few."""
    for dtype in (np.float32, np.float64):
        x, gamma, beta, dout = arguments((n, 20), dtype)
        for functions in FUSED.values():
            assert np.array_equal(
                run(functions, x, gamma, beta, np.ones_like(dout), threads=2)[3], np.full(20, n)
            )


@pytest.mark.filterwarnings(
    "ignore::normlab.errors.NonFiniteWarning"
)  # such a variance is no number to keep
@pytest.mark.parametrize("scale", [1e-200, 1e-160, 1e200, 1e300])
def test_squares_beyond_float64_are_the_reference_s(norm, scale):
    x, gamma, beta, _ = arguments((9, 20), np.float64)
    out, _ = FUSED[norm][0](x * scale, gamma, beta, {"mode": "train", "eps": 0})
    assert error(out, REFERENCE[norm][0](x, gamma, beta, {"mode": "train", "eps": 0})[0]) < 1e-14


def test_inputs_are_untouched_and_results_are_their_own(norm):
    given = arguments((30, 20), np.float64)
    before = [a.copy() for a in given]
    results = run(FUSED[norm], *given)
    assert all(map(np.array_equal, given, before))
    assert not any(np.may_share_memory(a, b) for a in results for b in given)


def test_results_go_where_they_are_told(norm):
    x, gamma, beta, dout = arguments((30, 20), np.float64)
    forward, backward = FUSED[norm]
    target = np.empty_like(x)
    out, cache = forward(x, gamma, beta, {"mode": "train"}, out=target)
    assert out is target
    assert np.array_equal(out, forward(x, gamma, beta, {"mode": "train"})[0])
    dx = np.empty_like(x)
    assert backward(dout, cache, out=dx)[0] is dx
    for unfit in (np.empty((30, 21)), np.empty((30, 20), np.float32), np.empty((20, 30)).T, x):
        with pytest.raises(OptionError, match="leave it out"):
            forward(x, gamma, beta, {"mode": "train"}, out=unfit)


@pytest.mark.parametrize(
    "x",
    [
        np.asfortranarray(np.random.RandomState(0).randn(6, 4)),
        np.random.RandomState(0).randn(12, 4)[::2],
        np.arange(24).reshape(6, 4) ** 2,
        np.random.RandomState(0).randn(6, 4).astype(np.float16),
        np.random.RandomState(0).randn(6, 4).astype(">f8"),
        np.random.RandomState(0).randn(6, 4),
    ],
    ids=["columns first", "strides", "whole numbers", "float16", "other end first", "plain"],
)
def test_other_inputs_are_the_reference_s(norm, x):
    gamma, beta, dout = np.full(4, 2.0), np.full(4, 0.5), np.random.RandomState(1).randn(6, 4)
    ways = (run(functions[norm], x, gamma, beta, dout) for functions in (FUSED, REFERENCE))
    for ours, theirs in zip(*ways, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_errors_are_the_reference_s():
    x, gamma, beta, dout = arguments((5, 4), np.float64)
    with pytest.raises(MissingKeyError, match="mode"):
        kernels.batchnorm_forward(x, gamma, beta, {})
    with pytest.raises(OptionError, match="momentum"):
        kernels.batchnorm_forward(x, gamma, beta, {"mode": "train", "momentum": 2})
    with pytest.raises(ShapeError, match="one example"):
        kernels.batchnorm_forward(x[:1], gamma, beta, {"mode": "train"})
    with pytest.raises(ShapeError, match="gamma"):
        kernels.layernorm_forward(x, gamma[:3], beta, {})
    with pytest.raises(ShapeError, match="running_mean"):
        kernels.batchnorm_forward(x, gamma, beta, {"mode": "train", "running_mean": np.zeros(7)})
    with pytest.raises(OptionError, match="threads"):
        kernels.layernorm_forward(x, gamma, beta, {}, threads=0)
    _, cache = kernels.layernorm_forward(x, gamma, beta, {})
    with pytest.raises(ShapeError, match="dout"):
        kernels.layernorm_backward(dout[:4], cache)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernels_interpreted_are_the_kernels_compiled(dtype, monkeypatch):
    """Lanes as NumPy arrays: only the one rounding of multiply_add differs."""
    x, gamma, beta, dout = (
        a.astype(t)
        for a, t in zip(arguments((19, 37), dtype, 2.0), (dtype, "d", "d", dtype), strict=True)
    )
    n, d = x.shape
    results = []
    for way in ("compiled", "interpreted"):
        if way == "interpreted":
            for module in (columns, rows):
                for name, kernel in list(vars(module).items()):
                    if hasattr(kernel, "py_func"):
                        monkeypatch.setattr(module, name, kernel.py_func)
        statistics, out, dx = np.zeros((4, d)), np.zeros_like(x), np.zeros_like(x)
        sums = np.zeros((2, d))
        assert columns.moments(x.ravel(), n, d, 0, d, 1e-5, statistics)
        columns.normalize(
            x.ravel(), n, d, 0, d, statistics, gamma, beta, out.reshape(-1), False, False
        )
        columns.sums_backward(dout.ravel(), x.ravel(), n, d, 0, d, statistics, *sums)
        columns.gradient(
            dout.ravel(),
            x.ravel(),
            n,
            d,
            0,
            d,
            statistics,
            gamma,
            *sums,
            False,
            dx.reshape(-1),
            False,
        )
        of_rows, out_rows, dx_rows, sums_rows = (
            np.zeros((3, n)),
            np.zeros_like(x),
            np.zeros_like(x),
            np.zeros((2, 48)),
        )
        assert rows.forward(
            x.ravel(), d, 0, n, 1e-5, gamma, beta, of_rows, out_rows.reshape(-1), False
        )
        rows.backward(
            dout.ravel(), x.ravel(), d, 0, n, 256, of_rows, gamma, dx_rows.reshape(-1), *sums_rows, False
        )  # fmt: skip
        results.append((statistics[2:], out, sums, dx, of_rows[2], out_rows, sums_rows, dx_rows))
    for compiled, interpreted in zip(*results, strict=True):
        np.testing.assert_allclose(
            compiled, interpreted, rtol=2e-7 if dtype == np.float32 else 1e-13, atol=1e-13
        )


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_columns_as_the_engine_uses_them(bad):
    """Rows longer than the layer, ReLU in the same pass, and running statistics that a bad column does not reach."""
    n, d, step = 13, 20, 32
    x = np.zeros((n, step), np.float32)
    x[:, :d] = np.random.RandomState(2).randn(n, d)
    x[4, 6] = bad
    gamma, beta = np.random.RandomState(3).randn(2, d).astype(np.float32)
    statistics, running, out = np.zeros((4, d)), np.full((2, d), 2.0), np.zeros_like(x)
    finite = columns.moments(x.ravel(), n, step, 0, d, 1e-5, statistics)
    columns.follow(statistics, 0, d, 0.9, running)
    columns.normalize(
        x.ravel(), n, step, 0, d, statistics, gamma, beta, out.reshape(-1), True, False
    )

    param = {"mode": "train", "running_mean": np.full(d, 2.0), "running_var": np.full(d, 2.0)}
    with pytest.warns(NonFiniteWarning):
        theirs, _ = layers.batchnorm_forward(x[:, :d], gamma, beta, param)
    assert not finite
    np.testing.assert_allclose(running, [param["running_mean"], param["running_var"]], rtol=1e-12)
    np.testing.assert_allclose(out[:, :d], np.maximum(theirs, 0), rtol=1.2e-7, atol=1e-9)
    assert np.array_equal(np.isnan(out).any(axis=0), np.arange(step) == 6)
    assert not out[:, d:].any()


def test_lanes_beyond_the_count_are_zero_and_are_not_written():
    numbers = np.arange(40, dtype=np.float32)
    assert lanes.load(numbers, 30, 5).tolist() == [30, 31, 32, 33, 34] + [0] * 11
    lanes.store(numbers, 10, lanes.spread(-1.0), 3)
    assert numbers[9:14].tolist() == [9, -1, -1, -1, 13]
    assert lanes.total(lanes.first(lanes.spread(2.0), 5)) == 10


def test_no_digits_of_the_gradients_are_lost_where_dout_is_nearly_constant(norm):
    """x and one unit in the last place: a float64 mean, rounded, is off by enough to show beside a sum that cancels."""
    x, gamma, beta, dout = arguments((7, 7), np.float32)
    x[:] = 536671.44
    x[0, 0] = x[3, 4] = np.nextafter(x[0, 0], np.float32(np.inf))
    dout = 1 + 1e-3 * dout
    ways = (run(functions[norm], x, gamma, beta, dout) for functions in (FUSED, REFERENCE))
    for ours, theirs in zip(*ways, strict=True):
        assert error(ours, theirs) < 1.2e-7


@pytest.mark.parametrize("length", [64, 1000, 4097])
def test_no_digits_are_lost_to_a_sum_whose_terms_all_round_alike(norm, length):
    """One large number among equal small squares, in float64: each addition rounds to the same side."""
    axis = 0 if norm == "batch norm" else 1
    x = np.ones((length, 40) if axis == 0 else (40, length)) * np.linspace(0.99, 1.01, 40).reshape(
        (1, -1) if axis == 0 else (-1, 1)
    )
    x[(1,) if axis == 0 else (slice(None), 1)] = 3e7
    one, zero = np.ones(x.shape[1]), np.zeros(x.shape[1])
    out, _ = FUSED[norm][0](x, one, zero, {"mode": "train", "eps": 0})
    assert error(out, exact(x, axis)) <= 6e-16


def test_the_gradient_keeps_its_digits_where_the_square_of_the_std_is_near_the_end_of_float64(norm):
    x, gamma, beta, dout = arguments((2, 8), np.float64)
    x, dout = x * 1e153, 1 + 1e-3 * dout
    ours, theirs = (
        run(functions, x, gamma, beta, dout, eps=1e-3)[1]
        for functions in (FUSED[norm], REFERENCE[norm])
    )
    assert error(ours, theirs, np.abs(gamma).max() / x.std()) < 1e-15


def test_what_a_feature_gets_does_not_depend_on_its_neighbours():
    """Nor what an example gets: not on columns measured twice, nor, with eps = 0, on a constant one."""
    x, gamma, beta, dout = arguments((515, 48), np.float64)
    x[:, 5] = np.sort(x[:, 5])
    x[:, 9] = 7.0
    some = [0, 1, 2, 17, 40]
    together = run(FUSED["batch norm"], x, gamma, beta, dout, eps=0)
    alone = run(FUSED["batch norm"], x[:, some], gamma[some], beta[some], dout[:, some], eps=0)
    assert all(np.array_equal(a[..., some], b) for a, b in zip(together, alone, strict=True))
    x[3] = 7.0
    together = run(FUSED["layer norm"], x, gamma, beta, dout, eps=0)
    alone = run(FUSED["layer norm"], x[some], gamma, beta, dout[some], eps=0)
    assert all(np.array_equal(a[some], b) for a, b in zip(together[:2], alone[:2], strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_bits_for_any_strides(norm, dtype):
    x, gamma, beta, dout = arguments((37, 53), dtype, 3.0)
    expected = run(FUSED[norm], x, gamma, beta, dout)
    wide = np.zeros((74, 106), dtype)
    wide[::2, ::2] = x
    for same in (np.asfortranarray(x), wide[::2, ::2], x[::-1].copy()[::-1]):
        found = run(FUSED[norm], same, gamma, beta, np.asfortranarray(dout))
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    beside = np.stack([gamma, beta], axis=1)  # each a column: strides of two
    found = run(FUSED[norm], x, beside[:, 0], beside[:, 1], dout)
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_constant_upstream_leaves_no_gradient_beside_outliers():
    """Its true dx is 0: what is found is the mean's rounding, magnified by the outlier's xhat. The promise is 1e-14 of
    an eighth of gamma * dout / std."""
    rng = np.random.RandomState(0)
    for n in (31, 255):
        x = rng.standard_t(1.5, (n, 2000))
        x[rng.randint(n, size=2000), np.arange(2000)] *= 1e3
        _, cache = kernels.batchnorm_forward(
            x, np.ones(2000), np.zeros(2000), {"mode": "train", "eps": 1e-5}
        )
        dx, _, _ = kernels.batchnorm_backward(np.ones_like(x), cache)
        assert np.all(np.abs(dx) * np.sqrt(x.var(axis=0) + 1e-5) <= 1e-14 / 8)


@pytest.mark.parametrize("error", [EOFError, ValueError, ModuleNotFoundError, OSError])
def test_a_broken_cache_is_an_absent_one(error):
    """What a file that is empty, cut or another version's makes of pickle ends in compiling anew."""
    from normlab.kernels.sources import _Forgiving

    class Broken:
        flushed = saved = 0

        def load_overload(self, *_):
            raise error

        def save_overload(self, *_):
            self.saved += 1
            raise OSError

        def flush(self):
            self.flushed += 1
            raise OSError

    broken = Broken()
    cache = _Forgiving(broken)
    assert cache.load_overload(None, None) is None
    cache.save_overload(None, None)
    assert (broken.flushed, broken.saved) == (1, 1)


def test_where_no_folder_takes_a_cache_kernels_are_compiled_all_the_same(monkeypatch):
    import numba

    from normlab.kernels.sources import kept

    plain = numba.njit

    def njit(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function 'twice': no locator available")
        return plain(**options)

    monkeypatch.setattr(numba, "njit", njit)
    assert kept(lambda x: 2 * x)(21) == 42
