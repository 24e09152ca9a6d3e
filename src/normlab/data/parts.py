"""From images as they are stored to the training, validation and test arrays of a run.

A data set arrives in chunks of uint8 images. The parts wanted are copied out of them and the mean
image is summed up on the way, in whole numbers and so exactly; the chunks themselves are not kept.
(The mean of the assignment's 49,000 images is needed for studies that train on 1,000; as float64
they would take 1.2 GB.)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from normlab.typing import Array


class Chunk(NamedTuple):
    """Consecutive images of the publisher's training or test set."""

    split: str  # "train" or "test"
    first: int  # the first image's place in that set
    images: Array  # (n, channels, height, width), uint8
    labels: Array  # (n,), int64


class Layout(NamedTuple):
    """What there is to know about a data set before it is opened."""

    shape: tuple[int, int, int]  # channels, height, width
    scale: float  # what a stored count is multiplied by, so that pixels go from 0 to 255
    pools: tuple[int, int, int]  # images to take training, validation and test images from
    default: tuple[int, int, int]  # how many are taken if nothing else is asked for


class Wanted(NamedTuple):
    """Which images to take. The first three index the publisher's training set."""

    train: range
    val: range
    mean_over: range
    test: range


class Parts(NamedTuple):
    """The images taken, float64 (n, channels, height, width), and their labels, int64 (n,)."""

    X_train: Array
    y_train: Array
    X_val: Array
    y_val: Array
    X_test: Array
    y_test: Array


def gather(chunks: Iterable[Chunk], layout: Layout, wanted: Wanted, subtract_mean: bool) -> Parts:
    """The wanted parts; with `subtract_mean`, less the mean image of the training images `wanted.mean_over`."""
    takers = [_Taker("train", wanted.train, layout), _Taker("train", wanted.val, layout)]
    takers.append(_Taker("test", wanted.test, layout))
    total = np.zeros(layout.shape, np.int64)
    for chunk in chunks:
        for taker in takers:
            taker.take(chunk)
        if subtract_mean:
            inside = _overlap(chunk, "train", wanted.mean_over)
            total += chunk.images[inside.start - chunk.first : inside.stop - chunk.first].sum(
                0, dtype=np.int64
            )
    mean_image = (
        total * layout.scale / len(wanted.mean_over) if subtract_mean else np.zeros(layout.shape)
    )
    return Parts(
        *(
            array
            for taker in takers
            for array in (taker.floats(layout.scale, mean_image), taker.labels)
        )
    )


class _Taker:
    """Fills one part from the chunks that hold some of it."""

    def __init__(self, split: str, wanted: range, layout: Layout) -> None:
        self.split, self.wanted = split, wanted
        self.images = np.empty((len(wanted), *layout.shape), np.uint8)
        self.labels = np.empty(len(wanted), np.int64)

    def take(self, chunk: Chunk) -> None:
        inside = _overlap(chunk, self.split, self.wanted)
        there = slice(inside.start - chunk.first, inside.stop - chunk.first)
        here = slice(inside.start - self.wanted.start, inside.stop - self.wanted.start)
        self.images[here] = chunk.images[there]
        self.labels[here] = chunk.labels[there]

    def floats(self, scale: float, mean_image: Array) -> Array:
        images = self.images * np.float64(scale)
        images -= mean_image  # in place: the assignment's 49,000 images take 1.2 GB
        return images


def _overlap(chunk: Chunk, split: str, wanted: range) -> range:
    """The indices wanted that the chunk holds; `range(first, first)` where there are none."""
    start = max(wanted.start, chunk.first)
    stop = min(wanted.stop, chunk.first + len(chunk.labels))
    return (
        range(start, stop)
        if chunk.split == split and start < stop
        else range(chunk.first, chunk.first)
    )
