"""One run of the compiled engine: the events of `Solver.train` in their order, with compiled code between the draws."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from normlab import randomness
from normlab.data.dataset import Dataset
from normlab.engines import layout
from normlab.engines.layout import Net, State
from normlab.engines.processor import PANEL, TILE, WIDE
from normlab.engines.training import count_right, train_steps
from normlab.specs import DataSpec, History, RunSpec
from normlab.typing import Array, Generator

SAMPLES = 1000  # the Solver's num_train_samples
MASK_BYTES = 32 << 20  # dropout's draws are made for so many steps at a time


class Images(NamedTuple):
    """A data set as the kernels read it: float32, rows in whole panels."""

    train: Array  # flat, one row an example, and a row of zeros
    y_train: Array
    train_blocks: Array  # (blocks, row * WIDE), transposed; empty where accuracy is measured on a sample
    val_blocks: Array
    y_val: Array


# the last data set used: one copy a process, whatever the number of runs
_laid_out: dict[tuple[DataSpec, str], Images] = {}


def train_compiled(
    spec: RunSpec, data: Dataset, measured: Callable[[float, Net, State], object] | None = None
) -> History:
    """The history of a float32 run: the Solver's, with sums added in another order.

    `measured` is called with each validation accuracy and the net and state it was measured on.
    """
    began = time.perf_counter()
    with np.errstate(all="ignore"):  # a run that diverges overflows; `diverged` says so
        losses, train_acc, val_acc = _train(spec, data, measured)
    return History(
        loss=tuple(losses),
        train_acc=tuple(train_acc),
        val_acc=tuple(val_acc),
        best_val_acc=max(val_acc),
        diverged=not all(map(math.isfinite, losses)),
        seconds=time.perf_counter() - began,
    )


def _train(
    spec: RunSpec, data: Dataset, measured: Callable[[float, Net, State], object] | None
) -> tuple[list[float], list[float], list[float]]:
    """Losses, training and validation accuracies."""
    images = _images(data)
    net = layout.describe(spec)
    state, rng = layout.fresh_state(net, spec.seed, spec.net.weight_scale)
    work = layout.scratch(net)
    units = max(int(net.dims[1:].max()), TILE)
    buffers = layout.zeros(2, (units + TILE) * WIDE)

    num_train = spec.data.num_train
    epoch = max(num_train // spec.training.batch_size, 1)
    last = spec.training.num_epochs * epoch
    learning_rate = spec.training.learning_rate
    losses = np.empty(last)
    train_acc: list[float] = []
    val_acc: list[float] = []
    done = 0
    while done < last:
        until = 1 if done == 0 else min(done - done % epoch + epoch, last)
        for first, batches, kept in _draws(rng, net, num_train, done, until):
            train_steps(
                images.train, images.y_train, batches, kept, net, state, work, learning_rate, first,
                losses[first : first + len(batches)],
            )  # fmt: skip
        done = until
        if done % epoch == 0:
            learning_rate *= spec.training.lr_decay
        blocks, labels = images.train_blocks, images.y_train
        if num_train > SAMPLES:
            chosen = randomness.subsample(rng, num_train, SAMPLES)
            row = layout.panels(spec.data.input_dim) * PANEL
            blocks, labels = _blocks(images.train.reshape(-1, row)[chosen]), labels[chosen]
        train_acc.append(count_right(blocks, labels, net, state, buffers) / len(labels))
        val_acc.append(count_right(images.val_blocks, images.y_val, net, state, buffers) / len(images.y_val))
        if measured is not None:
            measured(val_acc[-1], net, state)
    return losses.tolist(), train_acc, val_acc


def _draws(rng: Generator, net: Net, num_train: int, done: int, until: int):
    """Yield (first step, batches, dropout's draws) for the steps done, …, until - 1, drawn in the Solver's order."""
    if net.keep == 1:
        # with nothing drawn in between, the batches of many steps are one draw
        batches = randomness.minibatch(rng, num_train, (until - done) * net.batch_size)
        yield done, batches.reshape(until - done, net.batch_size), np.empty((until - done, 0), dtype=np.bool_)
        return
    hidden = [int(d) for d in net.dims[1:-1]]
    at_once = max(1, MASK_BYTES // max(1, net.batch_size * sum(hidden)))
    for first in range(done, until, at_once):
        steps = min(at_once, until - first)
        batches = np.empty((steps, net.batch_size), dtype=np.int64)
        kept = np.empty((steps, net.batch_size * sum(hidden)), dtype=np.bool_)
        for step in range(steps):
            batches[step] = randomness.minibatch(rng, num_train, net.batch_size)
            masks = [rng.rand(net.batch_size, d) < net.keep for d in hidden]
            kept[step] = np.concatenate([mask.ravel() for mask in masks]) if masks else kept[step]
        yield first, batches, kept


def _images(data: Dataset) -> Images:
    """The data set laid out for the kernels; made once for runs on the same data."""
    key = (data.spec, data.inputs)
    found = _laid_out.get(key)
    if found is None:
        _laid_out.clear()
        train, val = _rows(data.X_train, data.spec.input_dim), _rows(data.X_val, data.spec.input_dim)
        blocks = _blocks(train if len(train) <= SAMPLES else train[:0])
        flat = layout.zeros(train.size + train.shape[1])
        flat[: train.size] = train.ravel()
        # copies, because code compiled for writable arrays would be compiled again for shared ones
        y_train, y_val = (np.array(y, dtype=np.int64) for y in (data.y_train, data.y_val))
        found = _laid_out[key] = Images(flat, y_train, blocks, _blocks(val), y_val)
    return found


def _rows(X: Array, values: int) -> Array:
    """X as float32, a row an example, padded with zeros to whole panels."""
    rows = layout.zeros(len(X), layout.panels(values) * PANEL)
    rows[:, :values] = X.reshape(len(X), -1)
    return rows


def _blocks(rows: Array) -> Array:
    """Rows in blocks of WIDE, each transposed and flat; the last one filled up with zeros."""
    blocks = layout.zeros(-(-len(rows) // WIDE), rows.shape[1], WIDE)
    for number in range(len(blocks)):
        some = rows[number * WIDE : (number + 1) * WIDE]
        blocks[number, :, : len(some)] = some.T
    return blocks.reshape(len(blocks), rows.shape[1] * WIDE)
