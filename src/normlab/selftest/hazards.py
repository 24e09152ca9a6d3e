"""NaN, infinity, constant inputs, empty and single batches: what every layer makes of them, in every mode."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from normlab import layers
from normlab.errors import NonFiniteWarning, UserError
from normlab.randomness import generator
from normlab.selftest.implementations import BOOK, FUSED, Implementation, fused, has_numba
from normlab.selftest.inputs import DTYPES, Case, cases
from normlab.selftest.measured import Measured
from normlab.typing import Array

N, C, S = 6, 8, 5
BAD = (np.nan, np.inf, -np.inf)


class Layer(NamedTuple):
    """A layer in one of its modes, as a function of x alone."""

    run: Callable[[Array], Array]
    shape: tuple[int, ...]
    touched: Callable[[tuple[int, ...]], Any]  # the index of all that one bad number may reach
    statistics: bool = True  # an empty batch has none


def _param(**values: Any) -> dict[str, Any]:
    return {"mode": "train", **values}


def _batch_test(x: Array) -> Array:
    known = {"running_mean": np.linspace(-1, 1, C), "running_var": np.linspace(1, 2, C)}
    return layers.batchnorm_forward(x, ONE, ZERO, {"mode": "test", **known})[0]


ONE, ZERO, WEIGHTS = np.ones(C), np.zeros(C), np.linspace(-1, 1, C * 3).reshape(C, 3)
LAYERS: dict[str, Layer] = {
    "batch norm, train": Layer(
        lambda x: layers.batchnorm_forward(x, ONE, ZERO, _param())[0], (N, C), lambda at: (slice(None), at[1])
    ),
    "batch norm, test": Layer(_batch_test, (N, C), lambda at: at),
    "layer norm": Layer(lambda x: layers.layernorm_forward(x, ONE, ZERO, {})[0], (N, C), lambda at: at[0]),
    "RMS norm": Layer(lambda x: layers.rmsnorm_forward(x, ONE, {})[0], (N, C), lambda at: at[0]),
    "group norm": Layer(
        lambda x: layers.groupnorm_forward(x, ONE, ZERO, 2, {})[0],
        (N, C, S),
        lambda at: (at[0], slice(at[1] // (C // 2) * (C // 2), at[1] // (C // 2) * (C // 2) + C // 2)),
    ),
    "instance norm": Layer(lambda x: layers.instancenorm_forward(x, ONE, ZERO, {})[0], (N, C, S), lambda at: at[:2]),
    "local response norm": Layer(
        lambda x: layers.localresponse_forward(x, {"n": 3})[0],
        (N, C, S),
        lambda at: (at[0], slice(max(0, at[1] - 1), at[1] + 2), at[2]),
    ),
    "Lp norm": Layer(lambda x: layers.lpnorm_forward(x, {})[0], (N, C), lambda at: at[0]),
    "mean-variance norm": Layer(
        lambda x: layers.meanvariance_forward(x, {})[0], (N, C, S), lambda at: (slice(None), at[1])
    ),
    "softmax loss": Layer(lambda x: layers.softmax_loss(x, np.arange(len(x)) % C)[1], (N, C), lambda at: at[0]),
    "SVM loss": Layer(lambda x: layers.svm_loss(x, np.arange(len(x)) % C)[1], (N, C), lambda at: at[0]),
    "affine": Layer(lambda x: layers.affine_forward(x, WEIGHTS, WEIGHTS[0])[0], (N, C), lambda at: at[0], False),
    "ReLU": Layer(lambda x: layers.relu_forward(x)[0], (N, C), lambda at: at, False),
    "dropout, train": Layer(
        lambda x: layers.dropout_forward(x, _param(p=0.5, rng=generator(0)))[0], (N, C), lambda at: at, False
    ),
    "dropout, test": Layer(
        lambda x: layers.dropout_forward(x, {"mode": "test", "p": 0.5})[0], (N, C), lambda at: at, False
    ),
}


def hazards(full: bool) -> Iterator[Measured]:
    """One row a hazard."""
    book = {f"book, {norm}": run for norm, run in BOOK.items()}
    kernels = {f"fused kernels, {norm}": fused(norm) for norm in FUSED} if has_numba() else {}
    yield bad_numbers_stay()
    yield bad_numbers_stay_in_backward(book, "book", 300 if full else 60)
    if kernels:
        yield bad_numbers_stay_in_backward(kernels, "fused kernels", 300 if full else 60)
    yield running_statistics_are_kept()
    yield constants_give_zero(book | kernels, full)
    yield empty_batches_are_refused()
    yield single_examples()


def bad_numbers_stay() -> Measured:
    """A NaN or an infinity in x changes no number but those of its own statistics, in no layer and mode."""
    count, wrong = 0, []
    for name, layer in LAYERS.items():
        x = generator(0).standard_normal(layer.shape)
        clean = layer.run(x)
        for bad in BAD:
            for at in ((0,) * x.ndim, tuple(size - 2 for size in x.shape)):
                poisoned = x.copy()
                poisoned[at] = bad
                outside = np.ones(clean.shape, bool)
                outside[layer.touched(at)] = False
                with warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore", NonFiniteWarning)
                    out = layer.run(poisoned)
                count += 1
                if not np.array_equal(out[outside], clean[outside]):
                    wrong.append(f"{name}, {bad}")
    return _row("NaN or infinity in x stays in its row, column or group, every layer and mode", count, wrong)


def bad_numbers_stay_in_backward(implementations: dict[str, Implementation], who: str, inputs: int) -> Measured:
    """The same of y and dx of the norms. The fused kernels leave such a batch to the book: theirs are then its bits."""
    count, wrong = 0, []
    for case in cases(inputs, seed=2):
        run = implementations.get(f"{who}, {case.norm}")
        if run is None or min(case.x.shape) < 2:
            continue
        at = tuple(size // 2 for size in case.x.shape)
        x = case.x.copy()
        x[at] = BAD[count % 3]
        clean, poisoned = BOOK[case.norm](case), run(case._replace(x=x))
        apart = 1 if case.norm == "batch norm" else 0  # whole examples, though a group is less
        other = np.arange(x.shape[apart]) != at[apart]
        for a, b in ((clean.y, poisoned.y), (clean.dx, poisoned.dx)):
            count += 1
            if not np.array_equal(a.compress(other, apart), b.compress(other, apart), equal_nan=True):
                wrong.append(case.words)
    return _row(f"{who}: NaN or infinity in x moves no y and no dx of another example or feature", count, wrong)


def running_statistics_are_kept() -> Measured:
    """A feature whose batch statistics are not finite keeps its running ones; the others move; a warning says so."""
    forwards: dict[str, Callable[..., Any]] = {"book": layers.batchnorm_forward}
    if has_numba():
        from normlab import kernels

        forwards["fused"] = kernels.batchnorm_forward
    count, wrong = 0, []
    for name, forward in forwards.items():
        for dtype in DTYPES:
            for bad in BAD:
                rng = generator(3)
                param = _param()
                forward(rng.standard_normal((N, C)).astype(dtype), ONE, ZERO, param)
                before = {key: param[key].copy() for key in ("running_mean", "running_var")}
                x = rng.standard_normal((N, C)).astype(dtype)
                x[2, 3] = bad
                with warnings.catch_warnings(record=True) as said:
                    warnings.simplefilter("always")
                    forward(x, ONE, ZERO, param)
                told = any(
                    issubclass(w.category, NonFiniteWarning) and "1 of 8 features" in str(w.message) for w in said
                )
                moved = [(param[key] != old).nonzero()[0].tolist() for key, old in before.items()]
                count += 1
                if not told or moved != [[0, 1, 2, 4, 5, 6, 7]] * 2:
                    wrong.append(f"{name}, {dtype}, {bad}")
    return _row("NaN or infinity in a batch: running statistics kept, and a warning says so", count, wrong)


def constants_give_zero(implementations: dict[str, Implementation], full: bool) -> Measured:
    """Exactly beta at a constant input, whatever the value and the length; dx finite, dgamma exactly 0."""
    count, wrong = 0, []
    lengths = (2, 3, 7, 16, 49, 100, 1000, 4097, *((65_537, 1_000_003) if full else ()))
    for key, run in implementations.items():
        norm = key.split(", ")[-1]
        if norm == "RMS norm":
            continue  # it does not centre
        for dtype in DTYPES:
            largest = float(np.finfo(dtype).max)
            for length in lengths:
                for value in (0.0, 1.0, 0.1, -1 / 3, 1e10, -3.3e37, 1e-40, 5e-324, largest):
                    for eps in (0.0, 1e-5):
                        case = _constant(norm, np.dtype(dtype).type(value), length, eps)
                        results = run(case)
                        beta = case.beta.reshape(1, -1, *(1,) * (case.x.ndim - 2))
                        count += 1
                        if not (results.y == beta).all() or results.dgamma.any() or not np.isfinite(results.dx).all():
                            wrong.append(f"{key}, {dtype}, {value:g} {length} times, eps {eps:g}")
    return _row("constant input: exactly beta, any value and length", count, wrong)


def _constant(norm: str, value: Any, length: int, eps: float) -> Case:
    shape = {"batch norm": (length, 2), "layer norm": (2, length)}.get(norm, (2, 4, length))
    x = np.full(shape, value)
    one, beta = np.ones(shape[1], x.dtype), np.linspace(-1, 1, shape[1]).astype(x.dtype)
    dout = np.ones(shape, x.dtype)
    dout[0] = -2
    groups = {"group norm": 2, "instance norm": 4}.get(norm, 1)
    return Case(norm, x, one, beta, dout, eps, groups, "")


def empty_batches_are_refused() -> Measured:
    """Every layer with statistics says what to do about an empty batch; the others return an empty result."""
    count, wrong = 0, []
    for name, layer in LAYERS.items():
        count += 1
        try:
            out = layer.run(np.zeros((0, *layer.shape[1:])))
        except UserError as error:
            if not layer.statistics or "empty batch" not in str(error):
                wrong.append(f"{name}: {error}")
        except Exception as error:
            wrong.append(f"{name}: {type(error).__name__}: {error}")
        else:
            if layer.statistics or out.shape[0] != 0:
                wrong.append(f"{name}: a result of shape {out.shape}")
    return _row("an empty batch: an error that says what to do", count, wrong)


def single_examples() -> Measured:
    """A batch of one is an error in batch norm's train mode, and an ordinary batch everywhere else."""
    count, wrong = 0, []
    for name, layer in LAYERS.items():
        count += 1
        try:
            out = layer.run(generator(0).standard_normal((1, *layer.shape[1:])))
        except UserError as error:
            if name != "batch norm, train" or "mode='test'" not in str(error):
                wrong.append(f"{name}: {error}")
        except Exception as error:
            wrong.append(f"{name}: {type(error).__name__}: {error}")
        else:
            if name == "batch norm, train" or not np.isfinite(out).all():
                wrong.append(f"{name}: {out}")
    return _row(
        "a batch of one: an error in batch norm's train mode that says what to do, a result elsewhere", count, wrong
    )


def _row(promise: str, count: int, wrong: list[str]) -> Measured:
    note = f"first: {wrong[0]}" if wrong else ""
    return Measured("identities", promise, "0 broken", f"{len(wrong)} of {count:,}", not wrong, count, note=note)
