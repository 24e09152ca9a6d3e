"""Ten thousand inputs made to lose digits: values, parameters, upstream gradients, sizes and layouts, drawn by a seed.

The list of hazards is that of the promises: means of many standard deviations, scales from end to
end of the type, outliers, ramps, alternating signs, constants with and without one unit in the last
place, subnormal numbers; gamma of 0, negative and huge; eps from 0 to 1; lengths from 2 on, mostly
beside powers of two, where blocks of a loop end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from normlab.randomness import generator
from normlab.typing import Array, Generator

NORMS = ("batch norm", "layer norm", "group norm", "instance norm", "RMS norm")
DTYPES = ("float32", "float64")
EPS = (0.0, 1e-12, 1e-5, 1e-3, 1.0)
LENGTHS = (
    2,
    3,
    4,
    5,
    7,
    8,
    9,
    15,
    16,
    17,
    31,
    32,
    33,
    49,
    63,
    64,
    65,
    100,
    127,
    129,
    255,
    257,
    1000,
    1023,
    1025,
    4097,
)
WIDTHS = (1, 2, 3, 5, 8, 15, 16, 17, 31, 33, 48, 64, 100)
NUMBERS = 2500  # in an input, at most


class Case(NamedTuple):
    """One input of one norm. Statistics go over axis 0 for batch norm, else over the last one or a group's."""

    norm: str
    x: Array  # (N, D), or (N, C, S) for group and instance norm
    gamma: Array  # (D,) or (C,)
    beta: Array  # zeros for RMS norm, which has none
    dout: Array  # of x's shape
    eps: float
    groups: int  # of group norm; 1 elsewhere
    words: str  # how it was made


class Limits(NamedTuple):
    """How far the promises go for a type, as powers of ten."""

    dtype: str
    mean: float  # over the standard deviation
    small: float  # scale
    large: float


# a unit in the last place of 1e-285 is still a normal float64, of which a mean can have digits
LIMITS = {"float32": Limits("float32", 7, -40, 37), "float64": Limits("float64", 12, -285, 300)}


