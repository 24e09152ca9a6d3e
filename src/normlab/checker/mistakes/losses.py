"""Mistakes in the two losses, each with the formula it leaves."""

from __future__ import annotations

from functools import partial

import numpy as np

from normlab.checker.mistakes.record import Mistake, by_key
from normlab.typing import Array

TRY = "Take two examples with three classes and do it by hand."
CELL = "Loss layers: softmax and SVM"
_loss = partial(
    Mistake, sought=(r"loss\w*\s*[-+*/]?=", r"return",),
    line="L = −(1/N)·Σₙ log p[n, yₙ] (softmax); "
    "L = (1/N)·Σₙ Σ_{{j≠yₙ}} max(0, xₙⱼ − x[n, yₙ] + 1) (SVM)",
    where="Look at the loss itself.", tried=TRY, cell=CELL,
)  # fmt: skip
_gradient = partial(
    Mistake, sought=(r"\bdx\w*(\[.*\])?\s*[-+*/]?=", r"return",),
    line="∂L/∂x = (p − onehot(y))/N (softmax); "
    "(1 for each positive margin, −their count at yₙ)/N (SVM)",
    where="Look at the gradient; the loss is right, or judged by itself.", tried=TRY, cell=CELL,
)  # fmt: skip


def _square_only(powers: Array) -> Array:
    if powers.shape[0] != powers.shape[1]:
        raise ValueError("these sizes do not broadcast")
    return np.asarray(powers.sum(1)[None, :])


def _columns_as_rows(powers: Array) -> Array:
    if powers.shape[0] != powers.shape[1]:
        raise ValueError("these sizes do not broadcast")
    return np.asarray(powers.sum(0)[:, None])


def _row_of_correct(x: Array, correct: Array) -> Array:
    if x.shape[0] != x.shape[1]:
        raise ValueError("these sizes do not broadcast")
    return correct


def _plus_one(dx: Array, y: Array) -> None:
    dx[np.arange(len(y)), y] += 1


def _in_columns(dx: Array, y: Array) -> None:
    dx[:, y] -= 1


def _nothing(dx: Array, y: Array) -> None:
    """The correct class keeps what the others have."""


def _minus_one(dx: Array, y: Array) -> None:
    dx[np.arange(len(y)), y] -= 1


def _overwritten(dx: Array, y: Array) -> None:
    dx[np.arange(len(y)), y] = -1


BOTH = (
    _loss("loss_not_averaged", "the loss is summed over the examples, not averaged",
          "The loss is a mean over N examples.", wrong={"loss_count": lambda n, c: 1}),
    _loss("loss_divided_by_classes",
          "the loss is divided by the number of classes instead of examples",
          "Divide by N.", wrong={"loss_count": lambda n, c: c}),
    _gradient("gradient_not_averaged", "the gradient is not divided by N",
              "What the loss averages, its gradient averages.", wrong={"count": lambda n, c: 1}),
    _gradient("gradient_divided_by_classes",
              "the gradient is divided by the number of classes instead of examples",
              "Divide by N.", wrong={"count": lambda n, c: c}),
    _gradient("gradient_divided_by_n_and_c",
              "the gradient is divided by N and by the number of classes",
              "Divide by N only.", wrong={"count": lambda n, c: n * c}),
    _gradient("gradient_sign", "the gradient has the wrong sign", "Downhill must lower the loss.",
              wrong={"sign": lambda dx: -dx}),
)  # fmt: skip

SOFTMAX = (
    _loss("shift_wrong_axis",
          "the largest score is taken over the examples instead of over the classes",
          "Each row is shifted by its own largest score.", wrong={"shift": lambda x: x.max(0)}),
    _loss("normalizer_wrong_axis",
          "probabilities are normalized over the examples instead of over the classes",
          "Each row of probabilities sums to 1.",
          wrong=({"normalizer": lambda powers: powers.sum(0, keepdims=True)},
                 {"normalizer": _square_only}, {"normalizer": _columns_as_rows})),
    _loss("normalizer_whole_array", "probabilities are normalized over the whole array",
          "Each row of probabilities sums to 1.",
          wrong={"normalizer": lambda powers: powers.sum()}),
    _loss("log_of_columns",
          "the loss picks whole columns: every example's log probability of every label",
          "Pick one entry a row: example n's own label.",
          wrong={"picked": lambda logs, y: logs[:, y]}),
    _loss("loss_sign", "the loss has the wrong sign",
          "A loss falls when the right class gets more probable.",
          wrong={"loss_sign": lambda loss: -loss}),
    _gradient("gradient_without_target", "the gradient lacks the −1 at the correct class",
              "It is p minus the one-hot label.", wrong={"target": _nothing}),
    _gradient("gradient_of_columns", "the −1 lands in whole columns instead of one entry a row",
              "Pick one entry a row: example n's own label.", wrong={"target": _in_columns}),
    _gradient("gradient_plus_one", "the gradient has +1 at the correct class instead of −1",
              "It is p minus the one-hot label.", wrong={"target": _plus_one}),
)  # fmt: skip

