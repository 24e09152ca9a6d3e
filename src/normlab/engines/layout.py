"""How the compiled engine lays out a net in memory.

Weights are kept with a row a unit, W transposed, cut into panels of PANEL inputs each:

    panel 0: unit 0's weights to inputs 0..63, unit 1's, …; panel 1: inputs 64..127; …

so that every tile reads and writes whole vectors, and a panel with its optimizer state stays in the cache while it is
worked on. Inputs beyond the last and units below TILE are zeros that are never written to. Letters: L layers, the
scores' included; `dims` has L + 1 entries, the inputs first.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from normlab import randomness
from normlab.engines.arithmetic import RULES
from normlab.engines.compiling import COMPILED_NORMS
from normlab.engines.processor import LINE, PANEL, SPARE, TILE
from normlab.specs import RunSpec
from normlab.typing import Array, Generator

B, GAMMA, BETA = 0, 1, 2  # rows of State.vectors


class Net(NamedTuple):
    """What the kernels must know about a net."""

    dims: Array  # (L + 1,) whole numbers
    starts: Array  # (L,) where each layer's weights start
    norm: int  # of COMPILED_NORMS
    groups: int  # of a row that are normalized apart: 1 but for group norm
    keep: float  # dropout's probability of keeping a unit
    reg: float
    rule: int  # of arithmetic.RULES
    batch_size: int


class State(NamedTuple):
    """What training changes. Weights are flat; vectors (3, L, width): b, gamma and beta of each layer."""

    weights: Array
    weights_first: Array  # Adam's m, or the velocity
    weights_second: Array  # Adam's v, or RMSProp's cache
    vectors: Array
    vectors_first: Array
    vectors_second: Array
    running: Array  # (L, 2, width) float64: mean and variance


class Scratch(NamedTuple):
    """Arrays that a step writes before it reads them. Rows: the batch, at least TILE."""

    affine: Array  # (L, rows, width), each layer's x W + b
    hidden: Array  # (L, rows, width), what each layer hands on
    statistics: Array  # (L, 4, width or rows * groups) float64; of a row's norm, mean and rstd come first
    upstream: Array  # (2, rows, width), the gradients on their way down
    vector_grads: Array  # (3, L, width)
    panel: Array  # (rows * PANEL,), a panel of the batch's images
    panel_grads: Array  # (units * PANEL,), a panel of weight gradients
    turned: Array  # (2 * PANEL * width,), a layer's weights with a row an input
    columns: Array  # (2, width) float64
    image_starts: Array  # (rows,) where each example of the batch starts
    ahead_starts: Array  # the same of the next batch
    row_starts: Array  # (rows,) where each row of `hidden` starts
    labels: Array  # (rows,) of the batch


def zeros(*shape: int) -> Array:
    """float32 zeros that begin at a line of memory: a register loaded from two lines takes twice as long."""
    size = math.prod(shape)
    room = np.zeros(size + LINE, dtype=np.float32)
    first = -room.ctypes.data // room.itemsize % LINE
    return room[first : first + size].reshape(shape)


def panels(values: int) -> int:
    """How many panels hold so many numbers."""
    return -(-values // PANEL)


def describe(spec: RunSpec) -> Net:
    """The net of a run as the kernels see it."""
    dims = np.array([spec.data.input_dim, *spec.net.hidden_dims, spec.data.num_classes], dtype=np.int64)
    sizes = [panels(fan_in) * PANEL * max(fan_out, TILE) for fan_in, fan_out in itertools.pairwise(dims)]
    return Net(
        dims=dims,
        starts=np.cumsum([0, *sizes[:-1]], dtype=np.int64),
        norm=COMPILED_NORMS[spec.net.normalization],
        groups=spec.net.num_groups or 1,
        keep=spec.net.dropout,
        reg=spec.net.reg,
        rule=RULES[spec.training.update_rule],
        batch_size=spec.training.batch_size,
    )


def fresh_state(net: Net, seed: int, weight_scale: float) -> tuple[State, Generator]:
    """The state before the first step, with the weights that the assignment's net would draw, and the generator that
    drew them."""
    drawn, standing = _drawn(seed, tuple(net.dims.tolist()))
    layers, width = len(net.starts), _width(net)
    size = int(net.starts[-1]) + panels(int(net.dims[-2])) * PANEL * max(int(net.dims[-1]), TILE)
    weights = zeros(size + SPARE)
    for start, normals in zip(net.starts, drawn, strict=True):
        fan_in, fan_out = normals.shape
        units, pieces = max(fan_out, TILE), panels(fan_in)
        padded = np.zeros((pieces * PANEL, units), dtype=np.float32)
        padded[:fan_in, :fan_out] = weight_scale * normals
        laid_out = padded.reshape(pieces, PANEL, units).transpose(0, 2, 1)
        weights[start : start + laid_out.size] = laid_out.ravel()
    vectors = zeros(3, layers, width)
    vectors[GAMMA] = 1
    state = State(
        weights,
        zeros(weights.size),
        zeros(weights.size),
        vectors,
        zeros(*vectors.shape),
        zeros(*vectors.shape),
        np.zeros((layers, 2, width)),
    )
    rng = randomness.generator(seed)
    rng.set_state(standing)
    return state, rng


@functools.lru_cache(maxsize=1)
def _drawn(seed: int, dims: tuple[int, ...]) -> tuple[list[Array], Any]:
    """The weights of a net at a weight scale of 1, and where the generator then stands.

    Kept for the next run: in a sweep over settings, runs of one seed draw the same numbers again and again.
    """
    rng = randomness.generator(seed)
    return [randomness.initial_weights(rng, *shape, 1.0) for shape in itertools.pairwise(dims)], rng.get_state()


def scratch(net: Net) -> Scratch:
    """Arrays for the steps of one net."""
    layers, width, rows = len(net.starts), _width(net), max(net.batch_size, TILE)
    statistics = max(width, net.batch_size * net.groups)
    return Scratch(
        affine=zeros(layers, rows, width),
        hidden=zeros(layers, rows, width),
        statistics=np.zeros((layers, 4, statistics)),
        upstream=zeros(2, rows, width),
        vector_grads=zeros(3, layers, width),
        panel=zeros(rows * PANEL),
        panel_grads=zeros(max(int(net.dims[1:].max()), TILE) * PANEL),
        turned=zeros(2 * PANEL * width),
        columns=np.zeros((2, width)),
        image_starts=np.zeros(rows, dtype=np.int64),
        ahead_starts=np.zeros(rows, dtype=np.int64),
        row_starts=np.zeros(rows, dtype=np.int64),
        labels=np.zeros(rows, dtype=np.int64),
    )


def _width(net: Net) -> int:
    """The length of a row of activations: whole panels."""
    return panels(int(net.dims[1:].max())) * PANEL