def cases(count: int, seed: int = 0) -> Iterator[Case]:
    """`count` inputs, norms and types in turn: the same ones for the same seed, on every machine."""
    rng = generator(seed)
    for index in range(count):
        yield _case(NORMS[index % 5], DTYPES[index // 5 % 2], rng)


def _case(norm: str, dtype: str, rng: Generator) -> Case:
    shape, groups = _shape(norm, rng)
    channels = shape[1]
    limits = LIMITS[dtype]
    kind, upstream = _choice(rng, VALUES), _choice(rng, UPSTREAM)
    with np.errstate(all="ignore"):
        x = VALUES[kind](rng, shape, limits).astype(dtype)
        x = np.where(np.isfinite(x), x, np.finfo(dtype).max / 2).astype(dtype)
        dout = UPSTREAM[upstream](rng, x, limits).astype(dtype)
        gamma_kind, beta_kind = (
            _choice(rng, GAMMAS),
            "zero" if norm == "RMS norm" else _choice(rng, BETAS),
        )
        gamma = GAMMAS[gamma_kind](rng, channels).astype(dtype)
        beta = BETAS[beta_kind](rng, channels).astype(dtype)
    eps = EPS[rng.randint(len(EPS))]
    if kind == "subnormal" and dtype == "float64":
        eps = eps or 1.0  # 1 / std would be beyond the largest float64
    layout, dout_layout = _choice(rng, LAYOUTS), _choice(rng, LAYOUTS)
    parameters = f"gamma {gamma_kind}, beta {beta_kind}, dout {upstream}, eps {eps:g}"
    words = f"{norm} of {dtype} {shape}, {kind}, {parameters}, {layout}"
    return Case(
        norm, LAYOUTS[layout](x), gamma, beta, LAYOUTS[dout_layout](dout), eps, groups, words
    )


def _shape(norm: str, rng: Generator) -> tuple[tuple[int, ...], int]:
    """Sizes, and the number of groups: one length to take statistics over, one width to repeat them for."""
    length, width = LENGTHS[rng.randint(len(LENGTHS))], WIDTHS[rng.randint(len(WIDTHS))]
    width = max(1, min(width, NUMBERS // length))
    if norm == "batch norm":
        return (length, width), 1
    if norm in ("layer norm", "RMS norm"):
        return (width, length), 1
    examples = rng.randint(1, 1 + min(3, width))
    channels = max(1, width // examples)
    if norm == "instance norm":
        return (examples, channels, length), channels
    members = [m for m in (1, 2, 3, 4, 8) if length % m == 0][-1]  # channels a group
    return (examples, channels * members, length // members), channels


def _choice(rng: Generator, table: dict[str, Any]) -> str:
    return list(table)[rng.randint(len(table))]


def _scale(rng: Generator, limits: Limits, less: float = 0.0) -> float:
    """A power of ten that leaves room for numbers 10**less times as large. Half of them are ordinary."""
    if rng.rand() < 0.5:
        return float(10.0 ** rng.uniform(-3, 3))
    return float(10.0 ** rng.uniform(limits.small, limits.large - less))


def _far_from_zero(rng: Generator, shape: tuple[int, ...], limits: Limits) -> Array:
    distance = rng.uniform(0, limits.mean)
    values: Array = rng.standard_normal(shape) + 10.0**distance * rng.choice([-1, 1])
    values *= _scale(rng, limits, distance)
    return values


def _outliers(rng: Generator, shape: tuple[int, ...], limits: Limits) -> Array:
    reach = rng.uniform(1, 25)
    values = rng.standard_normal(shape)
    values.flat[rng.randint(values.size, size=1 + values.size // 50)] *= 10.0**reach
    return values * _scale(rng, limits, reach)


def _ramp(rng: Generator, shape: tuple[int, ...], limits: Limits) -> Array:
    start = rng.choice([0.0, 1.0, 1e4])
    values: Array = np.arange(np.prod(shape)).reshape(shape) + start
    return values * _scale(rng, limits, 5)


def _alternating(rng: Generator, shape: tuple[int, ...], limits: Limits) -> Array:
    signs = 1 - 2.0 * (np.indices(shape).sum(axis=0) % 2)
    values: Array = signs * (1 + 1e-3 * rng.standard_normal(shape)) + rng.choice([0.0, 1.0, 1e3])
    return values * _scale(rng, limits, 3)


def _constant(rng: Generator, shape: tuple[int, ...], limits: Limits) -> Array:
    return np.full(shape, rng.standard_normal() * _scale(rng, limits))


def _constant_and_ulps(rng: Generator, shape: tuple[int, ...], limits: Limits) -> Array:
    value = _constant(rng, shape, limits).astype(limits.dtype)
    moved = rng.rand(*shape) < rng.choice([0.02, 0.5])
    moved.flat[rng.randint(moved.size)] = True
    return np.where(moved, np.nextafter(value, np.array(np.inf, limits.dtype)), value)


def _subnormal(rng: Generator, shape: tuple[int, ...], limits: Limits) -> Array:
    return rng.randint(-100, 101, size=shape) * float(np.finfo(limits.dtype).smallest_subnormal)


def _every_magnitude(rng: Generator, shape: tuple[int, ...], limits: Limits) -> Array:
    return rng.choice([-1, 1], size=shape) * 10.0 ** rng.uniform(limits.small, limits.large, shape)


def _a_scale_each(rng: Generator, shape: tuple[int, ...], limits: Limits) -> Array:
    """One scale an example or one a feature, so that neighbouring statistics have nothing in common."""
    axis = rng.randint(2)
    exponents = rng.uniform(limits.small, limits.large, shape[axis])
    return rng.standard_normal(shape) * 10.0 ** exponents.reshape(
        [-1 if a == axis else 1 for a in range(len(shape))]
    )


VALUES: dict[str, Callable[[Generator, tuple[int, ...], Limits], Array]] = {
    "far from zero": _far_from_zero,
    "scaled": lambda rng, shape, limits: rng.standard_normal(shape) * _scale(rng, limits),
    "outliers": _outliers,
    "ramp": _ramp,
    "alternating signs": _alternating,
    "constant": _constant,
    "constant and one ulp": _constant_and_ulps,
    "subnormal": _subnormal,
    "every magnitude": _every_magnitude,
    "a scale each": _a_scale_each,
    "few levels": lambda rng, shape, limits: (
        rng.randint(0, 256, size=shape) * _scale(rng, limits, 3)
    ),
    "heavy tail": lambda rng, shape, limits: (
        np.exp(5 * rng.standard_normal(shape)) * _scale(rng, limits, 12)
    ),
    "up to the largest number": lambda rng, shape, limits: (
        rng.uniform(-1, 1, shape) * float(np.finfo(limits.dtype).max)
    ),
}

UPSTREAM: dict[str, Callable[[Generator, Array, Limits], Array]] = {
    "normal": lambda rng, x, _: rng.standard_normal(x.shape),
    "scaled": lambda rng, x, _: rng.standard_normal(x.shape) * 10.0 ** rng.uniform(-20, 20),
    "ones": lambda _rng, x, _: np.ones(x.shape),
    "one entry": lambda rng, x, _: (
        (np.arange(x.size) == rng.randint(x.size)).reshape(x.shape) * 3.0
    ),
    "nearly constant": lambda rng, x, _: 1 + 1e-3 * rng.standard_normal(x.shape),
    "along x": lambda rng, x, _: x / np.abs(x).max() + 0.1 * rng.standard_normal(x.shape),
    "zeros": lambda _rng, x, _: np.zeros(x.shape),
}

GAMMAS: dict[str, Callable[[Generator, int], Array]] = {
    "one": lambda _, channels: np.ones(channels),
    "of both signs": lambda rng, channels: rng.standard_normal(channels),
    "partly zero": lambda rng, channels: (
        rng.standard_normal(channels) * rng.randint(0, 2, channels)
    ),
    "zero": lambda _, channels: np.zeros(channels),
    "huge": lambda rng, channels: rng.standard_normal(channels) * 1e30,
    "tiny": lambda rng, channels: rng.standard_normal(channels) * 1e-30,
    "of many sizes": lambda rng, channels: (
        rng.standard_normal(channels) * 10.0 ** rng.uniform(-6, 6, channels)
    ),
}

BETAS: dict[str, Callable[[Generator, int], Array]] = {
    "zero": lambda _, channels: np.zeros(channels),
    "normal": lambda rng, channels: rng.standard_normal(channels),
    "huge": lambda rng, channels: rng.standard_normal(channels) * 1e20,
}


def _every_second(x: Array) -> Array:
    wide = np.full((2 * x.shape[0], *x.shape[1:]), np.nan, x.dtype)
    wide[::2] = x
    return wide[::2]


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "row after row": lambda x: x,
    "columns first": np.asfortranarray,
    "every second row": _every_second,
    "backwards": lambda x: np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
}
