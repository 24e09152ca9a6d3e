"""How many examples a net in test mode puts into their class: `Solver.check_accuracy`, for blocks of WIDE examples.

Activations lie transposed here, a row a unit and a column an example, so that every product is an `outer_tile` and
every other loop runs along the examples. Compiled, never cached by itself.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from normlab.engines.layout import Net, State
from normlab.engines.processor import LINE, PANEL, TILE, WIDE
from normlab.engines.tiles import outer_tile
from normlab.kernels.lanes import COUNT, load, multiply_add, positive, root, spread, store
from normlab.layers.checks import EPS
from normlab.typing import Array


@njit(error_model="numpy")
def scores_of_block(block: Array, net: Net, state: State, buffers: Array) -> Any:
    """Scores (classes, WIDE) of the examples in `block`, (inputs in whole panels, WIDE) laid flat."""
    last = len(net.starts) - 1
    x = block
    for layer in range(last + 1):
        fan_in, d = net.dims[layer], net.dims[layer + 1]
        flat = buffers[layer % 2]
        _affine(x, state.weights, net.starts[layer], fan_in, d, flat)
        out = flat[: d * WIDE].reshape((d, WIDE))
        bias, gamma, beta = state.vectors[0, layer], state.vectors[1, layer], state.vectors[2, layer]
        if layer == last:
            for j in range(d):
                for e in range(WIDE):
                    out[j, e] += bias[j]
            break
        if net.norm == 0:
            _plain(out, bias)
        elif net.norm == 1:
            _columns(out, bias, state.running[layer, 0], state.running[layer, 1], gamma, beta)
        else:
            _rows(out, bias, net.groups, net.norm == 2, gamma, beta)
        x = flat
    return out


@njit(error_model="numpy")
def _affine(x: Array, weights: Array, start: int, fan_in: int, units: int, out: Array) -> None:
    """out[j, e] = Σ_k W[k, j] x[k, e]. `out` has rows for whole tiles; those beyond the last unit hold nothing."""
    stretch = max(units, TILE)
    for panel in range((fan_in + PANEL - 1) // PANEL):
        here, terms = panel * PANEL * WIDE, min(PANEL, fan_in - panel * PANEL)
        for j in range(0, units, TILE):
            w = start + (panel * stretch + j) * PANEL
            ahead = here + PANEL * WIDE + j // TILE * LINE % WIDE  # each tile fetches a line a row of the next panel
            outer_tile(weights, w, PANEL, 1, x, here, WIDE, terms, out, j * WIDE, WIDE, panel > 0, ahead)


@njit(error_model="numpy")
def _plain(x: Array, bias: Array) -> None:
    """In place, relu(x + b)."""
    for j in range(x.shape[0]):
        for e in range(WIDE):
            y = x[j, e] + bias[j]
            x[j, e] = np.float32(0) if y <= 0 else y  # NaN stays


@njit(error_model="numpy")
def _columns(x: Array, bias: Array, mean: Array, var: Array, gamma: Array, beta: Array) -> None:
    """In place, relu(gamma * (x + b - mean) / sqrt(var + eps) + beta): `layers.batchnorm_forward`, test mode."""
    flat = x.reshape(x.size)
    for j in range(x.shape[0]):
        slope = gamma[j] / math.sqrt(var[j] + EPS)
        a, b = spread(slope), spread(beta[j] + (bias[j] - mean[j]) * slope)
        for e in range(0, WIDE, COUNT):
            at = j * WIDE + e
            store(flat, at, positive(multiply_add(load(flat, at), a, b)))


@njit(error_model="numpy")
def _rows(x: Array, bias: Array, groups: int, centred: bool, gamma: Array, beta: Array) -> None:
    """In place, ReLU of layer, group or RMS norm of each example's x + b: `layers.layernorm_forward` and its like."""
    members, flat = x.shape[0] // groups, x.reshape(x.size)
    for g in range(groups):
        units = range(g * members, (g + 1) * members)
        for e in range(0, WIDE, COUNT):
            sums, squares = spread(0.0), spread(0.0)
            for j in units:
                # the sum of two float32 in float64 and stored as float32 is rounded as if once
                store(flat, j * WIDE + e, load(flat, j * WIDE + e) + spread(bias[j]))
                sums = sums + load(flat, j * WIDE + e)
            mean = sums / spread(float(members)) if centred else spread(0.0)
            for j in units:
                c = load(flat, j * WIDE + e) - mean
                squares = multiply_add(c, c, squares)
            rstd = spread(1.0) / root(squares / spread(float(members)) + spread(EPS))
            for j in units:
                xhat = (load(flat, j * WIDE + e) - mean) * rstd
                y = multiply_add(spread(gamma[j]), xhat, spread(beta[j]))
                store(flat, j * WIDE + e, positive(y))


@njit(error_model="numpy")
def right_in_block(scores: Array, labels: Array) -> int:
    """How many of the first len(labels) columns have their largest score at their label, as np.argmax finds it."""
    right = 0
    for e in range(len(labels)):
        best = 0
        for c in range(1, scores.shape[0]):
            # the first of equals; a NaN before any number
            if scores[c, e] > scores[best, e] or (math.isnan(scores[c, e]) and not math.isnan(scores[best, e])):
                best = c
        right += best == labels[e]
    return right
