"""One run of the compiled engine: the events of `Solver.train` in their order, with compiled code between the draws."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from normlab import randomness
from normlab.data.dataset import Dataset
from normlab.engines import layout, library
from normlab.engines.layout import EXAMPLES, SPARE, Blocks, Net, Scratch, State, Steps
from normlab.engines.library import Functions
from normlab.engines.table import table_of
from normlab.specs import DataSpec, History, RunSpec
from normlab.typing import Array, Generator

SAMPLES = 1000  # the Solver's num_train_samples
MASK_BYTES = 32 << 20  # dropout's draws are made for so many steps at a time


class Images(NamedTuple):
    """A data set as the kernels read it: float32, flat."""

    train: Array  # a row an example in its stride, then a row of zeros and SPARE more
    y_train: Array
    train_blocks: Array  # see `_blocks`; empty where accuracy is measured on a sample
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
    functions = library.functions()
    images = _images(data)
    net = layout.describe(spec)
    state, rng = layout.fresh_state(net, spec.seed, spec.net.weight_scale)
    work = layout.scratch(net)

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
            until_here = first + len(batches)
            steps = Steps(
                images.train, images.y_train, batches.reshape(-1), kept.reshape(-1),
                losses[first:until_here], first, learning_rate,
            )  # fmt: skip
            functions.train_steps(table_of(net, state, work, steps).ctypes.data)
        done = until
        if done % epoch == 0:
            learning_rate *= spec.training.lr_decay
        blocks, labels = images.train_blocks, images.y_train
        if num_train > SAMPLES:
            chosen = randomness.subsample(rng, num_train, SAMPLES)
            blocks, labels = _blocks(_rows(images.train, spec.data)[chosen]), labels[chosen]
        train_acc.append(_accuracy(functions, net, state, work, Blocks(blocks, labels)))
        val = Blocks(images.val_blocks, images.y_val)
        val_acc.append(_accuracy(functions, net, state, work, val))
        if measured is not None:
            measured(val_acc[-1], net, state)
    return losses.tolist(), train_acc, val_acc


def _accuracy(functions: Functions, net: Net, state: State, work: Scratch, blocks: Blocks) -> float:
    table = table_of(net, state, work, blocks)
    return functions.count_right(table.ctypes.data) / len(blocks.labels)


def _draws(rng: Generator, net: Net, num_train: int, done: int, until: int):
    """Yield (first step, batches, dropout's draws) for the steps done, …, until - 1, drawn in the Solver's order."""
    if net.keep == 1:
        # with nothing drawn in between, the batches of many steps are one draw
        batches = randomness.minibatch(rng, num_train, (until - done) * net.batch_size)
        yield (
            done,
            batches.reshape(until - done, net.batch_size),
            np.empty((until - done, 0), dtype=np.bool_),
        )
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
        count, values = data.spec.num_train, data.spec.input_dim
        train = layout.zeros((count + 1) * layout.stride(values) + SPARE)
        _rows(train, data.spec)[:] = data.X_train.reshape(count, values)
        X_train, X_val = data.X_train.reshape(count, values), data.X_val.reshape(-1, values)
        blocks = _blocks(X_train if count <= SAMPLES else X_train[:0])
        # copies, because data that workers share cannot be written to
        y_train, y_val = (np.array(y, dtype=np.int64) for y in (data.y_train, data.y_val))
        found = _laid_out[key] = Images(train, y_train, blocks, _blocks(X_val), y_val)
    return found


def _rows(train: Array, data: DataSpec) -> Array:
    """The training examples, (examples, inputs), of `Images.train`."""
    step = layout.stride(data.input_dim)
    return train[: data.num_train * step].reshape(-1, step)[:, : data.input_dim]


def _blocks(X: Array) -> Array:
    """X in blocks of EXAMPLES, (blocks, inputs, EXAMPLES) laid flat; zeros fill the last one."""
    count, inputs = -(-len(X) // EXAMPLES), X.shape[1]
    flat = layout.zeros(count * inputs * EXAMPLES)
    blocks = flat.reshape(count, inputs, EXAMPLES)
    for number in range(count):
        some = X[number * EXAMPLES : (number + 1) * EXAMPLES]
        blocks[number, :, : len(some)] = some.T
    return flat