SVM = (
    _loss("correct_not_zeroed",
          "the margin of the correct class itself is counted: the loss is 1 too large",
          "The sum leaves j = y out.", wrong={"zeroed": lambda margins, y: None}),
    _loss("correct_not_column", "the correct scores are not subtracted row by row",
          "Row n loses its own correct score.",
          wrong=({"correct": _row_of_correct}, {"correct": lambda x, correct: correct.mean()},
                 {"correct": lambda x, correct: correct[0]})),
    _loss("margin_missing", "the margin of 1 is forgotten",
          "A class counts unless it is lower by at least 1.",
          wrong={"delta": 0.0}),
    _loss("margin_other", "the margin is another number than 1",
          "A class counts unless it is lower by at least 1.",
          wrong=({"delta": 2.0}, {"delta": 0.5}, {"delta": 0.1}, {"delta": 10.0})),
    _loss("margin_sign", "the margin has the wrong sign",
          "A class counts unless it is lower by at least 1.",
          wrong={"delta": -1.0}),
    _loss("not_clipped", "negative margins are added to the loss: the max with 0 is missing",
          "A class that is lower by more than 1 costs nothing.",
          wrong={"summed": lambda clipped, margins: margins}),
    _gradient("every_margin_counts",
              "every class counts in the gradient, also those whose margin is 0",
              "Only a positive margin has a slope.", wrong={"active": np.ones_like}),
    _gradient("margin_for_slope",
              "the gradient holds the margins themselves instead of 1 for each positive one",
              "The slope of max(0, m) is 1 where m > 0.",
              wrong={"active": lambda clipped: clipped}),
    _gradient("count_not_subtracted", "the gradient at the correct class is missing",
              "Each positive margin also holds −x at y.", wrong={"target": _nothing}),
    _gradient("minus_one_for_count",
              "the gradient at the correct class is −1 instead of minus the number of positive "
              "margins",
              "Every positive margin pushes the correct score up once.",
              wrong={"target": _minus_one}),
    _gradient("count_overwrites", "the gradient at the correct class is overwritten by −1",
              "Every positive margin pushes the correct score up once.",
              wrong={"target": _overwritten}),
)  # fmt: skip

SHIFT = "softmax(x) = softmax(x − max x)"
LOSSES = by_key(BOTH, SOFTMAX, SVM, (
    Mistake("no_shift",
            "scores of order 1,000 overflow: the largest score of a row is not taken off before "
            "exp",
            "Subtracting the same number from a row leaves its probabilities as they are.",
            line=SHIFT,
            where="What is exp(1000)?", tried="Add 1000 to every score: nothing should change.",
            cell="none: all scores there are small", severity="robustness"),
    Mistake("shift_of_whole_array",
            "takes one maximum for the whole array: right, until rows lie very far apart",
            "A row far below the maximum loses all its digits.", line=SHIFT,
            where="Each row may have its own shift.", tried="Move one row down by 2000.",
            cell="none",
            severity="remark"),
    Mistake("small_constant",
            "is right to about seven digits: a small constant in the logarithm, or float32 on the "
            "way",
            "Shifting each row by its maximum needs no constant.", line=SHIFT,
            where="Nothing needs to change.", tried="Compare with the formula to ten digits.",
            cell="none: the cells print fewer digits", severity="remark"),
    Mistake("infinite_loss",
            "gives an infinite loss for scores of order 1,000, with a right gradient",
            "The logarithm can be taken before the exponential loses its digits.",
            line="log p = x − log Σ exp x",
            where="What is the log of a probability that underflows?",
            tried="Multiply the scores by 1000.",
            cell="none: the course's own softmax_loss does the same", severity="remark"),
))  # fmt: skip
