"""Training steps and accuracy of one net, compiled whole: what the Solver does between two draws.

`train_steps` mirrors `Solver._step` and `FullyConnectedNet.loss`; `count_right` mirrors
`Solver.check_accuracy`. Both run without Python, so that as many nets are trained at once as there
are cores, and neither allocates memory or raises: they are made into a library ahead of time
(`interface`).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from normlab.engines.accuracy import losses_in_block, right_in_block, scores_of_block
from normlab.engines.activations import (
    activate,
    activation_backward,
    add,
    squash_backward,
    squash_forward,
)
from normlab.engines.arithmetic import ADAM, power, softmax_loss, update
from normlab.engines.columns import columns_backward, columns_forward, standardize_columns
from normlab.engines.compiling import SQUASHED
from normlab.engines.layout import (
    ALPHA,
    EXAMPLES,
    SHIFT,
    SPARE,
    Blocks,
    Net,
    Scratch,
    State,
    Steps,
    is_plain,
    padded,
    stride,
)
from normlab.engines.products import affine_forward, input_gradient, update_weights
from normlab.engines.rows import rows_backward, rows_forward, standardize_rows
from normlab.optim import ADAM as ADAM_RULE
from normlab.typing import Array

BETA1, BETA2 = ADAM_RULE.defaults["beta1"], ADAM_RULE.defaults["beta2"]
row_length, whole_strips = njit(stride, _nrt=False), njit(padded, _nrt=False)
plain = njit(is_plain, _nrt=False)


@njit(error_model="numpy", _nrt=False)
def forward(
    images: Array, net: Net, state: State, work: Scratch, kept: Array, noise: Array, drawn: int,
    begun: bool,
) -> None:  # fmt: skip
    """Scores of a batch into the last `work.affine`, in train mode: `FullyConnectedNet._forward`.

    Draws for dropout and noise begin at `drawn`. `begun` says that there was a step before.
    """
    n, last, width = net.batch_size, len(net.starts) - 1, net.width
    rows = work.affine.size // ((last + 1) * width)
    of_layer = work.statistics.size // (last + 1)
    scale, relu = np.float32(1 / net.keep), plain(net)
    for layer in range(last + 1):
        fan_in, d = net.dims[layer], net.dims[layer + 1]
        x0 = layer * rows * width
        if layer == 0:
            affine_forward(
                images, 0, work.image_starts, n, state.weights, net.starts[0], fan_in, d,
                state.vectors, 0, work.affine, 0, width, True,
            )  # fmt: skip
        else:
            affine_forward(
                work.hidden, x0 - rows * width, work.row_starts, n, state.weights,
                net.starts[layer], fan_in, d, state.vectors, layer * width, work.affine, x0, width,
                False,
            )  # fmt: skip
        if layer == last:
            return
        first = (last + 1 + layer) * width
        gamma = state.vectors[first : first + width]
        first += (last + 1) * width
        beta = state.vectors[first : first + width]
        x, statistics = work.affine, work.statistics
        out = work.hidden if relu else work.normed
        below = x0 - rows * width
        if net.residual != 0 and layer > 0:
            add(x, x0, x if net.residual == 1 else work.normed, below, width, n, d)
        mean = layer * of_layer
        rstd = mean + of_layer // 2
        if net.norm == 0:
            for i in range(n):
                row, target = (
                    x[x0 + i * width : x0 + i * width + d],
                    out[x0 + i * width : x0 + i * width + d],
                )
                for j in range(d):
                    target[j] = np.float32(0) if relu and row[j] <= 0 else row[j]
        elif net.norm == 1:
            part = n // net.pieces
            standardize_columns(
                x, x0, width, part, net.pieces, d, net.eps, net.momentum, statistics, mean, rstd,
                state.running, layer * 2 * width, net.population, begun,
            )  # fmt: skip
            for piece in range(net.pieces):
                start, place = x0 + piece * part * width, piece * width
                columns_forward(
                    x, start, width, part, d, statistics, mean + place, rstd + place, gamma, beta,
                    out, start, relu,
                )  # fmt: skip
        elif net.norm >= SQUASHED:
            alpha = state.vectors[(ALPHA * (last + 1) + layer) * width]
            s = state.vectors[(SHIFT * (last + 1) + layer) * width]
            squash_forward(x, x0, width, n, d, net.norm, alpha, s, gamma, beta, out, x0)
        else:
            standardize_rows(
                x, x0, width, n, d, net.groups, net.norm == 2, net.eps, statistics, mean, rstd
            )
            rows_forward(
                x, x0, width, n, d, net.groups, statistics, mean, rstd, gamma, beta, out, x0, relu
            )
        if not relu:
            if net.noise == 1:
                for i in range(n):
                    for j in range(d):
                        out[x0 + i * width + j] += noise[drawn + i * d + j]
            activate(out, x0, width, n, d, net.activation, work.hidden, x0)
            out = work.hidden
        if net.keep < 1:
            for i in range(n):
                for j in range(d):
                    out[x0 + i * width + j] *= scale if kept[drawn + i * d + j] else np.float32(0)
        drawn += n * d


@njit(error_model="numpy", _nrt=False)
def backward_and_update(
    images: Array, net: Net, state: State, work: Scratch, kept: Array, drawn: int,
    begun: bool, rate: np.float32, correction: np.float32, shrink: np.float32,
) -> float:  # fmt: skip
    """Gradients from the last layer down, each weight updated as soon as nothing needs it any more:
    `FullyConnectedNet._backward` and the update rule. Returns the sum of all squared weights, where
    there is regularization. The gradient of the scores is in the first part of `work.upstream`, and
    dropout's draws end at `drawn`. Weights are multiplied by `shrink` first."""
    n, last, width = net.batch_size, len(net.starts) - 1, net.width
    rows = work.affine.size // ((last + 1) * width)
    of_layer = work.statistics.size // (last + 1)
    scale, reg = np.float32(1 / net.keep), np.float32(net.reg)
    dout, dx0 = work.upstream, rows * width  # dx is the second part
    relu, skip0 = plain(net), 2 * rows * width
    squares = 0.0
    for layer in range(last, -1, -1):
        fan_in, d = net.dims[layer], net.dims[layer + 1]
        dbias = work.vector_grads[layer * width : (layer + 1) * width]
        for j in range(d):
            dbias[j] = 0.0
        for i in range(n):
            row = dout[i * width : i * width + d]
            for j in range(d):
                dbias[j] += row[j]
            for j in range(d, whole_strips(d)):
                dout[i * width + j] = 0.0  # units that are not there
        if layer == 0:
            squares += update_weights(
                images, 0, work.image_starts, work.ahead_starts, n, dout, 0, width, state.weights,
                state.weights_first, state.weights_second, net.starts[0], fan_in, d, work.grads,
                net.rule, rate, correction, reg, shrink, True,
            )  # fmt: skip
            break
        below = layer - 1
        x0 = below * rows * width
        input_gradient(
            dout, 0, work.row_starts, n, state.weights, net.starts[layer], fan_in, d, dout, dx0,
            width, work.turned,
        )  # fmt: skip
        squares += update_weights(
            work.hidden, x0, work.row_starts, work.row_starts, n, dout, 0, width, state.weights,
            state.weights_first, state.weights_second, net.starts[layer], fan_in, d, work.grads,
            net.rule, rate, correction, reg, shrink, False,
        )  # fmt: skip
        skips = net.residual != 0 and layer < last
        d = fan_in
        out = work.hidden
        drawn -= n * d
        if net.keep < 1:
            for i in range(n):
                for j in range(d):
                    dout[dx0 + i * width + j] *= scale if kept[drawn + i * d + j] else np.float32(0)
        if not relu:
            activation_backward(dout, dx0, work.normed, x0, width, n, d, net.activation)
            if skips and (net.residual == 2 or net.norm == 0):
                add(dout, dx0, dout, 0, width, n, d)
            elif skips:
                for i in range(n * width):
                    dout[skip0 + i] = dout[i]
        # chosen, not multiplied: an infinite gradient times 0 would be NaN
        to = 0 if net.norm == 0 else dx0
        for i in range(n):
            target, row = (
                dout[to + i * width : to + i * width + d],
                dout[dx0 + i * width : dx0 + i * width + d],
            )
            passed = out[x0 + i * width : x0 + i * width + d]
            for j in range(d):
                target[j] = row[j] if not relu or passed[j] > 0 else np.float32(0)
        if net.norm == 0:
            continue
        mean = below * of_layer
        rstd = mean + of_layer // 2
        first = (last + 1 + below) * width
        gamma, dgamma = (
            state.vectors[first : first + width],
            work.vector_grads[first : first + width],
        )
        first += (last + 1) * width
        dbeta = work.vector_grads[first : first + width]
        if net.norm == 1:
            part = n // net.pieces
            for piece in range(net.pieces):
                start, place = piece * part * width, piece * width
                columns_backward(
                    dout, dx0 + start, work.affine, x0 + start, width, part, d, work.statistics,
                    mean + place, rstd + place, gamma, dgamma, dbeta, dout, start,
                    net.population if begun else 0, piece > 0,
                )  # fmt: skip
        elif net.norm >= SQUASHED:
            a0, s0 = (ALPHA * (last + 1) + below) * width, (SHIFT * (last + 1) + below) * width
            squash_backward(
                dout, dx0, work.affine, x0, width, n, d, net.norm, state.vectors[a0],
                state.vectors[s0], gamma, dgamma, dbeta, work.vector_grads, a0, s0, dout, 0,
            )  # fmt: skip
        else:
            rows_backward(
                dout, dx0, work.affine, x0, width, n, d, net.groups, net.norm == 2, work.statistics,
                mean, rstd, gamma, dgamma, dbeta, dout, 0, work.sums,
            )  # fmt: skip
        if skips and net.residual == 1:
            add(dout, 0, dout, skip0, width, n, d)
    update(
        net.rule, rate, correction, state.vectors, work.vector_grads,
        state.vectors_first, state.vectors_second,
    )  # fmt: skip
    return squares


