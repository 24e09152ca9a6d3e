"""Training steps and accuracy of one net, compiled whole: what the Solver does between two draws of its generator.

`train_steps` mirrors `Solver._step` and `FullyConnectedNet.loss`; `count_right` mirrors `Solver.check_accuracy`. Both
run without Python, so that as many nets are trained at once as there are cores.
"""

# ruff: noqa: ARG001  (`sources`: see kernels.sources)
from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numba import njit

from normlab.engines.accuracy import right_in_block, scores_of_block
from normlab.engines.arithmetic import ADAM, softmax_loss, update
from normlab.engines.layout import Net, Scratch, State
from normlab.engines.processor import PANEL, WIDE
from normlab.engines.products import affine_forward, input_gradient, update_weights
from normlab.engines.rows import rows_backward, rows_forward, standardize_rows
from normlab.engines.tiles import copy_panel
from normlab.kernels import columns
from normlab.kernels.sources import KERNELS, digest
from normlab.layers.checks import EPS
from normlab.layers.norm_record import MOMENTUM
from normlab.optim import ADAM as ADAM_RULE
from normlab.typing import Array

BETA1, BETA2 = ADAM_RULE.defaults["beta1"], ADAM_RULE.defaults["beta2"]
SOURCES = digest(Path(__file__).parent, KERNELS)


@njit(error_model="numpy")
def forward(images: Array, starts: Array, net: Net, state: State, work: Scratch, kept: Array) -> None:
    """Scores of a batch into the last `work.affine`, in train mode: `FullyConnectedNet._forward`."""
    n, last = net.batch_size, len(net.starts) - 1
    rows, row_starts = images, starts
    hidden = work.hidden.reshape(work.hidden.size)
    height, width = work.hidden.shape[1], work.hidden.shape[2]
    scale = np.float32(1 / net.keep)
    mask_start = 0
    for layer in range(last + 1):
        d = net.dims[layer + 1]
        x, out = work.affine[layer], work.hidden[layer]
        bias = state.vectors[0, layer]
        affine_forward(
            rows, row_starts, n, state.weights, net.starts[layer], net.dims[layer], d, bias, x, layer == 0, work.turned
        )
        if layer == last:
            return
        statistics = work.statistics[layer]
        gamma, beta = state.vectors[1, layer], state.vectors[2, layer]
        if net.norm == 0:
            for i in range(n):
                for j in range(d):
                    out[i, j] = np.float32(0) if x[i, j] <= 0 else x[i, j]
        elif net.norm == 1:
            flat_x, flat_out = x.reshape(x.size), out.reshape(out.size)
            columns.moments(flat_x, n, width, 0, d, EPS, statistics)
            columns.follow(statistics, 0, d, MOMENTUM, state.running[layer])
            columns.normalize(flat_x, n, width, 0, d, statistics, gamma, beta, flat_out, True, False)
        else:
            mean, rstd = statistics[0], statistics[1]
            standardize_rows(x, n, d, net.groups, net.norm == 2, mean, rstd)
            rows_forward(x, n, d, net.groups, mean, rstd, gamma, beta, out)
        if net.keep < 1:
            for i in range(n):
                for j in range(d):
                    out[i, j] *= scale if kept[mask_start + i * d + j] else np.float32(0)
            mask_start += n * d
        for i in range(height):
            work.row_starts[i] = (layer * height + i) * width
        rows, row_starts = hidden, work.row_starts


