"""How the compiled engine lays out a net in memory: the same on every machine.

Units are lanes. A layer's weights, W (inputs, units), are cut into strips of STRIP units:

    strip 0: input 0's weights to units 0..15, input 1's, …; strip 1: units 16..31; …

so that a tile reads and writes whole vectors of a strip. The last strip has NARROW units where that
is enough for those that are left; units that are not there are zeros, and stay zeros. A row of
activations is one example's, `width` numbers.

All arrays are flat. Letters: L layers, the scores' included; `dims` has L + 1 entries, the inputs
first; R rows, the batch and TALLEST more, which a tile may touch.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from normlab import randomness, starts
from normlab.engines.compiling import (
    COMPILED_ACTIVATIONS,
    COMPILED_NORMS,
    COMPILED_RULES,
    RESIDUALS,
    SQUASHED,
)
from normlab.engines.processor import TALLEST
from normlab.engines.table import Doubles, Flags, Floats, Wholes
from normlab.layers import norms
from normlab.specs import RunSpec
from normlab.typing import Array, Generator

RULES = {rule: number for number, rule in enumerate(COMPILED_RULES)}
STRIP, NARROW = 16, 8
TERMS = 192
"""A sum of more terms is a sum of sums of so many: float32 then loses less."""
CHUNK = 64
"""The weights of so many inputs are updated at a time, as soon as their gradients are known, or of
half as many more where these are the last."""
EXAMPLES = 32
"""Accuracy is measured on so many examples at a time."""
SPARE = STRIP * TALLEST
"""So many numbers after the last weights a tile may read, and ignore."""
LINE = 16  # numbers that memory hands over together
VECTORS = ("b", "gamma", "beta", "alpha", "s")
"""The rows of State.vectors by a parameter's name; alpha and s, one number a layer each, come first
in theirs, and only nets that have them have these rows."""
B, GAMMA, BETA, ALPHA, SHIFT = range(len(VECTORS))


class Net(NamedTuple):
    """What the kernels must know about a net."""

    dims: Wholes  # (L + 1,) whole numbers
    starts: Wholes  # (L,) where each layer's weights start
    width: int  # of a row of activations
    batch_size: int
    norm: int  # of COMPILED_NORMS
    groups: int  # of a row that are normalized apart: 1 but for group norm
    rule: int  # of arithmetic.RULES
    keep: float  # dropout's probability of keeping a unit
    reg: float
    eps: float
    momentum: float  # how much of its running statistics batch norm keeps
    activation: int  # of COMPILED_ACTIVATIONS
    residual: int  # of RESIDUALS
    pieces: int  # ghost batches of a batch, 1 where the whole batch is one
    population: int  # 1 where batch norm takes its running statistics in training too
    noise: int  # 1 where noise is added after each norm in training


class State(NamedTuple):
    """What training changes."""

    weights: Floats
    weights_first: Floats  # Adam's m, or the velocity
    weights_second: Floats  # Adam's v, or RMSProp's cache
    vectors: Floats  # (3 or 5, L, width): see VECTORS
    vectors_first: Floats
    vectors_second: Floats
    running: Doubles  # (L, 2, width) float64: mean and variance


class Scratch(NamedTuple):
    """Arrays that a step writes before it reads them."""

    affine: Floats  # (L, R, width), each layer's x W + b
    normed: Floats  # (L, R, width), what comes out of each norm; empty where the net is plain
    hidden: Floats  # (L, R, width), what each layer hands on
    upstream: Floats  # (2 or 3, R, width), the gradients on their way down
    vector_grads: Floats  # as State.vectors
    turned: Floats  # a layer's weights with a row a unit
    grads: Floats  # (2 * CHUNK, STRIP), gradients of a strip's weights
    scores: Floats  # (2, width + TALLEST, EXAMPLES), activations while accuracy is measured
    skip: Floats  # (width, EXAMPLES), what a residual net adds to them
    statistics: Doubles  # (L, 2, pieces * width or R * groups) float64: mean and rstd
    sums: Doubles  # (2, width or R) float64
    image_starts: Wholes  # (R,) where each example of the batch starts
    ahead_starts: Wholes  # (R,) the same of the next batch
    row_starts: Wholes  # (R,) multiples of width
    strip_starts: Wholes  # (2, TERMS) multiples of NARROW, and of STRIP
    labels: Wholes  # (R,) of the batch


class Steps(NamedTuple):
    """Training steps to take."""

    images: Floats  # each in its stride, then a row of zeros, then SPARE more
    labels: Wholes  # of the images
    batches: Wholes  # (steps, batch_size) of images
    kept: Flags  # dropout's draws, for each step and layer in turn
    noise: Floats  # the noise after each norm, likewise
    rates: Doubles  # (steps,) learning rates
    shrinks: Doubles  # (steps,) what weight decay multiplies the weights by
    losses: Doubles  # (steps,) to be filled
    before: int  # steps taken so far


class Blocks(NamedTuple):
    """Examples to measure accuracy on."""

    images: Floats  # (blocks, inputs, EXAMPLES), zeros in the last one
    labels: Wholes
    losses: Doubles  # (examples,) softmax losses to be filled; empty where nobody asks


PASSES = ("sgd", "sgd_momentum", "rmsprop", "adagrad", "adam")


class Pass32(NamedTuple):
    """One update of float32 parameters by a rule of PASSES: see `exact`."""

    w: Floats
    dw: Floats
    first: Floats  # m, velocity or cache
    second: Floats  # v
    settings: Doubles
    rule: int


class Pass64(NamedTuple):
    """The same of float64 parameters."""

    w: Doubles
    dw: Doubles
    first: Doubles
    second: Doubles
    settings: Doubles
    rule: int


def zeros(*shape: int) -> Array:
    """Flat float32 zeros that begin at a line of memory: a register loaded from two takes longer."""
    size = math.prod(shape)
    room = np.zeros(size + LINE, dtype=np.float32)
    first = -room.ctypes.data // room.itemsize % LINE
    return room[first : first + size]


def padded(units: int) -> int:
    """How many units the strips of a layer hold."""
    return -(-units // NARROW) * NARROW


def stride(values: int) -> int:
    """From one row to the next: whole lines, and an odd number of them, so that not all rows share
    one place in the cache."""
    lines = -(-values // LINE)
    return (lines + 1 - lines % 2) * LINE


def strips(units: int) -> list[tuple[int, int]]:
    """The first unit and the width of each strip.

    >>> strips(50)
    [(0, 16), (16, 16), (32, 16), (48, 8)]
    """
    return [
        (first, STRIP if units - first > NARROW else NARROW) for first in range(0, units, STRIP)
    ]


def in_strips(weights: Array) -> Array:
    """W (inputs, units) as the engine keeps it, flat."""
    fan_in, units = weights.shape
    wide = np.zeros((fan_in, padded(units)), dtype=np.float32)
    wide[:, :units] = weights
    return np.concatenate([wide[:, j : j + lanes].ravel() for j, lanes in strips(units)])


def out_of_strips(flat: Array, fan_in: int, units: int) -> Array:
    """W (inputs, units) from where its strips begin."""
    pieces = [
        flat[fan_in * j : fan_in * (j + lanes)].reshape(fan_in, lanes) for j, lanes in strips(units)
    ]
    return np.concatenate(pieces, axis=1)[:, :units].copy()


def describe(spec: RunSpec) -> Net:
    """The net of a run as the kernels see it."""
    dims = np.array(
        [spec.data.input_dim, *spec.net.hidden_dims, spec.data.num_classes], dtype=np.int64
    )
    sizes = [_room(int(fan_in), int(fan_out)) for fan_in, fan_out in itertools.pairwise(dims)]
    return Net(
        dims=dims,
        starts=np.cumsum([0, *sizes[:-1]], dtype=np.int64),
        width=stride(int(dims[1:].max())),
        batch_size=spec.training.batch_size,
        norm=COMPILED_NORMS[spec.net.normalization],
        groups=spec.net.num_groups or 1,
        rule=RULES[spec.training.update_rule],
        keep=spec.net.dropout,
        reg=spec.net.reg,
        eps=spec.net.eps,
        momentum=spec.net.norm_momentum,
        activation=COMPILED_ACTIVATIONS[spec.net.activation],
        residual=RESIDUALS[spec.net.residual],
        pieces=spec.training.batch_size // (spec.net.ghost_batch or spec.training.batch_size),
        population=int(spec.net.statistics == "population"),
        noise=int(spec.net.norm_noise > 0),
    )


def is_plain(net: Net) -> bool:
    """Whether each hidden layer is x W + b, one of the usual norms, and ReLU: these two are then
    one pass over memory."""
    return net.activation == 0 and net.residual == 0 and net.noise == 0 and net.norm < SQUASHED


def _room(fan_in: int, units: int) -> int:
    """Numbers of a layer's weights, in whole lines."""
    return -(-fan_in * padded(units) // LINE) * LINE


def fresh_state(net: Net, spec: RunSpec) -> tuple[State, Generator]:
    """The state before the first step, with the weights that the reference's net would draw, and
    the generator that drew them."""
    seed, norm = spec.seed, norms.BY_NAME.get(spec.net.normalization or "")
    stds = starts.stds(spec.net.start, net.dims.tolist(), spec.net.weight_scale)
    drawn, standing = _drawn(seed, tuple(net.dims.tolist()))
    layers = len(net.starts)
    size = int(net.starts[-1]) + _room(int(net.dims[-2]), int(net.dims[-1]))
    weights = zeros(size + SPARE)
    for start, normals, std in zip(net.starts, drawn, stds, strict=True):
        laid_out = in_strips((std * normals).astype(np.float32))
        weights[start : start + laid_out.size] = laid_out
    of_each = [each for each in norm.parameters if each.each == "layer"] if norm is not None else []
    rows = len(VECTORS) if of_each else BETA + 1
    vectors = zeros(rows, layers, net.width)
    by_row = vectors.reshape(rows, layers, net.width)
    by_row[GAMMA] = 1
    for parameter in of_each:
        by_row[VECTORS.index(parameter.name), :, 0] = parameter.start
    state = State(
        weights,
        zeros(weights.size),
        zeros(weights.size),
        vectors,
        zeros(vectors.size),
        zeros(vectors.size),
        np.zeros(layers * 2 * net.width),
    )
    rng = randomness.generator(seed)
    rng.set_state(standing)
    return state, rng


@functools.lru_cache(maxsize=1)
def _drawn(seed: int, dims: tuple[int, ...]) -> tuple[list[Array], Any]:
    """The weights of a net at a weight scale of 1, and where the generator then stands.

    Kept for the next run: in a sweep over settings, runs of one seed draw the same numbers again.
    """
    rng = randomness.generator(seed)
    weights = [randomness.initial_weights(rng, *shape, 1.0) for shape in itertools.pairwise(dims)]
    return weights, rng.get_state()


def scratch(net: Net) -> Scratch:
    """Arrays for the steps of one net."""
    layers, width, rows = len(net.starts), net.width, net.batch_size + TALLEST
    return Scratch(
        affine=zeros(layers, rows, width),
        normed=zeros(0 if is_plain(net) else layers, rows, width),
        hidden=zeros(layers, rows, width),
        upstream=zeros(3 if net.residual else 2, rows, width),
        vector_grads=zeros(BETA + 1 if net.norm < SQUASHED else len(VECTORS), layers, width),
        turned=zeros(width * width + SPARE),
        grads=zeros(2 * CHUNK, STRIP),
        scores=zeros(2, width + TALLEST, EXAMPLES),
        skip=zeros(width if net.residual else 0, EXAMPLES),
        statistics=np.zeros(layers * 2 * statistics_width(net)),
        sums=np.zeros(2 * max(width, rows)),
        image_starts=np.zeros(rows, dtype=np.int64),
        ahead_starts=np.zeros(rows, dtype=np.int64),
        row_starts=np.arange(rows) * width,
        strip_starts=np.concatenate([np.arange(TERMS) * NARROW, np.arange(TERMS) * STRIP]),
        labels=np.zeros(rows, dtype=np.int64),
    )


def statistics_width(net: Net) -> int:
    """How many means a layer has at most."""
    return max(net.pieces * net.width, net.batch_size * net.groups)
