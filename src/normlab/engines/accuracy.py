"""How many examples a net in test mode puts into their class: `Solver.check_accuracy`, for blocks of
EXAMPLES.

Activations lie transposed here, a row a unit and a column an example, so that a tile is full however
few units a layer has. Compiled into its callers.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from normlab.engines.columns import columns_of_examples, rows_of_examples
from normlab.engines.layout import EXAMPLES, Net, Scratch, State
from normlab.engines.products import scores_forward
from normlab.typing import Array


@njit(error_model="numpy", _nrt=False)
def scores_of_block(blocks: Array, start: int, net: Net, state: State, work: Scratch) -> int:
    """Where in `work.scores` the scores (classes, EXAMPLES) are of the block that begins at `start`."""
    last, width = len(net.starts) - 1, net.width
    half = work.scores.size // 2
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
        if layer == last:
            for j in range(d):
                for e in range(EXAMPLES):
                    out[j * EXAMPLES + e] += bias[j]
        elif net.norm == 0:
            for j in range(d):
                for e in range(EXAMPLES):
                    y = out[j * EXAMPLES + e] + bias[j]
                    out[j * EXAMPLES + e] = np.float32(0) if y <= 0 else y  # NaN stays
        elif net.norm == 1:
            r0 = layer * 2 * width
            columns_of_examples(
                out, EXAMPLES, d, bias, state.running, r0, width, net.eps, gamma, beta
            )
        else:
            rows_of_examples(
                out, EXAMPLES, d, bias, net.groups, net.norm == 2, net.eps, gamma, beta
            )
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
