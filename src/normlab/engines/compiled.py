"""One run of the compiled engine: the events of `Solver.train` in their order, compiled between the draws."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from normlab import randomness, schedules
from normlab.data.dataset import Dataset
from normlab.engines import layout, library
from normlab.engines.layout import EXAMPLES, SPARE, Blocks, Net, State, Steps
from normlab.engines.library import Functions
from normlab.engines.table import table_of
from normlab.specs import DataSpec, History, RunSpec, TrainingSpec
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
    test_blocks: Array
    y_test: Array


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
        losses, looks = _train(spec, data, measured)
    return History(
        loss=tuple(losses),
        train_acc=tuple(look.train_acc for look in looks),
        val_acc=tuple(look.val_acc for look in looks),
        test_acc=tuple(look.test_acc for look in looks if look.test_acc is not None),
        val_loss=tuple(look.val_loss for look in looks if look.val_loss is not None),
        best_val_acc=max(look.val_acc for look in looks),
        diverged=not all(map(math.isfinite, losses)),
        seconds=time.perf_counter() - began,
    )


class Look(NamedTuple):
    """What is measured between epochs: `Solver._measure`."""

    train_acc: float
    val_acc: float
    test_acc: float | None
    val_loss: float | None


def _train(
    spec: RunSpec, data: Dataset, measured: Callable[[float, Net, State], object] | None
) -> tuple[list[float], list[Look]]:
    """Losses, and what was measured in between."""
    functions = library.functions()
    images = _images(data)
    net = layout.describe(spec)
    state, rng = layout.fresh_state(net, spec)
    work = layout.scratch(net)
    fixed = table_of(net, state, work)  # the same in every call

    num_train = spec.data.num_train
    epoch = max(num_train // spec.training.batch_size, 1)
    last = spec.training.num_epochs * epoch
    rates = _rates(spec.training, epoch)
    shrinks = 1 - rates * spec.training.weight_decay
    losses, looks = np.empty(last), []
    done = 0
    while done < last:
        until = 1 if done == 0 else min(done - done % epoch + epoch, last)
        for first, batches, kept, noise in _draws(rng, net, spec, done, until):
            these = slice(first, first + len(batches))
            steps = Steps(
                images.train, images.y_train, batches.reshape(-1), kept.reshape(-1),
                noise.reshape(-1), rates[these], shrinks[these], losses[these], first,
            )  # fmt: skip
            table = np.concatenate([fixed, table_of(steps)])
            functions.train_steps(table.ctypes.data)
        done = until
        blocks, labels = images.train_blocks, images.y_train
        if num_train > SAMPLES:
            chosen = randomness.subsample(rng, num_train, SAMPLES)
            blocks, labels = _blocks(_rows(images.train, spec.data)[chosen]), labels[chosen]
        measure = functools.partial(_measured, functions, fixed)
        of_train, _ = measure(blocks, labels)
        of_val, loss = measure(images.val_blocks, images.y_val, spec.training.test)
        of_test = None
        if spec.training.test:
            of_test, _ = measure(images.test_blocks, images.y_test)
        looks.append(Look(of_train, of_val, of_test, loss))
        if measured is not None:
            measured(of_val, net, state)
    return losses.tolist(), looks


def _measured(
    functions: Functions, fixed: Array, images: Array, labels: Array, losses: bool = False
) -> tuple[float, float | None]:
    """Accuracy on blocks of images, and, if asked for, the mean loss."""
    blocks = Blocks(images, labels, np.empty(len(labels) if losses else 0))
    table = np.concatenate([fixed, table_of(blocks)])
    right = functions.count_right(table.ctypes.data)
    return right / len(labels), (math.fsum(blocks.losses) / len(labels) if losses else None)


def _rates(training: TrainingSpec, epoch: int) -> Array:
    """Each step's learning rate, as the Solver has it."""
    factor = schedules.BY_NAME[training.schedule].factor
    steps = training.num_epochs * epoch
    if factor is None:
        of_epochs = [training.learning_rate]
        for _ in range(1, training.num_epochs):
            of_epochs.append(of_epochs[-1] * training.lr_decay)
        return np.repeat(of_epochs, epoch)
    warmup = training.warmup_epochs * epoch
    return np.array(
        [
            training.learning_rate
            * training.lr_decay ** (step // epoch)
            * factor(step, steps, warmup)
            for step in range(steps)
        ]
    )


def _draws(
    rng: Generator, net: Net, spec: RunSpec, done: int, until: int
) -> Iterator[tuple[int, Array, Array, Array]]:
    """Yield (first step, batches, dropout's draws, noise) for the steps done, …, until - 1, drawn
    in the Solver's order."""
    num_train, n = spec.data.num_train, net.batch_size
    if net.keep == 1 and net.noise == 0:
        # with nothing drawn in between, the batches of many steps are one draw
        batches = randomness.minibatch(rng, num_train, (until - done) * n)
        yield done, batches.reshape(until - done, n), np.empty(0, dtype=np.bool_), layout.zeros(0)
        return
    shapes = [(n, int(d)) for d in net.dims[1:-1]]
    draws = sum(n * d for _, d in shapes)
    at_once = max(1, MASK_BYTES // max(1, draws * (5 if net.noise else 1)))
    for first in range(done, until, at_once):
        steps = min(at_once, until - first)
        batches = np.empty((steps, n), dtype=np.int64)
        kept = np.empty((steps, draws if net.keep < 1 else 0), dtype=np.bool_)
        noise = np.empty((steps, draws if net.noise else 0), dtype=np.float32)
        for step in range(steps):
            batches[step] = randomness.minibatch(rng, num_train, n)
            place = 0
            for shape in shapes:
                these = slice(place, place := place + n * shape[1])
                if net.noise:
                    noise[step, these] = spec.net.norm_noise * randomness.noise(rng, shape).ravel()
                if net.keep < 1:
                    kept[step, these] = (rng.rand(*shape) < net.keep).ravel()
        yield first, batches, kept, noise


def _images(data: Dataset) -> Images:
    """The data set laid out for the kernels; made once for runs on the same data."""
    key = (data.spec, data.inputs)
    found = _laid_out.get(key)
    if found is None:
        _laid_out.clear()
        count, values = data.spec.num_train, data.spec.input_dim
        train = layout.zeros((count + 1) * layout.stride(values) + SPARE)
        _rows(train, data.spec)[:] = data.X_train.reshape(count, values)
        X_train, X_val, X_test = (
            X.reshape(-1, values) for X in (data.X_train, data.X_val, data.X_test)
        )
        blocks = _blocks(X_train if count <= SAMPLES else X_train[:0])
        # copies, because data that workers share cannot be written to
        y_train, y_val, y_test = (
            np.array(y, dtype=np.int64) for y in (data.y_train, data.y_val, data.y_test)
        )
        found = _laid_out[key] = Images(
            train, y_train, blocks, _blocks(X_val), y_val, _blocks(X_test), y_test
        )
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