@njit(error_model="numpy", _nrt=False)
def train_steps(net: Net, state: State, work: Scratch, steps: Steps) -> None:
    """As many steps as there are losses."""
    n, last = net.batch_size, len(net.starts) - 1
    row = row_length(net.dims[0])
    rows, count = len(work.image_starts), steps.losses.size
    draws = max(steps.kept.size, steps.noise.size) // max(1, count)
    for i in range(n, rows):
        work.image_starts[i] = steps.images.size - row - SPARE  # zeros
    for step in range(count):
        for i in range(n):
            example = steps.batches[step * n + i]
            work.image_starts[i] = example * row
            work.ahead_starts[i] = steps.batches[min(step + 1, count - 1) * n + i] * row
            work.labels[i] = steps.labels[example]
        begun = steps.before + step > 0
        forward(steps.images, net, state, work, steps.kept, steps.noise, step * draws, begun)
        scores = last * rows * net.width
        loss = softmax_loss(
            work.affine,
            scores,
            net.width,
            work.labels,
            n,
            net.dims[last + 1],
            work.upstream,
            0,
            work.sums,
        )
        rate, correction = steps.rates[step], 1.0
        if net.rule == ADAM:
            t = steps.before + step + 1
            rate = rate / (1 - power(BETA1, t))
            correction = 1 / math.sqrt(1 - power(BETA2, t))
        squares = backward_and_update(
            steps.images, net, state, work, steps.kept, (step + 1) * draws, begun,
            np.float32(rate), np.float32(correction), np.float32(steps.shrinks[step]),
        )  # fmt: skip
        steps.losses[step] = loss + np.float32(0.5 * net.reg * squares)


@njit(error_model="numpy", _nrt=False)
def count_right(net: Net, state: State, work: Scratch, blocks: Blocks) -> int:
    """How many examples are put into their class, and, if asked for, the softmax loss of each."""
    right, size = 0, net.dims[0] * EXAMPLES
    classes, labels = net.dims[len(net.starts)], blocks.labels
    for number in range(blocks.images.size // size):
        first = number * EXAMPLES
        s0 = scores_of_block(blocks.images, number * size, net, state, work)
        count = min(EXAMPLES, len(labels) - first)
        right += right_in_block(work.scores, s0, classes, labels, first, count)
        if blocks.losses.size > 0:
            losses = blocks.losses
            losses_in_block(work.scores, s0, classes, labels, first, count, work.sums, losses)
    return right
