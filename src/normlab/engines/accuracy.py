"""How many examples a net in test mode puts into their class: `Solver.check_accuracy`, for blocks
of EXAMPLES.

Activations lie transposed here, a row a unit and a column an example, so that a tile is full
however few units a layer has. Compiled into its callers.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from normlab.engines.activations import activate, squash_of_examples
from normlab.engines.columns import columns_of_examples, rows_of_examples
from normlab.engines.compiling import SQUASHED
from normlab.engines.functions import exp, log
from normlab.engines.layout import ALPHA, EXAMPLES, SHIFT, Net, Scratch, State, is_plain
from normlab.engines.products import scores_forward
from normlab.lanes import COUNT, load, spread, store, where_above
from normlab.typing import Array

plain = njit(is_plain, _nrt=False)


@njit(error_model="numpy", _nrt=False)
def scores_of_block(blocks: Array, start: int, net: Net, state: State, work: Scratch) -> int:
    """Where in `work.scores` the scores (classes, EXAMPLES) of the block at `start` are."""
    last, width = len(net.starts) - 1, net.width
    half, relu = work.scores.size // 2, plain(net)
    x, x0 = blocks, start
    for layer in range(last + 1):
        fan_in, d = net.dims[layer], net.dims[layer + 1]
        o0 = half * (layer % 2)
        scores_forward(
            x, x0, state.weights, net.starts[layer], fan_in, d, work.scores, o0, work.strip_starts
        )
        out = work.scores[o0 : o0 + d * EXAMPLES]
        first = layer * width
        bias = state.vectors[first : first + width]
        first += (last + 1) * width
        gamma = state.vectors[first : first + width]
        first += (last + 1) * width
        beta = state.vectors[first : first + width]
        if net.residual != 0 and 0 < layer < last:
            for k in range(d * EXAMPLES):
                out[k] += work.skip[k]
        if net.residual == 1 and layer < last:
            for j in range(d):
                for e in range(EXAMPLES):
                    work.skip[j * EXAMPLES + e] = out[j * EXAMPLES + e] + bias[j]
        if layer == last:
            for j in range(d):
                for e in range(EXAMPLES):
                    out[j * EXAMPLES + e] += bias[j]
        elif net.norm == 0:
            for j in range(d):
                for e in range(EXAMPLES):
                    y = out[j * EXAMPLES + e] + bias[j]
                    out[j * EXAMPLES + e] = np.float32(0) if relu and y <= 0 else y  # NaN stays
        elif net.norm == 1:
            r0 = layer * 2 * width
            columns_of_examples(
                out, EXAMPLES, d, bias, state.running, r0, width, net.eps, gamma, beta, relu
            )
        elif net.norm >= SQUASHED:
            alpha = state.vectors[(ALPHA * (last + 1) + layer) * width]
            s = state.vectors[(SHIFT * (last + 1) + layer) * width]
            squash_of_examples(out, EXAMPLES, d, bias, net.norm, alpha, s, gamma, beta)
        else:
            rows_of_examples(
                out, EXAMPLES, d, bias, net.groups, net.norm == 2, net.eps, gamma, beta, relu
            )
        if not relu and layer < last:
            if net.residual == 2:
                for k in range(d * EXAMPLES):
                    work.skip[k] = out[k]
            activate(out, 0, EXAMPLES, d, EXAMPLES, net.activation, out, 0)
        x, x0 = work.scores, o0
    return half * (last % 2)


@njit(error_model="numpy", _nrt=False)
def right_in_block(
    scores: Array, s0: int, classes: int, labels: Array, first: int, count: int
) -> int:
    """How many of the first `count` columns have their largest score at their label, as np.argmax
    finds it. Labels begin at `first`."""
    right = 0
    for e in range(count):
        best = 0
        for c in range(1, classes):
            # the first of equals; a NaN before any number
            score, found = scores[s0 + c * EXAMPLES + e], scores[s0 + best * EXAMPLES + e]
            if score > found or (math.isnan(score) and not math.isnan(found)):
                best = c
        right += best == labels[first + e]
    return right


@njit(error_model="numpy", _nrt=False)
def losses_in_block(
    scores: Array, s0: int, classes: int, labels: Array, first: int, count: int, norms: Array,
    losses: Array,
) -> None:  # fmt: skip
    """Softmax losses of the first `count` columns: `layers.softmax_loss`. `norms` is scratch."""
    for e in range(0, EXAMPLES, COUNT):
        largest = load(scores, s0 + e)
        for c in range(1, classes):
            score = load(scores, s0 + c * EXAMPLES + e)
            largest = where_above(score, largest, score, largest)
        sums = spread(0.0)
        for c in range(classes):
            # NaN where a score is NaN or the largest infinite
            sums = sums + exp(load(scores, s0 + c * EXAMPLES + e) - largest)
        store(norms, e, log(sums) + largest)
    for e in range(count):
        of_label = np.float64(scores[s0 + labels[first + e] * EXAMPLES + e])
        losses[first + e] = norms[e] - of_label