@njit(error_model="numpy")
def backward_and_update(
    images: Array, starts: Array, ahead: Array, net: Net, state: State, work: Scratch, kept: Array,
    rate: np.float32, correction: np.float32,
) -> float:  # fmt: skip
    """Gradients from the last layer down, each weight updated as soon as nothing needs it any more:
    `FullyConnectedNet._backward` and the update rule. Returns the sum of all squared weights, where there is
    regularization. The scores' gradient is in `work.upstream[0]`."""
    n, last = net.batch_size, len(net.starts) - 1
    hidden = work.hidden.reshape(work.hidden.size)
    height, width = work.hidden.shape[1], work.hidden.shape[2]
    scale, reg = np.float32(1 / net.keep), np.float32(net.reg)
    squares = 0.0
    mask_start = 0
    for layer in range(last):
        mask_start += n * net.dims[layer + 1]
    for layer in range(last, -1, -1):
        fan_in, d = net.dims[layer], net.dims[layer + 1]
        dout, dx = work.upstream[0], work.upstream[1]
        dbias = work.vector_grads[0, layer]
        for j in range(d):
            dbias[j] = 0.0
        for i in range(n):
            for j in range(d):
                dbias[j] += dout[i, j]
        if layer > 0:
            input_gradient(dout, n, state.weights, net.starts[layer], fan_in, d, dx)
        for panel in range((fan_in + PANEL - 1) // PANEL):
            if layer > 0:
                x, x_start, x_step = hidden, (layer - 1) * height * width + panel * PANEL, width
            else:
                x, x_start, x_step = work.panel, 0, PANEL
                copy_panel(images, starts, n, panel * PANEL, work.panel, ahead)
            squares += update_weights(
                x, x_start, x_step, dout, n, panel, d,
                state.weights, state.weights_first, state.weights_second, net.starts[layer], work.panel_grads,
                net.rule, rate, correction, reg,
            )  # fmt: skip
        if layer == 0:
            break
        below = layer - 1
        d = fan_in
        out = work.hidden[below]
        if net.keep < 1:
            mask_start -= n * d
            for i in range(n):
                for j in range(d):
                    dx[i, j] *= scale if kept[mask_start + i * d + j] else np.float32(0)
        # chosen, not multiplied: an infinite gradient times 0 would be NaN
        if net.norm == 0:
            for i in range(n):
                for j in range(d):
                    dout[i, j] = dx[i, j] if out[i, j] > 0 else np.float32(0)
            continue
        for i in range(n):
            for j in range(d):
                dx[i, j] = dx[i, j] if out[i, j] > 0 else np.float32(0)
        statistics = work.statistics[below]
        gamma = state.vectors[1, below]
        dgamma, dbeta = work.vector_grads[1, below], work.vector_grads[2, below]
        x = work.affine[below]
        if net.norm == 1:
            sums = work.columns
            flat_x, flat_dout, flat_dx = x.reshape(x.size), dout.reshape(x.size), dx.reshape(x.size)
            columns.sums_backward(flat_dx, flat_x, n, width, 0, d, statistics, sums[0], sums[1])
            columns.gradient(
                flat_dx, flat_x, n, width, 0, d, statistics, gamma, sums[0], sums[1], False, flat_dout, False
            )
            for j in range(d):
                dgamma[j] = np.float32(sums[0, j])
                dbeta[j] = np.float32(sums[1, j])
        else:
            centred = net.norm == 2
            mean, rstd = statistics[0], statistics[1]
            rows_backward(dx, x, n, d, net.groups, centred, mean, rstd, gamma, dgamma, dbeta, dout, work.columns)
    vectors = state.vectors.reshape(state.vectors.size)
    update(
        net.rule, rate, correction, vectors, work.vector_grads.reshape(vectors.size),
        state.vectors_first.reshape(vectors.size), state.vectors_second.reshape(vectors.size),
    )  # fmt: skip
    return squares


@njit(error_model="numpy", nogil=True, cache=True)
def train_steps(
    images: Array, labels: Array, batches: Array, kept: Array, net: Net, state: State, work: Scratch,
    learning_rate: float, before: int, losses: Array, sources: int = SOURCES,
) -> None:  # fmt: skip
    """One step a row of `batches`, (steps, batch_size) indices into images and labels; losses (steps,).

    images: flat, each row in whole panels, and a row of zeros at the end. kept: (steps, ...) Booleans, dropout's
    draws for each layer in turn. `before` is the number of steps taken so far.
    """
    n, last = net.batch_size, len(net.starts) - 1
    row = (net.dims[0] + PANEL - 1) // PANEL * PANEL
    starts, ahead, batch_labels = work.image_starts, work.ahead_starts, work.labels
    for i in range(n, len(starts)):
        starts[i] = images.size - row
    for step in range(len(batches)):
        for i in range(n):
            starts[i] = batches[step, i] * row
            ahead[i] = batches[min(step + 1, len(batches) - 1), i] * row
            batch_labels[i] = labels[batches[step, i]]
        forward(images, starts, net, state, work, kept[step])
        loss = softmax_loss(work.affine[last], batch_labels, n, net.dims[last + 1], work.upstream[0])
        rate, correction = learning_rate, 1.0
        if net.rule == ADAM:
            t = before + step + 1
            rate = learning_rate / (1 - BETA1**t)
            correction = 1 / math.sqrt(1 - BETA2**t)
        squares = backward_and_update(
            images, starts, ahead, net, state, work, kept[step], np.float32(rate), np.float32(correction)
        )
        losses[step] = loss + np.float32(0.5 * net.reg * squares)


@njit(error_model="numpy", nogil=True, cache=True)
def count_right(blocks: Array, labels: Array, net: Net, state: State, buffers: Array, sources: int = SOURCES) -> int:
    """Examples put into their class: blocks (number, inputs in whole panels * WIDE), labels (examples,)."""
    right = 0
    for number in range(len(blocks)):
        scores = scores_of_block(blocks[number], net, state, buffers)
        right += right_in_block(scores, labels[number * WIDE : (number + 1) * WIDE])
    return right
